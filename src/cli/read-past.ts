import { resolve } from 'node:path';
import type { TaskSettings } from '../settings/task-settings.ts';
import { openPastReading } from '../state/past-reading.ts';
import type { PastReading } from '../state/past-reading.ts';
import { RestorePoints } from '../state/restore-points.ts';
import type { CommandContext } from './command-context.ts';
import { printable } from './printable.ts';
import { EXIT_CODES } from './report-lines.ts';

/** Reads what the task's runs have left; says so where there is nothing. */
export function readPast(
  command: { readonly stateDir: string },
  settings: TaskSettings,
  context: CommandContext,
  work: (past: PastReading) => number,
): number {
  const past = openPastReading(resolve(command.stateDir), settings.name);
  if (past === undefined) return refuse(context, 'versions.none');
  try {
    // All of it as it was when it was begun, whatever a prune does meanwhile.
    return past.db.transaction(() => work(past))();
  } finally {
    past.close();
  }
}

/** The run whose tree is meant; undefined, and said why, where there is none. */
export function treeOf(db: PastReading['db'], run: number, context: CommandContext): number | undefined {
  const point = new RestorePoints(db).of(run);
  if (typeof point !== 'string') return point.runId;
  refuse(context, `versions.${point}`, { run });
  return undefined;
}

/** Says why nothing is done. */
export function refuse(
  { stderr, text }: CommandContext,
  key: string,
  facts: Record<string, string | number> = {},
): number {
  stderr.write(`${printable(text.t(key, facts))}\n`);
  return EXIT_CODES.failed;
}
