import { resolve } from 'node:path';
import { deleteVersion, lookAtDeletion } from '../engine/delete-version.ts';
import type { DeletionWish, Loss } from '../engine/delete-version.ts';
import { createLog } from '../log.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { openPastReading } from '../state/past-reading.ts';
import { VersionTree } from '../state/version-tree.ts';
import { accountName } from '../text.ts';
import type { CommandContext } from './command-context.ts';
import type { DeleteCommand } from './options.ts';
import { isoTime, printable } from './printable.ts';
import { refuse, treeOf } from './read-past.ts';
import { remotePath } from './remote-path.ts';
import { EXIT_CODES } from './report-lines.ts';

/**
 * Says what would be lost with one content of a file, or with a whole version; with `--yes` deletes it. Gives `held`'s exit
 * code where it waits for that.
 */
export async function runDelete(
  command: DeleteCommand,
  settings: TaskSettings,
  context: CommandContext,
): Promise<number> {
  const { stdout, text, clock } = context;
  const stateDir = resolve(command.stateDir);
  const of = { stateDir, stateKey: settings.name };
  const wish = wishOf(command, of, context);
  if (wish === undefined) return EXIT_CODES.failed;
  const loss = lookAtDeletion(of, wish);
  if (typeof loss === 'string') return refuse(context, `del.why.${loss}`);
  if (!command.isConfirmed) {
    const lines = [...lossLines(loss, context), '', text.t('del.confirm')];
    stdout.write(command.isJson ? `${JSON.stringify(lossFacts(loss))}\n` : `${lines.map(printable).join('\n')}\n`);
    return EXIT_CODES.held;
  }
  const log = createLog({ to: { file: `${stateDir}/site-backup.log` }, redact: [settings.source.password.reveal()] });
  try {
    const task = { ...of, folder: settings.target.folder, wish, nowMs: clock.nowMs(), by: accountName() };
    const answer = await deleteVersion(task, log);
    if (typeof answer === 'string') return refuse(context, `del.why.${answer}`);
    stdout.write(command.isJson ? `${JSON.stringify(answer)}\n` : `${text.t('del.done', { bytes: answer.bytes })}\n`);
    return EXIT_CODES.complete;
  } finally {
    log.close();
  }
}

/** What is meant; undefined, and said why, where there is no such version or file. */
function wishOf(
  command: DeleteCommand,
  { stateDir, stateKey }: { readonly stateDir: string; readonly stateKey: string },
  context: CommandContext,
): DeletionWish | undefined {
  const past = openPastReading(stateDir, stateKey);
  if (past === undefined) {
    refuse(context, 'versions.none');
    return undefined;
  }
  try {
    const runId = treeOf(past.db, command.run, context);
    if (runId === undefined || command.path === undefined) {
      return runId === undefined ? undefined : { kind: 'point', runId };
    }
    const path = remotePath(command.path);
    const content = new VersionTree(past.db).contentOfRun(runId, path);
    if (content !== undefined) return { kind: 'content', path, key: content.key };
    refuse(context, 'versions.no-file', { path: command.path });
    return undefined;
  } finally {
    past.close();
  }
}

function lossLines(loss: Loss, { text }: CommandContext): string[] {
  if ('point' in loss) {
    const { point, only } = loss;
    const files = text.t('count.files', { count: only.files });
    return [
      text.t('del.point.h', { when: `${isoTime(point.startedMs)} UTC` }),
      `  ${only.files === 0 ? text.t('del.point.none') : text.t('del.point.only', { files, size: text.bytes(only.bytes) })}`,
      `  ${text.t('del.undo')}`,
    ];
  }
  const { file } = loss.content;
  return [
    text.t('del.content.h'),
    `  ${text.bytes(file.sizeBytes)}, SHA-256 ${file.sha256.toString('hex')}`,
    `  ${text.t('del.content.shown', { versions: text.t('count.versions', { count: loss.points.count }) })}`,
    `  ${text.t('del.elsewhere')}`,
    `  ${text.t('del.undo')}`,
  ];
}

function lossFacts(loss: Loss): object {
  if ('point' in loss) return { run: loss.point.runId, only: loss.only };
  const { sinceRun, untilRun, sizeBytes, sha256 } = loss.content.file;
  return { sinceRun, untilRun, sizeBytes, sha256: sha256.toString('hex'), versions: loss.points.count };
}
