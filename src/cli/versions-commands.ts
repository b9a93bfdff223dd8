import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { prune, simulatePrune } from '../engine/prune.ts';
import type { PruneTotals } from '../engine/prune.ts';
import { readPastFile } from '../engine/read-past-file.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import { Target } from '../local/target.ts';
import { silentLog } from '../log.ts';
import { nameOf } from '../paths.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { openPastReading } from '../state/past-reading.ts';
import { RestorePoints } from '../state/restore-points.ts';
import type { RestorePoint } from '../state/restore-points.ts';
import { openTaskDatabase, openTaskDatabaseForCare } from '../state/task-database.ts';
import { VersionTree } from '../state/version-tree.ts';
import type { PastFile } from '../state/version-tree.ts';
import type { CommandContext } from './command-context.ts';
import type { GetCommand, PinCommand, PruneCommand, TreeCommand, VersionsCommand } from './options.ts';
import { isoTime, printable } from './printable.ts';
import { readPast, refuse, treeOf } from './read-past.ts';
import { remotePath } from './remote-path.ts';
import { EXIT_CODES } from './report-lines.ts';

/** Rows read at a time. */
const PAGE = 500;

/** Lists the versions that can be gone back to, the newest first. */
export function runVersions(command: VersionsCommand, settings: TaskSettings, context: CommandContext): number {
  return readPast(command, settings, context, ({ db }) => {
    const points = new RestorePoints(db);
    for (let before = Number.MAX_SAFE_INTEGER; ;) {
      const page = points.list(before, PAGE);
      for (const point of page) context.stdout.write(`${pointLine(point, command.isJson, context)}\n`);
      const last = page.at(-1);
      if (last === undefined) return EXIT_CODES.complete;
      before = last.runId;
    }
  });
}

/** Lists one folder as a run left it. */
export function runTree(command: TreeCommand, settings: TaskSettings, context: CommandContext): number {
  return readPast(command, settings, context, ({ db }) => {
    const { stdout } = context;
    const run = treeOf(db, command.run, context);
    if (run === undefined) return EXIT_CODES.failed;
    const tree = new VersionTree(db);
    const folder = remotePath(command.folder);
    if (!tree.hasFolder(run, folder)) return refuse(context, 'versions.no-folder', { path: command.folder });
    for (let after = ''; ;) {
      const page = tree.folders(run, folder, after, PAGE);
      for (const path of page) {
        const name = decodeRemoteName(nameOf(path));
        const line = command.isJson ? JSON.stringify({ name, type: 'folder' }) : `${' '.repeat(35)}${name}/`;
        stdout.write(`${printable(line)}\n`);
      }
      const last = page.at(-1);
      if (last === undefined) break;
      after = last;
    }
    for (let after = ''; ;) {
      const page = tree.files(run, folder, after, PAGE);
      for (const file of page) stdout.write(`${printable(fileLine(file, command.isJson, context))}\n`);
      const last = page.at(-1);
      if (last === undefined) return EXIT_CODES.complete;
      after = nameOf(last.path);
    }
  });
}

/** Writes one file as a run left it to `command.output`, whole or not at all; what lies there already stays. */
export async function runGet(command: GetCommand, settings: TaskSettings, context: CommandContext): Promise<number> {
  const past = openPastReading(resolve(command.stateDir), settings.name);
  if (past === undefined) return refuse(context, 'versions.none');
  try {
    const run = treeOf(past.db, command.run, context);
    if (run === undefined) return EXIT_CODES.failed;
    const file = new VersionTree(past.db).file(run, remotePath(command.path));
    if (file === undefined) return refuse(context, 'versions.no-file', { path: command.path });
    const output = resolve(command.output);
    // `wx`: neither a file nor a link that lies there is written to.
    const sink = createWriteStream(output, { flags: 'wx' });
    try {
      await once(sink, 'open');
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? 'unknown';
      return refuse(context, 'versions.no-output', { path: command.output, reason });
    }
    try {
      await readPastFile(settings.target.folder, file, sink);
    } catch (error) {
      await unlink(output).catch(() => undefined);
      throw error;
    }
    return EXIT_CODES.complete;
  } finally {
    past.close();
  }
}

/** Prunes by the task's rules now, or says what would go. */
export async function runPrune(
  command: PruneCommand,
  settings: TaskSettings,
  context: CommandContext,
): Promise<number> {
  const { clock } = context;
  if (command.isDryRun) {
    return readPast(command, settings, context, ({ db }) => {
      showPrune(simulatePrune(db, settings, clock.nowMs()), command, context);
      return EXIT_CODES.complete;
    });
  }
  const database = openTaskDatabaseForCare(resolve(command.stateDir), settings.name);
  try {
    const { db, marker } = database;
    const target = await Target.open({ folder: settings.target.folder, marker, isKnown: true });
    const rules = { versions: settings.versions, deletion: settings.deletion };
    const options = { database: db, target, rules, nowMs: clock.nowMs(), log: silentLog, onPoint: () => undefined };
    showPrune(await prune(options), command, context);
    return EXIT_CODES.complete;
  } finally {
    database.close();
  }
}

/** Pins a version, so that it is never pruned, or lets it go again. */
export function runPin(command: PinCommand, settings: TaskSettings, context: CommandContext): number {
  const database = openTaskDatabase(resolve(command.stateDir), settings.name);
  try {
    const point = new RestorePoints(database.db).of(command.run);
    if (typeof point === 'string') return refuse(context, `versions.${point}`, { run: command.run });
    new RestorePoints(database.db).setPinned(point.runId, command.name === 'pin');
    context.stdout.write(`${context.text.t(`versions.${command.name}`, { run: point.runId })}\n`);
    return EXIT_CODES.complete;
  } finally {
    database.close();
  }
}

function pointLine(point: RestorePoint, isJson: boolean, { text }: CommandContext): string {
  const { runId, startedMs, endedMs, outcome, isPinned } = point;
  if (isJson) return JSON.stringify({ run: runId, startedMs, endedMs, outcome, isPinned });
  const pinned = isPinned ? `  ${text.t('versions.pinned')}` : '';
  return printable(
    `${String(runId).padStart(6)}  ${isoTime(startedMs)}  ${text.t(`versions.run-${outcome}`)}${pinned}`,
  );
}

function fileLine(file: PastFile, isJson: boolean, { text }: CommandContext): string {
  const name = decodeRemoteName(nameOf(file.path));
  if (isJson) {
    const { sizeBytes, modifiedMs, sinceRun, untilRun, state } = file;
    const sha256 = file.sha256.toString('hex');
    return JSON.stringify({ name, type: 'file', sizeBytes, modifiedMs, sha256, sinceRun, untilRun, state });
  }
  const time = file.modifiedMs === undefined ? '' : isoTime(file.modifiedMs);
  const state = file.state === 'there' ? '' : `  (${text.t(`versions.file-${file.state}`)})`;
  return `${text.bytes(file.sizeBytes).padStart(12)}  ${time.padEnd(19)}  ${name}${state}`;
}

function showPrune(totals: PruneTotals, command: PruneCommand, context: CommandContext): void {
  const { stdout, text } = context;
  const { points, pruned, expired } = totals;
  if (command.isJson) {
    stdout.write(`${JSON.stringify({ runs: points.map(({ runId }) => runId), pruned, expired })}\n`);
    return;
  }
  for (const point of points) stdout.write(`${pointLine(point, false, context)}\n`);
  stdout.write(
    `${text.t(command.isDryRun ? 'versions.would-prune' : 'versions.has-pruned', {
      versions: points.length,
      files: text.t('count.files', { count: pruned.files + expired.files }),
      bytes: text.bytes(pruned.bytes + expired.bytes),
    })}\n`,
  );
}
