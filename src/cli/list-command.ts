import { decodeRemoteName } from '../local/local-name.ts';
import { openSource } from '../remote/open-source.ts';
import type { RemoteEntry } from '../remote/remote.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import type { CommandContext } from './command-context.ts';
import type { ListCommand } from './options.ts';
import { isoTime, printable } from './printable.ts';
import { remotePath } from './remote-path.ts';
import { explain, EXIT_CODES } from './report-lines.ts';

/** Shows one folder as the server lists it, entries as they come, then whether it was seen whole. Gives the exit code. */
export async function runList(command: ListCommand, settings: TaskSettings, context: CommandContext): Promise<number> {
  const { text, clock, signal, stdout } = context;
  const folder = remotePath(command.folder);
  const session = await openSource(settings.source, { clock }).open(signal);
  const close = (): void => {
    session.close();
  };
  signal.addEventListener('abort', close, { once: true });
  const seen = { files: 0, folders: 0 };
  try {
    const listing = await session.list(folder, (entries) => {
      for (const entry of entries) {
        if (entry.type === 'file') seen.files++;
        if (entry.type === 'folder') seen.folders++;
        stdout.write(`${command.isJson ? JSON.stringify(entryJson(entry)) : entryLine(entry, context)}\n`);
      }
    });
    const { incomplete, rejected } = listing;
    const outcome = incomplete === undefined ? 'complete' : 'incomplete';
    if (command.isJson) {
      stdout.write(`${JSON.stringify({ outcome, ...seen, incomplete, rejected, reply: listing.reply })}\n`);
      return EXIT_CODES[outcome];
    }
    for (const { line, why } of rejected) {
      stdout.write(`${printable(text.t('list.rejected', { line: decodeRemoteName(line), why }))}\n`);
    }
    const summary = text.t(`list.${outcome}`, {
      folder: command.folder,
      files: text.t('count.files', { count: seen.files }),
      folders: text.t('count.folders', { count: seen.folders }),
    });
    stdout.write(`\n${printable(summary)}\n`);
    if (incomplete !== undefined) {
      const facts = { path: command.folder };
      stdout.write(`${explain(incomplete.reason, facts, incomplete.detail, text).join('\n')}\n`);
    }
    return EXIT_CODES[outcome];
  } finally {
    signal.removeEventListener('abort', close);
    session.close();
  }
}

function entryJson(entry: RemoteEntry): object {
  const { type, sizeBytes, modified, linkTarget } = entry;
  return { name: decodeRemoteName(entry.name), type, sizeBytes, modified: modified?.raw, linkTarget };
}

function entryLine(entry: RemoteEntry, { text }: CommandContext): string {
  const size = entry.type === 'file' ? text.bytes(entry.sizeBytes) : text.t(`list.${entry.type}`);
  const time = entry.modified?.ms === undefined ? (entry.modified?.raw ?? '') : isoTime(entry.modified.ms);
  const target = entry.linkTarget === undefined ? '' : ` -> ${decodeRemoteName(entry.linkTarget)}`;
  const mark = entry.type === 'folder' ? '/' : '';
  return printable(`${size.padStart(12)}  ${time.padEnd(19)}  ${decodeRemoteName(entry.name)}${mark}${target}`);
}
