import { contentSource, type ContentSource, type FileContent } from './scripted-ftp-content.ts';

/** `text` as its UTF-8 bytes held as latin1 text: the form of every name and path in the tree. */
export function utf8Name(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

interface TreeObject {
  /** The server's identity for the object: kept by edits and renames, given out once. */
  readonly inode: number;
  mtimeMs: number;
  mode: number;
}
export interface TreeFile extends TreeObject {
  readonly kind: 'file';
  content: ContentSource;
}
export interface TreeFolder extends TreeObject {
  readonly kind: 'folder';
  readonly children: Map<string, TreeNode>;
}
export interface TreeLink extends TreeObject {
  readonly kind: 'link';
  readonly target: string;
}
/** A second place where the same folder is found, as a bind mount or a hosting panel makes it. */
interface TreeAlias {
  readonly kind: 'alias';
  readonly folder: TreeFolder;
}
export type TreeNode = TreeFile | TreeFolder | TreeLink | TreeAlias;

export interface FileOptions {
  /** Without it: a month before the tree was made; at an edit, a minute after the file's time before. */
  readonly mtimeMs?: number;
  /** Permission bits. A file without owner `r` cannot be fetched, a folder without owner `x` not be entered. */
  readonly mode?: number;
  /** The new file takes the old one's place, as by rename, instead of being written into it: `unique` changes. */
  readonly isReplaced?: boolean;
}

/** One file as the comparison after a run needs it. */
export interface SampleFile {
  /** Absolute path in the tree, bytes as latin1 text. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** The whole content: not for files larger than memory. */
  read(): Buffer;
}

/** A path or node found, with the path it really has once links are followed. */
export interface Found {
  readonly node: TreeFile | TreeFolder | TreeLink;
  readonly realPath: string;
}

const LINK_HOPS_MAX = 40;
const DEFAULT_AGE_MS = 30 * 86_400_000;
const EDIT_STEP_MS = 61_000;

/** The files of a scripted server, in memory. Paths are absolute, bytes held as latin1 text; see utf8Name. */
export class ScriptedTree {
  readonly root: TreeFolder;
  /** false: `A.txt` is found as `a.txt`, too, as on Windows. */
  isCaseSensitive = true;
  readonly #defaultMtimeMs: number;
  #nextInode = 4096;

  constructor(nowMs: number) {
    this.#defaultMtimeMs = Math.floor((nowMs - DEFAULT_AGE_MS) / 60_000) * 60_000;
    this.root = this.#newFolder({});
  }

  /** Writes a file, and the folders above it where they are missing. An existing file is edited in place. */
  writeFile(path: string, content: FileContent, options: FileOptions = {}): void {
    const { folder, name } = this.#parentOf(path);
    this.#write(folder, name, content, options);
  }

  /** Like writeFile for a name that no path can hold: with `/`, `..`, or empty. It is listed as it is. */
  writeOddName(folderPath: string, name: string, content: FileContent, options: FileOptions = {}): void {
    this.#write(this.#folderAt(folderPath), requireLatin1(name), content, options);
  }

  /** Makes a folder and those above it; an existing one gets the time and mode that are given. */
  makeFolder(path: string, options: { readonly mtimeMs?: number; readonly mode?: number } = {}): void {
    const folder = this.#folderAt(path);
    folder.mtimeMs = options.mtimeMs ?? folder.mtimeMs;
    folder.mode = options.mode ?? folder.mode;
  }

  addLink(path: string, target: string): void {
    const { folder, name } = this.#parentOf(path);
    const link: TreeLink = { kind: 'link', target: requireLatin1(target), ...this.#newObject({ mode: 0o777 }) };
    folder.children.set(name, link);
    this.#age(folder);
  }

  /** Lets the folder `folderPath`, which must exist, also be found at `path`, even below itself. */
  addAlias(path: string, folderPath: string): void {
    const found = this.find(folderPath)?.node;
    if (found?.kind !== 'folder') throw new Error(`no folder to alias: ${folderPath}`);
    const { folder, name } = this.#parentOf(path);
    folder.children.set(name, { kind: 'alias', folder: found });
    this.#age(folder);
  }

  /** Removes a file, a link, or a folder with all that is in it. */
  remove(path: string): void {
    const { folder, name } = this.#existing(path);
    folder.children.delete(name);
    this.#age(folder);
  }

  /** Moves a file or folder, over a file that lies there. Times and `unique` stay. */
  rename(from: string, to: string): void {
    const source = this.#existing(from);
    source.folder.children.delete(source.name);
    this.#age(source.folder);
    const target = this.#parentOf(to);
    target.folder.children.set(target.name, source.node);
    this.#age(target.folder);
  }

  touch(path: string, mtimeMs: number): void {
    this.#object(path).mtimeMs = mtimeMs;
  }

  setMode(path: string, mode: number): void {
    this.#object(path).mode = mode;
  }

  /** What lies at `path`, links followed; the last one only if `followsLast`. Nothing below a folder without `x`. */
  find(path: string, followsLast = true): Found | undefined {
    return this.#resolve(partsOf(path), followsLast, 0);
  }

  /** Every file, folder by folder. Aliases and links are not followed, so that each file comes once. */
  *files(): Generator<SampleFile> {
    yield* filesBelow(this.root, '');
  }

  #resolve(parts: readonly string[], followsLast: boolean, hops: number): Found | undefined {
    let node: TreeFile | TreeFolder | TreeLink = this.root;
    const walked: string[] = [];
    for (const [index, part] of parts.entries()) {
      if (node.kind !== 'folder' || (node.mode & 0o100) === 0) return undefined;
      const child: TreeNode | undefined = node.children.get(part) ?? this.#otherCase(node, part);
      if (child === undefined) return undefined;
      const rest = parts.slice(index + 1);
      if (child.kind === 'link' && (rest.length > 0 || followsLast)) {
        if (hops >= LINK_HOPS_MAX) return undefined;
        const target = normalPath(`/${walked.join('/')}`, child.target);
        return this.#resolve([...partsOf(target), ...rest], followsLast, hops + 1);
      }
      node = child.kind === 'alias' ? child.folder : child;
      walked.push(part);
    }
    return { node, realPath: `/${walked.join('/')}` };
  }

  #otherCase({ children }: TreeFolder, name: string): TreeNode | undefined {
    if (this.isCaseSensitive) return undefined;
    return [...children].find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1];
  }

  #write(folder: TreeFolder, name: string, content: FileContent, options: FileOptions): void {
    const existing = folder.children.get(name);
    if (existing?.kind === 'file' && options.isReplaced !== true) {
      existing.content = contentSource(content);
      existing.mtimeMs = options.mtimeMs ?? this.#later(existing.mtimeMs, EDIT_STEP_MS);
      existing.mode = options.mode ?? existing.mode;
      return;
    }
    const before = existing === undefined || existing.kind === 'alias' ? undefined : existing.mtimeMs;
    const mtimeMs = options.mtimeMs ?? (before === undefined ? undefined : this.#later(before, EDIT_STEP_MS));
    const object = this.#newObject({ mode: options.mode ?? 0o644, ...(mtimeMs === undefined ? {} : { mtimeMs }) });
    folder.children.set(name, { kind: 'file', content: contentSource(content), ...object });
    this.#age(folder);
  }

  #folderAt(path: string): TreeFolder {
    let folder = this.root;
    for (const part of partsOf(path)) {
      let child = folder.children.get(part);
      if (child === undefined) {
        child = this.#newFolder({});
        folder.children.set(part, child);
        this.#age(folder);
      }
      if (child.kind === 'alias') child = child.folder;
      if (child.kind !== 'folder') throw new Error(`a ${child.kind} is in the way: ${part} in ${path}`);
      folder = child;
    }
    return folder;
  }

  #parentOf(path: string): { folder: TreeFolder; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw new Error('the root has no parent');
    return { folder: this.#folderAt(`/${parts.join('/')}`), name };
  }

  #existing(path: string): { folder: TreeFolder; name: string; node: TreeNode } {
    const { folder, name } = this.#parentOf(path);
    const node = folder.children.get(name);
    if (node === undefined) throw new Error(`nothing there: ${path}`);
    return { folder, name, node };
  }

  #object(path: string): TreeFile | TreeFolder | TreeLink {
    if (partsOf(path).length === 0) return this.root;
    const { node } = this.#existing(path);
    return node.kind === 'alias' ? node.folder : node;
  }

  #newObject(given: { readonly mtimeMs?: number; readonly mode: number }): TreeObject {
    return { inode: this.#nextInode++, mtimeMs: given.mtimeMs ?? this.#defaultMtimeMs, mode: given.mode };
  }

  #newFolder(given: { readonly mtimeMs?: number }): TreeFolder {
    return { kind: 'folder', children: new Map(), ...this.#newObject({ ...given, mode: 0o755 }) };
  }

  /** A folder's time moves when a name comes or goes. */
  #age(folder: TreeFolder): void {
    folder.mtimeMs = this.#later(folder.mtimeMs, 1000);
  }

  // Never earlier than the default time: an edit of an old file must be visible in a LIST that tells only its day.
  #later(mtimeMs: number, stepMs: number): number {
    return Math.max(mtimeMs, this.#defaultMtimeMs) + stepMs;
  }
}

function* filesBelow(folder: TreeFolder, path: string): Generator<SampleFile> {
  for (const [name, node] of folder.children) {
    if (node.kind === 'folder') yield* filesBelow(node, `${path}/${name}`);
    if (node.kind !== 'file') continue;
    const { content, mtimeMs } = node;
    const { sizeBytes } = content;
    yield { path: `${path}/${name}`, sizeBytes, mtimeMs, read: () => content.read(0, sizeBytes) };
  }
}

/** `text` seen from the folder `base`: absolute, without `.`, `..`, doubled or trailing slashes. */
export function normalPath(base: string, text: string): string {
  const parts: string[] = [];
  for (const part of (text.startsWith('/') ? text : `${base}/${text}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function partsOf(path: string): string[] {
  return normalPath('/', requireLatin1(path))
    .split('/')
    .filter((part) => part !== '');
}

function requireLatin1(text: string): string {
  for (const character of text) {
    if (character.charCodeAt(0) > 0xff) throw new Error(`not bytes: ${text}; hold UTF-8 names by utf8Name()`);
  }
  return text;
}
