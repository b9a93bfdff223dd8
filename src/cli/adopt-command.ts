import { join, resolve } from 'node:path';
import { adoptBackup, lookAtBackup } from '../engine/adopt.ts';
import type { AdoptOptions, AdoptOutlook, AdoptProgress, AdoptReport } from '../engine/adopt.ts';
import { createLog, silentLog } from '../log.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import type { CommandContext } from './command-context.ts';
import type { AdoptCommand } from './options.ts';
import { printable } from './printable.ts';
import { PLAIN_LINE_MS, REDRAW_MS } from './progress-lines.ts';
import { EXIT_CODES } from './report-lines.ts';

/**
 * Shows what the task's folder holds and what adopting it would do; with `--yes` does it. Gives `held`'s exit code where it
 * waits for that.
 */
export async function runAdopt(
  command: AdoptCommand,
  settings: TaskSettings,
  context: CommandContext,
): Promise<number> {
  const { stdout, text, clock, signal } = context;
  const stateDir = resolve(command.stateDir);
  const options = { folder: settings.target.folder, stateDir, stateKey: settings.name, clock, signal };
  const say = (lines: readonly string[]): void => {
    stdout.write(`${lines.map(printable).join('\n')}\n`);
  };
  if (!command.isConfirmed) {
    const outlook = await lookAtBackup({ ...options, log: silentLog });
    if (command.isJson) stdout.write(`${JSON.stringify({ outlook })}\n`);
    else say([...outlookLines(outlook, context), '', text.t('adopt.confirm')]);
    return EXIT_CODES.held;
  }
  const log = createLog({
    to: { file: join(stateDir, 'site-backup.log') },
    redact: [settings.source.password.reveal()],
  });
  try {
    const report = await watchedAdoption({ ...options, log }, command, context);
    if (command.isJson) stdout.write(`${JSON.stringify(report)}\n`);
    else say(reportLines(report, context));
    return EXIT_CODES.complete;
  } finally {
    log.close();
  }
}

async function watchedAdoption(
  options: AdoptOptions,
  { isJson }: AdoptCommand,
  { stdout, stderr, text, clock }: CommandContext,
): Promise<AdoptReport> {
  const stream = isJson ? stderr : stdout;
  const isTerminal = stream.isTTY === true;
  if (isJson && !isTerminal) return adoptBackup(options);
  let nextMs = -Infinity;
  const show = ({ filesDone, filesTotal, bytesDone, bytesTotal }: AdoptProgress): void => {
    if (clock.steadyMs() < nextMs) return;
    nextMs = clock.steadyMs() + (isTerminal ? REDRAW_MS : PLAIN_LINE_MS);
    const line = text.t('adopt.progress', {
      files: text.t('progress.files', { done: filesDone, total: filesTotal }),
      bytes: text.t('progress.bytes', { done: text.bytes(bytesDone), total: text.bytes(bytesTotal) }),
    });
    stream.write(isTerminal ? `\r\x1b[2K${line}` : `${line}\n`);
  };
  try {
    return await adoptBackup({ ...options, onProgress: show });
  } finally {
    if (isTerminal) stream.write('\r\x1b[2K');
  }
}

function outlookLines(outlook: AdoptOutlook, { text }: CommandContext): string[] {
  const { folder, layout, files, bytes, others, hasManifest, isMarked } = outlook;
  const size = { files: text.t('count.files', { count: files }), bytes: text.bytes(bytes) };
  const lines = [text.t(`adopt.found-${layout}`, { folder, ...size }), ''];
  lines.push(`  ${text.t('adopt.will-read', size)}`);
  lines.push(`  ${text.t(hasManifest ? 'adopt.has-manifest' : 'adopt.no-manifest')}`);
  if (layout !== 'backup') lines.push(`  ${text.t('adopt.will-move', { folder })}`);
  if (isMarked) lines.push(`  ${text.t('adopt.will-mark')}`);
  if (others > 0) lines.push(`  ${text.t('adopt.others', { count: others })}`);
  lines.push(`  ${text.t('adopt.nothing-lost')}`);
  return lines;
}

function reportLines(report: AdoptReport, { text }: CommandContext): string[] {
  const lines = [
    text.t('adopt.done', { files: text.t('count.files', { count: report.files }), bytes: text.bytes(report.bytes) }),
    '',
  ];
  if (report.from !== undefined) lines.push(`  ${text.t('adopt.from', report.from)}`);
  if (report.manifestFault !== undefined)
    lines.push(`  ${text.t('adopt.manifest-fault', { why: report.manifestFault })}`);
  for (const key of ['proven', 'unproven', 'changed', 'missing', 'others', 'versions', 'versionsLost'] as const) {
    if (report[key] > 0) lines.push(`  ${text.t(`adopt.count-${key}`, { count: report[key] })}`);
  }
  lines.push('', text.t('adopt.next'));
  return lines;
}
