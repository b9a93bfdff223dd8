import type { LogLevel } from '../../log.ts';
import type { StoredOutcome } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { momentWords } from '../exact-times.ts';
import type { LogLine } from '../log-reader.ts';
import { outcomeState } from './task-state.ts';

/** One line of the log as a page shows it. */
export interface LogLineView {
  readonly id: string;
  readonly atMs: number;
  readonly time: string;
  readonly full: string;
  readonly level: LogLevel;
  readonly levelWords: string;
  readonly icon: string;
  readonly taskId: number | undefined;
  readonly taskName: string;
  readonly runId: number | undefined;
  readonly words: string;
  /** What the line says beside its words: raw fields, bounded. */
  readonly detail: string;
}

const DETAIL_LENGTH_MAX = 2000;

const ICONS: Readonly<Record<LogLevel, string>> = { debug: 'info', info: 'info', warn: 'warning', error: 'error' };

export function buildLogLine(
  line: LogLine,
  taskNames: ReadonlyMap<number, string>,
  text: Text,
  dates: Dates,
): LogLineView {
  const facts = Object.fromEntries(line.fields);
  const code = facts['code'];
  const key = [`logline.${line.event}`, `notice.${line.event}`].find(text.has);
  // The words name path and cause; what they have said need not be said again.
  const hasWords = key !== undefined;
  const cause = code !== undefined && text.has(`short.${code}`) ? text.t(`short.${code}`) : code;
  const state = `st.${outcomeState(facts['outcome'] as StoredOutcome)}`;
  const outcome = text.has(state) ? text.t(state) : facts['outcome'];
  const said = key?.startsWith('logline.') === true ? ['path', 'code', 'outcome'] : [];
  const rest = line.fields.filter(([name]) => !said.includes(name)).map(([name, value]) => `${name}=${value}`);
  return {
    id: line.id,
    atMs: line.atMs,
    time: momentWords(line.atMs, text.language, dates.timeZone),
    full: dates.full(line.atMs),
    level: line.level,
    levelWords: text.t(`log.level.${line.level}`),
    icon: ICONS[line.level],
    taskId: line.taskId,
    taskName: line.taskId === undefined ? '' : (taskNames.get(line.taskId) ?? `#${line.taskId}`),
    runId: line.runId,
    words: hasWords ? text.t(key, { ...facts, cause, outcome }) : line.event,
    detail: rest.join('  ').slice(0, DETAIL_LENGTH_MAX),
  };
}
