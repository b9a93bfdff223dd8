import { resolve } from 'node:path';
import { findingWords } from '../settings/guard-finding.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import type { Hold } from '../state/hold-store.ts';
import { decideHold, readNewestHold } from '../state/task-hold.ts';
import { accountName } from '../text.ts';
import type { CommandContext } from './command-context.ts';
import type { DecideCommand, HeldCommand } from './options.ts';
import { printable } from './printable.ts';
import { EXIT_CODES } from './report-lines.ts';

/** Shows what waits for a decision, with its numbers and examples. Gives `held`'s exit code where something does. */
export function runHeld(command: HeldCommand, settings: TaskSettings, context: CommandContext): number {
  const { stdout, text } = context;
  const newest = readNewestHold(resolve(command.stateDir), settings.name);
  const open = newest?.decision === 'open' ? newest : undefined;
  if (command.isJson) stdout.write(`${JSON.stringify({ held: open ?? false })}\n`);
  else if (open === undefined) stdout.write(`${text.t('held.none')}\n`);
  else stdout.write(`${heldLines(open, command, context).map(printable).join('\n')}\n`);
  return open === undefined ? EXIT_CODES.complete : EXIT_CODES.held;
}

/** Writes down the decision; the next run acts on it. */
export function runDecide(command: DecideCommand, settings: TaskSettings, context: CommandContext): number {
  const { stdout, stderr, text, clock } = context;
  const stateDir = resolve(command.stateDir);
  const newest = readNewestHold(stateDir, settings.name);
  const decided = { atMs: clock.nowMs(), by: accountName() };
  const isDecided =
    newest?.decision === 'open' && decideHold(stateDir, settings.name, newest.runId, command.decision, decided);
  if (!isDecided) {
    stderr.write(`${text.t('held.none')}\n`);
    return EXIT_CODES.failed;
  }
  stdout.write(`${text.t(`held.${command.decision}`)}\n`);
  return EXIT_CODES.complete;
}

function heldLines(hold: Hold, command: HeldCommand, { text }: CommandContext): string[] {
  const when = new Date(hold.atMs).toISOString().slice(0, 16).replace('T', ' ');
  const lines = [text.t('held.heading', { when: `${when} UTC` }), ''];
  for (const finding of hold.findings) {
    lines.push(`  ${findingWords(finding, text)}`, ...finding.examples.map((path) => `      ${path}`));
  }
  if (hold.folders.length > 0) lines.push('');
  for (const { path, before, now } of hold.folders) lines.push(`  ${text.t('held.folder', { path, before, now })}`);
  lines.push('', `  ${text.t('held.kept-safe')}`, '');
  const places = { task: command.taskFile, state: command.stateDir };
  lines.push(...text.t('held.decide', places).split('\n'));
  return lines;
}
