import { decodeRemoteName } from '../local/local-name.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { RestorePoints } from '../state/restore-points.ts';
import { VersionTree } from '../state/version-tree.ts';
import type { ContentKey, PathContent } from '../state/version-tree.ts';
import type { CommandContext } from './command-context.ts';
import type { HistoryCommand } from './options.ts';
import { isoTime, printable } from './printable.ts';
import { readPast, refuse } from './read-past.ts';
import { remotePath } from './remote-path.ts';
import { EXIT_CODES } from './report-lines.ts';

/** Contents read at a time. */
const PAGE = 500;

/** Lists every content that one file has had, the newest first. */
export function runHistory(command: HistoryCommand, settings: TaskSettings, context: CommandContext): number {
  const path = remotePath(command.path);
  return readPast(command, settings, context, ({ db }) => {
    const tree = new VersionTree(db);
    const points = new RestorePoints(db);
    let last: ContentKey | undefined;
    for (let isFirst = true; ; isFirst = false) {
      const page = tree.history(path, PAGE, last);
      if (isFirst && page.length === 0) return refuse(context, 'versions.no-history', { path: command.path });
      for (const content of page) {
        context.stdout.write(`${printable(contentLine(content, points, command.isJson, context))}\n`);
      }
      last = page.at(-1)?.key;
      if (last === undefined || page.length < PAGE) return EXIT_CODES.complete;
    }
  });
}

function contentLine(content: PathContent, points: RestorePoints, isJson: boolean, { text }: CommandContext): string {
  const { file, reason, movedTo, movedFrom, holder } = content;
  const { sizeBytes, modifiedMs, sinceRun, untilRun, state } = file;
  const isPinned = holder !== undefined && points.showing(holder.contentRun, holder.untilRun).isAnyPinned;
  const names = {
    movedTo: movedTo === undefined ? undefined : decodeRemoteName(movedTo),
    movedFrom: movedFrom === undefined ? undefined : decodeRemoteName(movedFrom),
  };
  if (isJson) {
    const sha256 = file.sha256.toString('hex');
    return JSON.stringify({ sinceRun, untilRun, reason, ...names, sizeBytes, modifiedMs, sha256, state, isPinned });
  }
  const notes = [
    reason === undefined ? text.t('fh.now') : text.t(`fh.ended.${reason}`, { path: names.movedTo }),
    names.movedFrom === undefined ? '' : text.t('fh.from', { path: names.movedFrom }),
    state === 'there' ? '' : text.t(`versions.file-${state}`),
    isPinned ? text.t('versions.pinned') : '',
  ].filter((note) => note !== '');
  const runs = `${String(sinceRun).padStart(6)} – ${untilRun === undefined ? '' : String(untilRun)}`.padEnd(16);
  const time = modifiedMs === undefined ? '' : isoTime(modifiedMs);
  return `${runs}${text.bytes(sizeBytes).padStart(12)}  ${time.padEnd(19)}  ${notes.join('; ')}`;
}
