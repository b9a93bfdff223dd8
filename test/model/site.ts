import { createHash } from 'node:crypto';
import type { ScriptedTree, TreeFolder, TreeNode } from '../support/scripted-ftp-tree.ts';
import { NAMES } from './history.ts';
import type { Edit, PathChoice } from './history.ts';

const SIZES = [0, 5, 5, 40, 40, 3000];
const MANY = 9;
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

/** The site of one history: changes it, and tells what it is. */
export class Site {
  readonly #tree: ScriptedTree;
  readonly #beginMs: number;
  readonly #forbidden = new Set<string>();
  #writes = 0;
  #changes = 0;

  constructor(tree: ScriptedTree, nowMs: number) {
    this.#tree = tree;
    this.#beginMs = Math.floor((nowMs - BEGIN_AGE_MS) / 60_000) * 60_000;
  }

  state(): SiteState {
    const files = new Map<string, string>();
    const folders = new Set<string>();
    const closed = new Set<string>();
    const visit = (folder: TreeFolder, path: string): void => {
      for (const [name, node] of folder.children) {
        const child = `${path}/${name}`;
        if (node.kind === 'folder') {
          if ((node.mode & 0o100) === 0) closed.add(child);
          folders.add(child);
          visit(node, child);
        } else if (node.kind === 'file') {
          if ((node.mode & 0o400) === 0) closed.add(child);
          files.set(child, sha256Of(node.content.read(0, node.content.sizeBytes)));
        }
      }
    };
    visit(this.#tree.root, '');
    const isEmpty = this.#tree.root.children.size === 0;
    return { number: this.#changes, files, folders, isEmpty, closed, exclude: [] };
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
      for (const node of folder.children.values()) {
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
    const sizeBytes = SIZES[size % SIZES.length] ?? 0;
    const content = String(this.#writes).padStart(sizeBytes, '.').slice(0, sizeBytes);
    this.#tree.writeFile(path, content, { mtimeMs, isReplaced: how.isReplaced ?? false });
  }

  #rename(from: string, to: string): void {
    if (to === from || to.startsWith(`${from}/`) || from.startsWith(`${to}/`)) return;
    this.#clearWay(to);
    // What stood in the way may have held it.
    if (this.#node(from) === undefined) return;
    this.#removeAny(to);
    this.#tree.rename(from, to);
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

  #node(path: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.#tree.root;
    for (const part of path.slice(1).split('/')) {
      node = node?.kind === 'folder' ? node.children.get(part) : undefined;
    }
    return node;
  }

  #nextMs(isOlder = false): number {
    this.#writes++;
    return this.#beginMs + (isOlder ? -1 : 1) * this.#writes * STEP_MS;
  }
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
