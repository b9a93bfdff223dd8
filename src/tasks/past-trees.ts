import { FIRST_PAGE, pastName, pastPath, readPastFolder } from '../engine/past-folder.ts';
import type { PastCursor, PastFolder } from '../engine/past-folder.ts';
import { pastContent } from '../engine/read-past-file.ts';
import { openPastReading } from '../state/past-reading.ts';
import type { PastReading } from '../state/past-reading.ts';
import { RestorePoints } from '../state/restore-points.ts';
import type { RestorePoint } from '../state/restore-points.ts';
import { VersionTree } from '../state/version-tree.ts';
import type { ContentKey, PastFile, PathContent } from '../state/version-tree.ts';

/** Whose trees: a task's database. */
export interface PastOf {
  readonly stateDir: string;
  readonly stateKey: string;
}

/** `none`: no versions yet. `unknown`: no such run, or nothing was there. `pruned`: no longer kept. */
export type NoPast = 'none' | 'unknown' | 'pruned';

/** A folder of a version, with the way to it from the top. */
export interface PastFolderPage extends PastFolder {
  readonly point: RestorePoint;
  readonly way: readonly { readonly path: string; readonly name: string }[];
}

/** Names on a page of a folder. */
const PAST_PAGE = 200;

/** One page of the folder `path`, as the run `run` has left it. `no-folder`: there was none of this path. */
export function showPastFolder(
  of: PastOf,
  run: number,
  path: string,
  cursor: PastCursor = FIRST_PAGE,
): PastFolderPage | NoPast | 'no-folder' {
  return reading(of, run, (past, point) => {
    const folder = readPastFolder(past.db, point.runId, path, cursor, PAST_PAGE);
    return folder === undefined ? 'no-folder' : { ...folder, point, way: wayTo(path) };
  });
}

/** The file `path` as the run `run` has left it. `no-file`: there was none of this path. */
export function findPastFile(
  of: PastOf,
  run: number,
  path: string,
): { readonly file: PastFile; readonly name: string } | NoPast | 'no-file' {
  return reading(of, run, (past, point) => {
    const file = new VersionTree(past.db).file(point.runId, path);
    return file === undefined ? 'no-file' : { file, name: pastName(path) };
  });
}

/** Contents on a page of a file's history. */
const HISTORY_PAGE = 50;

/** Runs by their number: when they began. */
export type RunTimes = ReadonlyMap<number, number>;

/** One content of a file, with the names for people. */
export interface HistoryContent extends PathContent {
  readonly isPinned: boolean;
  readonly movedToName: string;
  readonly movedFromName: string;
}

/** One page of what the file `path` was. Names are for people. */
export interface FileHistoryPage {
  readonly name: string;
  readonly shownPath: string;
  readonly contents: readonly HistoryContent[];
  readonly runs: RunTimes;
  /** undefined on the last page. */
  readonly next: ContentKey | undefined;
}

/** What lay under `path`, the newest first; undefined where nothing is known of it. */
export function showFileHistory(of: PastOf, path: string, after: ContentKey | undefined): FileHistoryPage | undefined {
  const past = openPastReading(of.stateDir, of.stateKey);
  if (past === undefined) return undefined;
  try {
    const found = new VersionTree(past.db).history(path, HISTORY_PAGE + 1, after);
    if (found.length === 0) return undefined;
    const points = new RestorePoints(past.db);
    const contents = found.slice(0, HISTORY_PAGE).map((content) => {
      const { holder } = content;
      return {
        ...content,
        movedToName: pastPath(content.movedTo ?? ''),
        movedFromName: pastPath(content.movedFrom ?? ''),
        isPinned: holder !== undefined && points.showing(holder.contentRun, holder.untilRun).isAnyPinned,
      };
    });
    const runIds = contents.flatMap(({ file }) => [file.sinceRun, file.untilRun ?? file.sinceRun]);
    const next = found.length > HISTORY_PAGE ? contents.at(-1)?.key : undefined;
    return { name: pastName(path), shownPath: pastPath(path), contents, runs: points.startsOf(runIds), next };
  } finally {
    past.close();
  }
}

/** One of them; without `key` what lies there now. */
export function findContent(
  of: PastOf,
  path: string,
  key: ContentKey | undefined,
): { readonly file: PastFile; readonly name: string } | undefined {
  const past = openPastReading(of.stateDir, of.stateKey);
  if (past === undefined) return undefined;
  try {
    const content = new VersionTree(past.db).content(path, key);
    return content === undefined ? undefined : { file: content.file, name: pastName(path) };
  } finally {
    past.close();
  }
}

/** Reads a past file out of the task's folder; see `pastContent`. */
export function readPast(targetFolder: string, file: PastFile): AsyncIterable<Buffer> {
  return pastContent(targetFolder, file);
}

function reading<T>(of: PastOf, run: number, work: (past: PastReading, point: RestorePoint) => T): T | NoPast {
  const past = openPastReading(of.stateDir, of.stateKey);
  if (past === undefined) return 'none';
  try {
    const point = new RestorePoints(past.db).of(run);
    return typeof point === 'string' ? point : work(past, point);
  } finally {
    past.close();
  }
}

function wayTo(path: string): PastFolderPage['way'] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((_, index) => {
    const whole = `/${parts.slice(0, index + 1).join('/')}`;
    return { path: whole, name: pastName(whole) };
  });
}
