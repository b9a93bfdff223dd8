import type { Request, RequestHandler, Response } from 'express';
import { isBackupError } from '../../errors.ts';
import type { StoredTask } from '../../state/task-store.ts';
import type { PastFile } from '../../state/version-tree.ts';
import { findPastFile, readPast, showPastFolder } from '../../tasks/past-trees.ts';
import type { PastFolderPage } from '../../tasks/past-trees.ts';
import type { Text } from '../../text.ts';
import { askedBytes, queryBytes } from '../bytes-query.ts';
import type { Dates } from '../dates.ts';
import { drained } from '../drained.ts';
import { answerPast } from '../error-pages.ts';
import { pageOf } from '../page-context.ts';
import { askedText } from '../query.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { historyPath, idOf, taskPath } from '../task-path.ts';
import { taskOf } from './edit-task.ts';

interface VersionFilesView {
  readonly taskName: string;
  readonly taskPath: string;
  readonly versionsPath: string;
  readonly heading: string;
  readonly date: string;
  readonly isPinned: boolean;
  /** Empty for a complete run. */
  readonly note: string;
  /** From the top to this folder. */
  readonly way: readonly { readonly name: string; readonly path: string }[];
  readonly folders: readonly { readonly name: string; readonly path: string }[];
  readonly files: readonly PastFileRow[];
  readonly first: string | undefined;
  readonly next: string | undefined;
}

interface PastFileRow {
  readonly name: string;
  /** Every content that it has had. */
  readonly historyPath: string;
  readonly size: string;
  /** Empty where the server did not tell. */
  readonly modified: string;
  readonly isNew: boolean;
  /** What became of it; empty where it is there. */
  readonly note: string;
  /** undefined where there is nothing to give. */
  readonly path: string | undefined;
}

/** One folder of a version. */
export function showVersionFiles(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { text, dates } = pageOf(res);
    const run = idOf(req.params['run']) ?? 0;
    const folder = askedFolder(req);
    const after = askedBytes(req, 'after');
    const cursor = { kind: askedText(req, 'from') === 'file' ? 'file' : 'folder', after } as const;
    const shown = showPastFolder({ stateDir: services.stateDir, stateKey: task.stateKey }, run, folder, cursor);
    if (typeof shown === 'string') {
      await answerPast(req, res, shown, taskPath(task));
      return;
    }
    const view = buildVersionFiles(task, shown, { folder, isFirst: after === '' }, text, dates);
    await render(res, 'version-files', view, { title: `${view.heading} – ${task.name}`, menu: 'tasks' });
  };
}

/** One file of a version, to be kept: never shown by the browser, whatever it is. */
export function downloadVersionFile(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const run = idOf(req.params['run']) ?? 0;
    const past = { stateDir: services.stateDir, stateKey: task.stateKey };
    const found = findPastFile(past, run, askedBytes(req, 'path'));
    if (typeof found === 'string') {
      await answerPast(req, res, found, taskPath(task));
      return;
    }
    await sendPastOr404(req, res, task, found);
  };
}

/** Sends the file, or says that its content is not there any more. */
export async function sendPastOr404(
  req: Request,
  res: Response,
  task: StoredTask,
  { file, name }: { readonly file: PastFile; readonly name: string },
): Promise<void> {
  try {
    await sendPast(res, task.settings?.target.folder ?? '', file, name);
  } catch (error) {
    // Half a file must not look like a whole one: the length was told, and the connection is cut.
    if (res.headersSent || !isBackupError(error, 'version-unreadable')) throw error;
    await answerPast(req, res, 'unreadable', taskPath(task));
  }
}

async function sendPast(res: Response, targetFolder: string, file: PastFile, name: string): Promise<void> {
  const chunks = readPast(targetFolder, file)[Symbol.asyncIterator]();
  try {
    // Before the first piece is there, or is known to be all, nothing is promised.
    let piece = await chunks.next();
    res.attachment(name).type('application/octet-stream');
    res.setHeader('Content-Length', file.sizeBytes);
    res.setHeader('Cache-Control', 'private, no-store');
    for (; piece.done !== true && !res.destroyed; piece = await chunks.next()) {
      if (!res.write(piece.value)) await drained(res);
    }
    res.end();
  } finally {
    await chunks.return?.();
  }
}

/** An absolute path; the top where none was asked for. */
function askedFolder(req: Request): string {
  return `/${askedBytes(req, 'path')
    .split('/')
    .filter((part) => part !== '')
    .join('/')}`;
}

export function buildVersionFiles(
  task: { readonly id: number; readonly name: string },
  shown: PastFolderPage,
  asked: { readonly folder: string; readonly isFirst: boolean },
  text: Text,
  dates: Pick<Dates, 'when'>,
): VersionFilesView {
  const { point, next } = shown;
  const path = `${taskPath(task)}/versions/${point.runId}`;
  const folderPath = (folder: string): string => (folder === '/' ? path : `${path}?path=${queryBytes(folder)}`);
  const when = dates.when(point.startedMs);
  const here = `${path}?path=${queryBytes(asked.folder)}`;
  return {
    taskName: task.name,
    taskPath: taskPath(task),
    versionsPath: `${taskPath(task)}/versions`,
    heading: text.t('vs.of', { when }),
    date: when,
    isPinned: point.isPinned,
    note: point.outcome === 'complete' ? '' : text.t(`versions.run-${point.outcome}`),
    way: [{ name: text.t('vs.top'), path }, ...shown.way.map((part) => ({ ...part, path: folderPath(part.path) }))],
    folders: shown.folders.map((folder) => ({ name: folder.name, path: folderPath(folder.path) })),
    files: shown.files.map(({ file, name }) => ({
      name,
      historyPath: historyPath(task.id, file.path),
      size: text.bytes(file.sizeBytes),
      modified: file.modifiedMs === undefined ? '' : dates.when(file.modifiedMs),
      isNew: file.sinceRun === point.runId,
      note: file.state === 'there' ? '' : text.t(`versions.file-${file.state}`),
      path: file.state === 'there' ? `${path}/file?path=${queryBytes(file.path)}` : undefined,
    })),
    first: asked.isFirst ? undefined : folderPath(asked.folder),
    next: next === undefined ? undefined : `${here}&from=${next.kind}&after=${queryBytes(next.after)}`,
  };
}
