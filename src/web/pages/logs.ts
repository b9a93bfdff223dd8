import type { Request, RequestHandler } from 'express';
import type { LogLevel } from '../../log.ts';
import type { StoredTask } from '../../state/task-store.ts';
import { drained } from '../drained.ts';
import { dayStartMs } from '../exact-times.ts';
import { allLogLines, readLogPage } from '../log-reader.ts';
import type { LogFilter, LogLine, LogPage } from '../log-reader.ts';
import { pageOf } from '../page-context.ts';
import type { PageContext } from '../page-context.ts';
import { askedText, pathWith } from '../query.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { idOf } from '../task-path.ts';
import { buildLogLine } from './log-words.ts';
import type { LogLineView } from './log-words.ts';

/** Lines on one page. */
const LINES_PAGE = 200;
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const FOLLOW_SECONDS = 3;

export interface LogsView {
  readonly lines: readonly LogLineView[];
  readonly isGone: boolean;
  readonly levels: readonly { readonly value: string; readonly words: string; readonly isChosen: boolean }[];
  readonly tasks: readonly { readonly value: number; readonly words: string; readonly isChosen: boolean }[];
  readonly from: string;
  readonly words: string;
  readonly newest: string | undefined;
  readonly older: string | undefined;
  readonly download: string;
  readonly follow: { readonly isOn: boolean; readonly path: string; readonly seconds: number };
  readonly zone: string;
}

/** What the service and its runs have written down. */
export function showLogs(services: Services): RequestHandler {
  return async (req, res) => {
    const page = pageOf(res);
    const tasks = services.tasks.list();
    const before = askedText(req, 'after') || undefined;
    const found = await readLogPage(services.logFile, logFilter(req, page.timeZone), before, LINES_PAGE);
    const view = buildLogs(found, tasks, req, page);
    await render(res, 'logs', { view }, { title: page.t('nav.log'), menu: 'log', scripts: ['live.js'] });
  };
}

/** The same lines as plain text, all of them. */
export function downloadLogs(services: Services): RequestHandler {
  return async (req, res) => {
    res.type('text/plain; charset=utf-8').attachment('site-backup-log.txt');
    for await (const line of allLogLines(services.logFile, logFilter(req, pageOf(res).timeZone))) {
      if (res.destroyed) return;
      if (!res.write(`${plainLine(line)}\n`)) await drained(res);
    }
    res.end();
  };
}

function plainLine({ atMs, level, event, taskId, runId, fields }: LogLine): string {
  const own: (readonly [string, string | undefined])[] = [
    ['task', taskId?.toString()],
    ['run', runId?.toString()],
  ];
  const rest = [...own, ...fields].filter(([, value]) => value !== undefined);
  const words = rest.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(' ');
  return `${new Date(atMs).toISOString()} ${level.toUpperCase().padEnd(5)} ${event} ${words}`.trimEnd();
}

function logFilter(req: Request, timeZone: string): LogFilter {
  return {
    level: LEVELS.find((known) => known === askedText(req, 'level')),
    taskId: idOf(req.query['task']),
    words: askedText(req, 'q') || undefined,
    sinceMs: dayStartMs(askedText(req, 'from'), timeZone),
  };
}

export function buildLogs(found: LogPage, tasks: readonly StoredTask[], req: Request, page: PageContext): LogsView {
  const { text, dates } = page;
  const names = new Map(tasks.map((task) => [task.id, task.name]));
  const isFollowed = askedText(req, 'follow') === '1';
  const filter = Object.fromEntries(['level', 'task', 'from', 'q'].map((name) => [name, askedText(req, name)]));
  const isFirst = askedText(req, 'after') === '';
  return {
    lines: found.lines.map((line) => buildLogLine(line, names, text, dates)),
    isGone: found.isGone,
    levels: ['', ...LEVELS].map((level) => ({
      value: level,
      words: text.t(level === '' ? 'log.level.all' : `log.level.${level}`),
      isChosen: filter['level'] === level,
    })),
    tasks: tasks.map((task) => ({ value: task.id, words: task.name, isChosen: filter['task'] === String(task.id) })),
    from: filter['from'] ?? '',
    words: filter['q'] ?? '',
    newest: isFirst ? undefined : pathWith('/logs', filter),
    older: found.next === undefined ? undefined : pathWith('/logs', { ...filter, after: found.next }),
    download: pathWith('/logs.txt', filter),
    follow: {
      isOn: isFollowed && isFirst,
      path: pathWith('/logs', { ...filter, follow: isFollowed ? '' : '1' }),
      seconds: FOLLOW_SECONDS,
    },
    zone: dates.timeZone,
  };
}
