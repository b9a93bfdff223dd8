import type { Clock } from '../clock.ts';
import type { ProgressSnapshot } from '../engine/progress.ts';
import type { Text } from '../text.ts';
import { displayWidth, fitEnd, printable } from './printable.ts';

/** A terminal is redrawn at most this often; where there is no terminal, a line is written at most that often. */
export const REDRAW_MS = 200;
export const PLAIN_LINE_MS = 10_000;

/** The numbers as one line of words. */
function progressSummary(p: ProgressSnapshot, text: Text): string {
  if (p.stage === 'scanning') {
    if (p.foldersListed === 0) return text.t('progress.scanning-begins');
    return text.t('progress.scanning', {
      files: text.t('count.files', { count: p.filesListed }),
      folders: text.t('count.folders', { count: p.foldersListed }),
    });
  }
  if (p.stage !== 'transferring') return text.t(`progress.${p.stage}`);
  const parts = [
    text.t('progress.files', { done: p.filesDone, total: p.filesPlanned }),
    text.t('progress.bytes', { done: text.bytes(p.bytesDone), total: text.bytes(p.bytesPlanned) }),
  ];
  if (p.bytesPerSecond > 0) parts.push(text.bytesPerSecond(p.bytesPerSecond));
  if (p.secondsLeft !== undefined) parts.push(text.t('progress.left', { time: text.duration(p.secondsLeft * 1000) }));
  if (p.connections > 0) parts.push(text.t('count.connections', { count: p.connections }));
  if (p.filesFailed > 0) parts.push(text.t('progress.failed', { count: p.filesFailed }));
  return parts.join(' · ');
}

/** At most two lines of at most `width` columns: numbers with a bar once the total is known, and the current file. */
export function terminalLines(p: ProgressSnapshot, text: Text, width: number): string[] {
  const lines = [progressSummary(p, text)];
  const share = shareDone(p);
  if (share !== undefined) {
    const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
    const cells = Math.min(BAR_CELLS_MAX, width - displayWidth(lines[0] ?? '') - percent.length - 4);
    const bar = cells >= BAR_CELLS_MIN ? `${barOf(share, cells)} ` : '';
    lines[0] = `${bar}${percent}  ${lines[0] ?? ''}`;
  }
  if (p.currentPath !== undefined && p.stage === 'transferring')
    lines.push(`  ${fitEnd(printable(p.currentPath), width - 2)}`);
  return lines.map((line) => cut(line, width));
}

const BAR_CELLS_MIN = 8;
const BAR_CELLS_MAX = 30;

/** By bytes, or by files where all are empty. Undefined while nothing is planned: no invented percent. */
function shareDone(p: ProgressSnapshot): number | undefined {
  if (p.stage !== 'transferring' || p.filesPlanned === 0) return undefined;
  const share = p.bytesPlanned > 0 ? p.bytesDone / p.bytesPlanned : p.filesDone / p.filesPlanned;
  return Math.min(1, Math.max(0, share));
}

function barOf(share: number, cells: number): string {
  const full = Math.floor(share * cells);
  return `${'█'.repeat(full)}${'░'.repeat(cells - full)}`;
}

function cut(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  let kept = '';
  for (const character of line) {
    if (displayWidth(kept + character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

export interface ProgressView {
  update(snapshot: ProgressSnapshot): void;
  /** A sentence that stays, above the moving lines. */
  say(line: string): void;
  /** Takes the moving lines away; later updates show nothing. */
  end(): void;
}

/** What a view needs of a stream; process.stdout and process.stderr are such. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const CLEAR_LINE = '\x1b[2K';

/** Two lines that are redrawn in place. */
export function terminalProgress(stream: ProgressStream, text: Text, clock: Clock): ProgressView {
  let drawn = 0;
  let nextMs = -Infinity;
  let hasEnded = false;
  let stage: string | undefined;
  const erase = (): string => {
    const up = drawn > 1 ? `\x1b[${drawn - 1}A` : '';
    const cleared =
      drawn === 0 ? '' : `\r${up}${Array.from({ length: drawn }, () => CLEAR_LINE).join('\x1b[1B')}\r${up}`;
    drawn = 0;
    return cleared;
  };
  return {
    update(snapshot) {
      const nowMs = clock.steadyMs();
      if (hasEnded || (nowMs < nextMs && snapshot.stage === stage)) return;
      stage = snapshot.stage;
      nextMs = nowMs + REDRAW_MS;
      // One column is left free: some terminals wrap as soon as the last one is filled. 0 stands for an unknown width.
      const lines = terminalLines(
        snapshot,
        text,
        Math.max(20, (stream.columns === undefined || stream.columns === 0 ? 80 : stream.columns) - 1),
      );
      const frame = `${erase()}${lines.join('\n')}`;
      drawn = lines.length;
      stream.write(frame);
    },
    say(line) {
      stream.write(`${erase()}${line}\n`);
    },
    end() {
      if (!hasEnded) stream.write(erase());
      hasEnded = true;
    },
  };
}

/** A line at each new stage, and now and then in between. */
export function plainProgress(stream: ProgressStream, text: Text, clock: Clock): ProgressView {
  let nextMs = -Infinity;
  let stage: string | undefined;
  let hasEnded = false;
  return {
    update(snapshot) {
      const nowMs = clock.steadyMs();
      if (hasEnded || (nowMs < nextMs && snapshot.stage === stage)) return;
      stage = snapshot.stage;
      nextMs = nowMs + PLAIN_LINE_MS;
      stream.write(`${progressSummary(snapshot, text)}\n`);
    },
    say(line) {
      stream.write(`${line}\n`);
    },
    end() {
      hasEnded = true;
    },
  };
}
