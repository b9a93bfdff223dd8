import { openSource } from '../remote/open-source.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { checkSource, type CheckStep } from '../tasks/check-source.ts';
import { checkLines } from './check-lines.ts';
import type { CommandContext } from './command-context.ts';
import type { CheckCommand } from './options.ts';
import { printable } from './printable.ts';
import { EXIT_CODES } from './report-lines.ts';

/** Tests the connection of a task and shows each step as it ends. Gives the exit code. */
export async function runCheck(
  command: CheckCommand,
  settings: TaskSettings,
  context: CommandContext,
): Promise<number> {
  const { text, clock, signal, stdout } = context;
  const source = openSource(settings.source, { clock });
  if (!command.isJson) stdout.write(`${printable(source.label)}\n\n`);
  const steps: CheckStep[] = [];
  for await (const step of checkSource(settings.source, { source, clock, signal })) {
    steps.push(step);
    if (!command.isJson) stdout.write(`${checkLines(step, text).join('\n')}\n`);
  }
  const failed = steps.find((step) => step.state === 'failed');
  // A listing that came and was not whole is no broken connection.
  const isHalf = failed?.step === 'listing' && failed.code.startsWith('listing-');
  const outcome = failed === undefined ? 'complete' : isHalf ? 'incomplete' : 'failed';
  if (command.isJson) stdout.write(`${JSON.stringify({ outcome, steps })}\n`);
  else
    stdout.write(`\n${text.t({ complete: 'check.good', incomplete: 'check.half', failed: 'check.bad' }[outcome])}\n`);
  return EXIT_CODES[outcome];
}
