#!/usr/bin/env node
import { systemClock } from './clock.ts';
import { runAdopt } from './cli/adopt-command.ts';
import { runCheck } from './cli/check-command.ts';
import { sourceFacts, type CommandContext } from './cli/command-context.ts';
import { runList } from './cli/list-command.ts';
import { runDecide, runHeld } from './cli/held-command.ts';
import { readArguments, type Command } from './cli/options.ts';
import { faultLines, readTask } from './cli/read-task.ts';
import { EXIT_CODES, EXIT_WRONG_USAGE, explain } from './cli/report-lines.ts';
import { runRun } from './cli/run-command.ts';
import { runVerify } from './cli/verify-command.ts';
import { runDelete } from './cli/delete-command.ts';
import { runHistory } from './cli/history-command.ts';
import { runGet, runPin, runPrune, runTree, runVersions } from './cli/versions-commands.ts';
import { isBackupError } from './errors.ts';
import { programVersion } from './program-files.ts';
import type { TaskSettings } from './settings/task-settings.ts';
import { createText, type TextFacts } from './text.ts';

const { language, invocation } = readArguments(process.argv.slice(2), process.env);
const text = createText(language);

switch (invocation.kind) {
  case 'help':
    process.stdout.write(`${text.t(`help.${invocation.about}`)}\n`);
    break;
  case 'version':
    process.stdout.write(`${programVersion()}\n`);
    break;
  case 'wrong-usage':
    process.stderr.write(`${text.t(invocation.key, invocation.facts)}\n${text.t('usage.help-hint')}\n`);
    process.exitCode = EXIT_WRONG_USAGE;
    break;
  case 'command':
    process.exitCode = await perform(invocation.command);
    break;
}

async function perform(command: Command): Promise<number> {
  const task = readTask(command.taskFile, process.env);
  if ('faults' in task) {
    process.stderr.write(`${faultLines(command.taskFile, task.faults, text).join('\n')}\n`);
    return EXIT_WRONG_USAGE;
  }
  const context: CommandContext = {
    text,
    clock: systemClock,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: signalOfInterrupts(),
  };
  ignoreClosedPipes();
  try {
    return await performWith(command, task.settings, context);
  } catch (error) {
    return explainError(error, sourceFacts(task.settings.source), task.settings.source.password.reveal());
  }
}

function performWith(command: Command, settings: TaskSettings, context: CommandContext): number | Promise<number> {
  switch (command.name) {
    case 'run':
      return runRun(command, settings, context);
    case 'list':
      return runList(command, settings, context);
    case 'check':
      return runCheck(command, settings, context);
    case 'held':
      return runHeld(command, settings, context);
    case 'decide':
      return runDecide(command, settings, context);
    case 'adopt':
      return runAdopt(command, settings, context);
    case 'versions':
      return runVersions(command, settings, context);
    case 'tree':
      return runTree(command, settings, context);
    case 'get':
      return runGet(command, settings, context);
    case 'history':
      return runHistory(command, settings, context);
    case 'delete':
      return runDelete(command, settings, context);
    case 'prune':
      return runPrune(command, settings, context);
    case 'verify':
      return runVerify(command, settings, context);
    case 'pin':
    case 'unpin':
      return runPin(command, settings, context);
  }
}

/** An error that ended a command: in words where it is expected, with its stack where it is a bug. */
function explainError(error: unknown, facts: TextFacts, password: string): number {
  if (isBackupError(error)) {
    process.stderr.write(`${explain(error.code, { ...facts, ...error.facts }, error.detail, text).join('\n')}\n`);
    return error.code === 'cancelled' ? EXIT_CODES.cancelled : EXIT_CODES.failed;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const shown = password.length < 4 ? stack : stack.replaceAll(password, '[secret]');
  process.stderr.write(`${text.t('crash')}\n${shown}\n`);
  return EXIT_CODES.failed;
}

/** The first Ctrl-C asks for a stop, the second one ends the process. */
function signalOfInterrupts(): AbortSignal {
  const controller = new AbortController();
  const onInterrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.cancelled);
    controller.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onInterrupt);
  return controller.signal;
}

/** Where the reader of our output has gone (`| head`), the run still goes on. */
function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
