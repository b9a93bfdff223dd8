import { posix } from 'node:path';
import { isBackupError } from '../../errors.ts';
import type { SourceSettings } from '../../settings/task-settings.ts';
import { BROWSED_FOLDERS_MAX } from '../../tasks/browse-source.ts';
import { folderRoots, listLocalFolder, makeLocalFolder } from '../../tasks/local-folders.ts';
import type { FolderRoot } from '../../tasks/local-folders.ts';
import type { Text } from '../../text.ts';
import { errorWords } from '../error-words.ts';
import type { Form } from '../form.ts';
import type { Services } from '../services.ts';
import type { FieldMessage } from './form-words.ts';

/** A folder and its subfolders. Its rows are buttons of the form around it, so that nothing typed there is lost. */
export interface PickerView {
  readonly label: string;
  /** Name of the buttons: `goRemote` or `goLocal`. */
  readonly go: string;
  /** Name of the radios that choose a row; empty where going there is choosing. */
  readonly choice: string;
  readonly crumbs: readonly { readonly name: string; readonly path: string }[];
  readonly path: string;
  /** Empty at the top. */
  readonly parent: string;
  readonly rows: readonly { readonly name: string; readonly path: string; readonly isChosen: boolean }[];
  /** The folder itself may be the one to back up. */
  readonly isHereChosen: boolean;
  readonly chosen: string;
  readonly note: string;
  /** The name of a new folder as it was typed, where it could not be made. */
  readonly newFolder: string;
  /** What is wrong, and what to do; empty where nothing is. */
  readonly fault: string;
  readonly action: string;
}

/** A page does not wait longer for a listing. */
const BROWSE_MS_MAX = 20_000;

/** One folder on the server. What goes wrong stands in the view. */
export async function browseRemote(
  services: Services,
  source: SourceSettings,
  path: string,
  chosen: string,
  choice: string,
  text: Text,
): Promise<PickerView> {
  const base = remoteBase(path, chosen, choice, text);
  try {
    const listing = await services.browseSource(source, base.path, AbortSignal.timeout(BROWSE_MS_MAX));
    const rows = listing.folders.map((name) => {
      const rowPath = posix.join(base.path, name);
      return { name, path: rowPath, isChosen: rowPath === chosen };
    });
    const files = text.t('count.files', { count: listing.fileCount });
    const isSeen = rows.some((row) => row.isChosen);
    const isLong = rows.length >= BROWSED_FOLDERS_MAX;
    const empty = rows.length === 0 ? text.t('wz.nofolders', { files }) : '';
    // Where the chosen folder is not in sight, the open one is meant.
    const choiceHere = isSeen ? {} : { isHereChosen: true, chosen: base.path };
    return {
      ...base,
      ...choiceHere,
      rows,
      note: listing.isComplete ? empty : text.t(isLong ? 'wz.partfolder' : 'wz.partlisting'),
    };
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const { host, port } = source;
    const isLate = error.code === 'cancelled';
    const facts = isLate ? { host, port, seconds: BROWSE_MS_MAX / 1000 } : error.facts;
    const { cause, action } = errorWords(text, isLate ? 'timed-out' : error.code, facts);
    return { ...base, fault: cause, action };
  }
}

function remoteBase(asked: string, chosen: string, choice: string, text: Text): PickerView {
  const path = remoteFolder(asked) ?? '/';
  const parts = path.split('/').filter((part) => part !== '');
  return {
    label: text.t('f.remote'),
    go: 'goRemote',
    choice,
    crumbs: parts.map((name, index) => ({ name, path: `/${parts.slice(0, index + 1).join('/')}` })),
    path,
    parent: path === '/' ? '' : posix.dirname(path),
    rows: [],
    isHereChosen: path === chosen,
    chosen,
    note: '',
    newFolder: '',
    fault: '',
    action: '',
  };
}

/** A folder on a server as it may stand in a URL or form; undefined for anything that is none. */
export function remoteFolder(text: string): string | undefined {
  if (!text.startsWith('/') || /\p{Cc}/u.test(text) || Buffer.byteLength(text) > REMOTE_BYTES_MAX) return undefined;
  const parts = text.split('/').filter((part) => part !== '');
  return parts.some((part) => part === '.' || part === '..') ? undefined : `/${parts.join('/')}`;
}

const REMOTE_BYTES_MAX = 4096;

/** One folder on the NAS, or with an empty `path` the list of tops. */
export async function browseLocal(
  path: string,
  roots: readonly FolderRoot[],
  text: Text,
  newFolder = '',
): Promise<PickerView> {
  const base: PickerView = {
    label: text.t('f.local'),
    go: 'goLocal',
    choice: '',
    crumbs: [],
    path,
    parent: '',
    rows: [],
    isHereChosen: false,
    chosen: path,
    note: '',
    newFolder,
    fault: '',
    action: '',
  };
  if (path === '') {
    const writable = roots.filter((root) => root.isWritable);
    return {
      ...base,
      rows: writable.map((root) => ({ name: rootWords(root, text), path: root.path, isChosen: false })),
    };
  }
  const listing = await listLocalFolder(path, roots);
  if ('fault' in listing) return { ...base, fault: text.t(`folder.${listing.fault}`, { path }) };
  const below = listing.path
    .slice(listing.root.length)
    .split('/')
    .filter((part) => part !== '');
  const crumbs = [posix.basename(listing.root), ...below].map((name, index) => ({
    name,
    path: posix.join(listing.root, ...below.slice(0, index)),
  }));
  return {
    ...base,
    path: listing.path,
    chosen: listing.path,
    crumbs,
    parent: below.length === 0 ? '' : posix.dirname(listing.path),
    rows: listing.folders.map((name) => ({ name, path: posix.join(listing.path, name), isChosen: false })),
    note: listing.isComplete ? (listing.folders.length === 0 ? text.t('wz.emptyfolder') : '') : text.t('wz.partfolder'),
  };
}

/**
 * The folder on the server that was typed and is not the one that is open: by its button, or left in its field when another
 * button would go on. undefined: none was.
 */
export function typedRemoteFolder(sent: Form): string | undefined {
  const isElsewhere = (sent.has('goRemote') && sent.text('goRemote') !== TYPED) || sent.has('goLocal');
  const typed = sent.text('typed').trim();
  if (isElsewhere || typed === '' || sent.text('do') === 'back') return undefined;
  const folder = typed.startsWith('/') ? typed : `/${typed}`;
  return sent.text('goRemote') !== TYPED && remoteFolder(folder) === sent.text('path') ? undefined : folder;
}

/** The value of the button beside the field for a path. */
const TYPED = 'typed';

/** True where the form asks for a new folder: by its button, or by a name and another button that would go on. */
export function wantsNewFolder(sent: Form): boolean {
  const isElsewhere = ['goRemote', 'goLocal'].some((name) => sent.has(name)) || sent.text('do') === 'back';
  return sent.has('makeLocal') || (!isElsewhere && sent.text('newFolder').trim() !== '');
}

/** Makes the folder that the form asks for in the one that is open. Gives its path, or what is wrong with it. */
export async function makeAskedFolder(
  services: Services,
  sent: Form,
  text: Text,
): Promise<{ path: string } | { message: FieldMessage }> {
  const [parent, name] = [sent.text('local'), sent.text('newFolder').trim()];
  const field = 'newFolder';
  if (name === '') return { message: { field, words: text.t('wz.newfolder.none') } };
  const roots = await folderRoots(services.settings.read().folderRoots);
  const fault = await makeLocalFolder(parent, name, roots);
  const path = posix.join(parent, name);
  return fault === undefined ? { path } : { message: { field, words: text.t(`folder.${fault}`, { path }) } };
}

/** `web-backup (volume 1, 2.8 TB free)`. */
export function rootWords(root: FolderRoot, text: Text): string {
  const volume = /^\/volume(\d+)\//.exec(root.path)?.[1];
  const free = root.freeBytes === undefined ? undefined : text.bytes(root.freeBytes);
  if (free === undefined) return root.name;
  if (volume === undefined) return text.t('wz.root', { name: root.name, free });
  return text.t('wz.root.volume', { name: root.name, volume, free });
}
