import { createHash } from 'node:crypto';
import type { ScriptedTree, TreeFile, TreeFolder, TreeNode } from '../support/scripted-ftp-tree.ts';
import { NAMES } from './history.ts';
import type { Edit, PathChoice } from './history.ts';

const SIZES = [0, 5, 5, 40, 40, 3000];
const MANY = 9;
/** Each may double the number of paths. */
const ALIASES_MAX = 3;
/**
 * Between the times of two contents: no two are of the same minute, and no shift of a time zone makes them so. What a server
 * shows in minutes could not be told apart otherwise, by nobody.
 */
const STEP_MS = 61 * 60_000;
const BEGIN_AGE_MS = 60 * 86_400_000;

/** One moment of the site, as somebody sees it who sits before the server. Paths are bytes as latin1 text. */
export interface SiteState {
  /** How many changes came before it. */
  readonly number: number;
  /** SHA-256 by path. */
  readonly files: ReadonlyMap<string, string>;
  readonly folders: ReadonlySet<string>;
  /** Nothing at all, not even a link. */
  readonly isEmpty: boolean;
  /** Folders that we may not enter, and files that we may not read: a file that we have is not read again. */
  readonly closed: ReadonlySet<string>;
  /** All paths of a file, for each of them, where there are several and the server says that the folders are the same. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** What a file held before it was changed with nobody being told, by path. */
  readonly unseen: ReadonlyMap<string, ReadonlySet<string>>;
  /** Names that the filter of the task leaves out, with all below them. */
  readonly exclude: readonly string[];
}

/** The same moment as a task sees it that leaves out these names. */
export function withFilter(state: SiteState, exclude: readonly string[]): SiteState {
  if (exclude.length === 0) return state;
  const isWanted = (path: string): boolean => !isExcluded(path, exclude);
  return {
    ...state,
    files: new Map([...state.files].filter(([path]) => isWanted(path))),
    folders: new Set([...state.folders].filter(isWanted)),
    closed: new Set([...state.closed].filter(isWanted)),
    names: new Map([...state.names].map(([path, names]) => [path, names.filter(isWanted)])),
    exclude,
  };
}

function isExcluded(path: string, exclude: readonly string[]): boolean {
  const names = path.split('/');
  return exclude.some((pattern) =>
    pattern.startsWith('*') ? names.some((name) => name.endsWith(pattern.slice(1))) : names.includes(pattern),
  );
}

export function canEnterAll({ closed, folders }: SiteState): boolean {
  return ![...closed].some((path) => folders.has(path));
}

export function canReadAll({ closed, files }: SiteState): boolean {
  return ![...closed].some((path) => files.has(path));
}

/** What a moment says of one path: a SHA-256, or why no file is there. */
export function stateAt(state: SiteState, path: string): string {
  const sha256 = state.files.get(path);
  if (sha256 !== undefined) return sha256;
  if (state.folders.has(path)) return 'folder';
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (state.files.has(path.slice(0, end))) return 'below a file';
  }
  return isExcluded(path, state.exclude) ? 'excluded' : 'absent';
}

/** Whether a copy of this content is all that can be asked for without reading the file again. */
export function looksLike(state: SiteState, path: string, sha256: string): boolean {
  return state.files.get(path) === sha256 || state.unseen.get(path)?.has(sha256) === true;
}

/** The site of one history: changes it, and tells what it is. */
export class Site {
  readonly #tree: ScriptedTree;
  readonly #beginMs: number;
  readonly #isSameTold: boolean;
  readonly #forbidden = new Set<string>();
  readonly #unseen = new Map<TreeFile, { readonly mtimeMs: number; readonly contents: Set<string> }>();
  /** Every content that took another's place with nobody being told, and that other one. */
  readonly changedUnseen = new Set<string>();
  #writes = 0;
  #changes = 0;
  #aliases = 0;

  /** `isSameTold`: the server says of two folders that they are the same one. */
  constructor(tree: ScriptedTree, nowMs: number, isSameTold: boolean) {
    this.#tree = tree;
    this.#isSameTold = isSameTold;
    this.#beginMs = Math.floor((nowMs - BEGIN_AGE_MS) / 60_000) * 60_000;
  }

  state(): SiteState {
    const files = new Map<string, string>();
    const folders = new Set<string>();
    const closed = new Set<string>();
    const unseen = new Map<string, ReadonlySet<string>>();
    const pathsOf = new Map<TreeFile, string[]>();
    const visit = (folder: TreeFolder, path: string): void => {
      for (const [name, known] of folder.children) {
        const child = `${path}/${name}`;
        const node = known.kind === 'alias' ? known.folder : known;
        if (node.kind === 'folder') {
          if ((node.mode & 0o100) === 0) closed.add(child);
          folders.add(child);
          visit(node, child);
        } else if (node.kind === 'file') {
          if ((node.mode & 0o400) === 0) closed.add(child);
          files.set(child, sha256Of(node.content.read(0, node.content.sizeBytes)));
          const before = this.#unseen.get(node);
          if (before?.mtimeMs === node.mtimeMs) unseen.set(child, new Set(before.contents));
          const paths = pathsOf.get(node) ?? [];
          pathsOf.set(node, paths);
          paths.push(child);
        }
      }
    };
    visit(this.#tree.root, '');
    const isEmpty = this.#tree.root.children.size === 0;
    const several = this.#isSameTold ? [...pathsOf.values()].filter((paths) => paths.length > 1) : [];
    const names = new Map(several.flatMap((paths) => paths.map((path) => [path, paths] as const)));
    return { number: this.#changes, files, folders, isEmpty, closed, names, unseen, exclude: [] };
  }

  apply(edit: Edit): void {
    this.#changes++;
    switch (edit.edit) {
      case 'write':
        this.#write(pathOf(edit.path), edit.size, { isReplaced: edit.isReplaced });
        break;
      case 'many':
        for (let i = 0; i < MANY; i++) this.#write(`${pathOf(edit.path)}/n${i}.jpg`, i, {});
        break;
      case 'folder':
        this.#clearWay(`${pathOf(edit.path)}/x`);
        this.#tree.makeFolder(pathOf(edit.path));
        break;
      case 'link':
        this.#clearWay(pathOf(edit.path));
        this.#removeAny(pathOf(edit.path));
        this.#tree.addLink(pathOf(edit.path), '/a');
        break;
      case 'alias':
        this.#alias(edit.pick, pathOf(edit.path));
        break;
      case 'allow':
        this.allowAll();
        break;
      case 'forbid':
        this.#forbid(edit.pick);
        break;
      case 'removeFolder':
      case 'renameFolder': {
        const folder = chosen([...this.state().folders], edit.pick);
        if (folder === undefined) break;
        if ('path' in edit) this.#rename(folder, pathOf(edit.path));
        else this.#tree.remove(folder);
        break;
      }
      case 'recase':
      case 'swap': {
        const { files, folders } = this.state();
        const path = chosen([...files.keys(), ...folders], edit.pick);
        if (path === undefined) break;
        if (edit.edit === 'recase') this.#rename(path, inOtherCase(path));
        else if (files.has(path)) this.#write(`${path}/x`, edit.pick, {});
        else this.#write(path, edit.pick, {});
        break;
      }
      default: {
        const file = chosen([...this.state().files.keys()], edit.pick);
        if (file === undefined) break;
        if (edit.edit === 'rewrite') this.#write(file, edit.size, { isOlder: edit.isOlder });
        else if (edit.edit === 'touch') this.#tree.touch(file, this.#nextMs());
        else if (edit.edit === 'silent') this.#changeSilently(file);
        else if ('path' in edit) this.#rename(file, pathOf(edit.path));
        else this.#tree.remove(file);
      }
    }
  }

  allowAll(): void {
    this.#changes++;
    for (const path of this.#forbidden) {
      const node = this.#node(path);
      if (node !== undefined) this.#tree.setMode(path, node.kind === 'folder' ? 0o755 : 0o644);
    }
    // What was renamed meanwhile has kept its mode.
    const visit = (folder: TreeFolder): void => {
      for (const known of folder.children.values()) {
        const node = known.kind === 'alias' ? known.folder : known;
        if (node.kind === 'file') node.mode = 0o644;
        if (node.kind === 'folder') {
          node.mode = 0o755;
          visit(node);
        }
      }
    };
    visit(this.#tree.root);
    this.#forbidden.clear();
  }

  /** From here on a copy has to be of what the files hold. */
  forgetUnseen(): void {
    this.#unseen.clear();
  }

  #changeSilently(path: string): void {
    const node = this.#node(path);
    if (node?.kind !== 'file' || node.content.sizeBytes === 0) return;
    const { mtimeMs, content } = node;
    const known = this.#unseen.get(node);
    const contents = known?.mtimeMs === mtimeMs ? known.contents : new Set<string>();
    const before = sha256Of(content.read(0, content.sizeBytes));
    contents.add(before);
    this.changedUnseen.add(before);
    this.#unseen.set(node, { mtimeMs, contents });
    this.#writes++;
    const after = this.#content(content.sizeBytes);
    this.changedUnseen.add(sha256Of(Buffer.from(after)));
    this.#tree.writeFile(path, after, { mtimeMs });
  }

  #content(sizeBytes: number): string {
    return String(this.#writes).padStart(sizeBytes, '.').slice(0, sizeBytes);
  }

  #forbid(pick: number): void {
    const { files, folders } = this.state();
    const path = chosen([...files.keys(), ...folders], pick);
    if (path === undefined) return;
    this.#tree.setMode(path, 0);
    this.#forbidden.add(path);
  }

  #write(path: string, size: number, how: { readonly isReplaced?: boolean; readonly isOlder?: boolean }): void {
    this.#clearWay(path);
    if (this.#node(path)?.kind !== 'file') this.#removeAny(path);
    const mtimeMs = this.#nextMs(how.isOlder);
    const content = this.#content(SIZES[size % SIZES.length] ?? 0);
    this.#tree.writeFile(path, content, { mtimeMs, isReplaced: how.isReplaced ?? false });
  }

  #rename(from: string, to: string): void {
    if (to === from || to.startsWith(`${from}/`) || from.startsWith(`${to}/`)) return;
    if (this.#leadsInCircle(from, to)) return;
    this.#clearWay(to);
    // What stood in the way may have held it.
    if (this.#node(from) === undefined) return;
    this.#removeAny(to);
    this.#tree.rename(from, to);
  }

  #alias(pick: number, path: string): void {
    const folder = chosen([...this.state().folders], pick);
    if (folder === undefined || this.#aliases === ALIASES_MAX || this.#leadsInCircle(folder, path)) return;
    this.#clearWay(path);
    this.#removeAny(path);
    // What stood in the way may have held it, and of a folder that is closed nobody makes a second name.
    if (this.#tree.find(folder)?.node.kind !== 'folder') return;
    this.#tree.addAlias(path, folder);
    this.#aliases++;
  }

  /** Whether the folder `from` would lie in itself if it lay at `to`: other tests are about that. */
  #leadsInCircle(from: string, to: string): boolean {
    const folder = this.#node(from);
    let above: TreeFolder = this.#tree.root;
    for (const part of to.slice(1).split('/').slice(0, -1)) {
      const child = above.children.get(part);
      const node = child?.kind === 'alias' ? child.folder : child;
      if (node?.kind !== 'folder') break;
      above = node;
    }
    return folder?.kind === 'folder' && holds(folder, above);
  }

  /** Files and links that stand where a folder of the path is to be go away. */
  #clearWay(path: string): void {
    for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
      const above = path.slice(0, end);
      const node = this.#node(above);
      if (node !== undefined && node.kind !== 'folder') this.#tree.remove(above);
    }
  }

  #removeAny(path: string): void {
    if (this.#node(path) !== undefined) this.#tree.remove(path);
  }

  #node(path: string): Exclude<TreeNode, { readonly kind: 'alias' }> | undefined {
    let node: TreeNode | undefined = this.#tree.root;
    for (const part of path.slice(1).split('/')) {
      node = node?.kind === 'folder' ? node.children.get(part) : undefined;
      if (node?.kind === 'alias') node = node.folder;
    }
    return node;
  }

  #nextMs(isOlder = false): number {
    this.#writes++;
    return this.#beginMs + (isOlder ? -1 : 1) * this.#writes * STEP_MS;
  }
}

function holds(folder: TreeFolder, other: TreeFolder): boolean {
  if (folder === other) return true;
  return [...folder.children.values()].some(
    (node) =>
      (node.kind === 'folder' || node.kind === 'alias') && holds(node.kind === 'alias' ? node.folder : node, other),
  );
}

function pathOf(choice: PathChoice): string {
  return choice.map((number) => `/${NAMES[number] ?? ''}`).join('');
}

function inOtherCase(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const lower = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return path.slice(0, slash) + (name === lower ? name.replace(/[a-z]/g, (letter) => letter.toUpperCase()) : lower);
}

function chosen<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)];
}

export function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
