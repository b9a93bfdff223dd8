import type { Request, RequestHandler } from 'express';
import type { ContentKey } from '../../state/version-tree.ts';
import { findContent, showFileHistory as readFileHistory } from '../../tasks/past-trees.ts';
import type { FileHistoryPage } from '../../tasks/past-trees.ts';
import type { Text } from '../../text.ts';
import { askedBytes } from '../bytes-query.ts';
import type { Dates } from '../dates.ts';
import { answerPast } from '../error-pages.ts';
import { pageOf } from '../page-context.ts';
import { askedText } from '../query.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { contentPath, historyPath, taskPath } from '../task-path.ts';
import { taskOf } from './edit-task.ts';
import { sendPastOr404 } from './version-files.ts';

interface OtherName {
  readonly words: string;
  readonly name: string;
  readonly path: string;
}

interface ContentRow {
  readonly since: string;
  /** The page of the run that brought it under this name; undefined where that is no longer there. */
  readonly sincePath: string | undefined;
  readonly isNow: boolean;
  readonly isPinned: boolean;
  /** Until when, and why it ended. */
  readonly ended: string;
  readonly endedPath: string | undefined;
  readonly movedTo: OtherName | undefined;
  readonly movedFrom: OtherName | undefined;
  readonly size: string;
  readonly modified: string;
  /** What became of it; empty where it is there. */
  readonly note: string;
  readonly downloadPath: string | undefined;
  readonly downloadWords: string;
  readonly deletePath: string | undefined;
  readonly deleteWords: string;
}

interface FileHistoryView {
  readonly taskName: string;
  readonly taskPath: string;
  readonly name: string;
  readonly path: string;
  readonly rows: readonly ContentRow[];
  readonly newest: string | undefined;
  readonly older: string | undefined;
}

/** Every content that one file has had. */
export function showFileHistory(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { text, dates } = pageOf(res);
    const of = { stateDir: services.stateDir, stateKey: task.stateKey };
    const after = askedKey(req, 'after');
    for (const path of askedPaths(req)) {
      const found = readFileHistory(of, path, after);
      if (found === undefined) continue;
      const runIds = services.runs.idsOfLocal(task.id, [...found.runs.keys()]);
      const view = buildFileHistory(task, { path, found, runIds, isFirst: after === undefined }, text, dates);
      await render(res, 'file-history', view, { title: `${view.name} – ${task.name}`, menu: 'tasks' });
      return;
    }
    await answerPast(req, res, 'no-history', taskPath(task));
  };
}

/** One of them, to be kept: never shown by the browser, whatever it is. */
export function downloadContent(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const of = { stateDir: services.stateDir, stateKey: task.stateKey };
    const content = findContent(of, askedBytes(req, 'path'), askedKey(req, 'version'));
    if (content === undefined) await answerPast(req, res, 'no-history', taskPath(task));
    else await sendPastOr404(req, res, task, content);
  };
}

/** `12-345`: the content that run 12 has ended, row 345. undefined where it is not there. */
export function askedKey(req: Request, name: string): ContentKey | undefined {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(askedText(req, name));
  return match === null ? undefined : { untilRun: Number(match[1]), rowId: Number(match[2]) };
}

/** The path as it was given, and, where it was typed or comes from a run's notes, in the other encoding that sites have. */
function askedPaths(req: Request): string[] {
  const bytes = askedBytes(req, 'path');
  const decoded = Buffer.from(bytes, 'latin1').toString('utf8');
  return /[^\0-\xff]/.test(decoded) || decoded === bytes ? [bytes] : [bytes, decoded];
}

export function buildFileHistory(
  task: { readonly id: number; readonly name: string },
  shown: {
    readonly path: string;
    readonly found: FileHistoryPage;
    /** The application's number of a run by the task's own. */
    readonly runIds: ReadonlyMap<number, number>;
    readonly isFirst: boolean;
  },
  text: Text,
  dates: Pick<Dates, 'when' | 'inWords'>,
): FileHistoryView {
  const { path, found, runIds, isFirst } = shown;
  const runPath = (runId: number | undefined): string | undefined => {
    const id = runIds.get(runId ?? 0);
    return id === undefined ? undefined : `/runs/${id}`;
  };
  const timeOf = (runId: number, words: (atMs: number) => string): string => {
    const atMs = found.runs.get(runId);
    return atMs === undefined ? text.t('fh.run', { n: runId }) : words(atMs);
  };
  const otherName = (key: string, name: string, other: string | undefined): OtherName | undefined =>
    other === undefined ? undefined : { words: text.t(key), name, path: historyPath(task.id, other) };
  const rows = found.contents.map((content): ContentRow => {
    const { file, key, reason, holder, isPinned } = content;
    const since = timeOf(file.sinceRun, dates.when);
    const canGo = holder !== undefined && ['there', 'altered', 'deleting'].includes(file.state);
    return {
      since,
      sincePath: runPath(file.sinceRun),
      isNow: key === undefined,
      isPinned,
      ended:
        file.untilRun === undefined || reason === undefined
          ? text.t('fh.now')
          : text.t(`fh.until.${reason}`, { when: timeOf(file.untilRun, dates.inWords) }),
      endedPath: runPath(file.untilRun),
      movedTo: otherName('fh.to', content.movedToName, content.movedTo),
      movedFrom: otherName('fh.came', content.movedFromName, content.movedFrom),
      size: text.bytes(file.sizeBytes),
      modified: file.modifiedMs === undefined ? '' : dates.when(file.modifiedMs),
      note: file.state === 'there' ? '' : text.t(`versions.file-${file.state}`),
      downloadPath: file.state === 'there' ? contentPath(task.id, path, key, 'content') : undefined,
      downloadWords: text.t('fh.download', { when: since }),
      deletePath: canGo && key !== undefined ? contentPath(task.id, path, key, 'delete') : undefined,
      deleteWords: text.t('fh.delete', { when: since }),
    };
  });
  const here = historyPath(task.id, path);
  return {
    taskName: task.name,
    taskPath: taskPath(task),
    name: found.name,
    path: found.shownPath,
    rows,
    newest: isFirst ? undefined : here,
    older: found.next === undefined ? undefined : `${here}&after=${found.next.untilRun}-${found.next.rowId}`,
  };
}
