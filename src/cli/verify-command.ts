import { resolve } from 'node:path';
import { rehashCopies } from '../engine/rehash.ts';
import type { CopyFault } from '../engine/rehash.ts';
import { Target } from '../local/target.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { ProofTables } from '../state/proof-tables.ts';
import { openTaskDatabase } from '../state/task-database.ts';
import type { CommandContext } from './command-context.ts';
import type { VerifyCommand } from './options.ts';
import { printable } from './printable.ts';
import { PLAIN_LINE_MS, REDRAW_MS } from './progress-lines.ts';
import { EXIT_CODES } from './report-lines.ts';

const DAY_MS = 86_400_000;
/** Faults that are named one by one; all are counted, and the next run names its share of them again. */
const FAULTS_SHOWN_MAX = 1000;

const FAULT_TEXTS: Readonly<Record<CopyFault['code'], string>> = {
  'copy-damaged': 'verify.damaged',
  'copy-missing': 'verify.missing',
  'copy-unreadable': 'verify.unreadable',
};

/** Reads what lies on the NAS again and compares it with the index; the next run brings what is not whole. */
export async function runVerify(
  command: VerifyCommand,
  settings: TaskSettings,
  context: CommandContext,
): Promise<number> {
  const { clock, signal, stdout, text } = context;
  const database = openTaskDatabase(resolve(command.stateDir), settings.name);
  try {
    const target = await Target.open({ folder: settings.target.folder, marker: database.marker, isKnown: true });
    const proof = new ProofTables(database.db);
    const nowMs = clock.nowMs();
    // Without an age in the task, everything is due.
    const days = command.isAll ? 0 : settings.verification.rehashDays;
    const beforeMs = nowMs - days * DAY_MS;
    const totals = proof.rehashTotals(beforeMs);
    const view = progressOf(command, context, totals.files);
    const faults: CopyFault[] = [];
    const counts = await rehashCopies({
      target,
      proof,
      clock,
      signal,
      beforeMs,
      endMs: Infinity,
      exceptRun: 0,
      onFile: (_path, sizeBytes) => {
        view.add(sizeBytes);
      },
      onFault: (fault) => {
        if (faults.length < FAULTS_SHOWN_MAX) faults.push(fault);
      },
    }).finally(view.end);
    if (command.isJson) {
      stdout.write(`${JSON.stringify({ ...counts, faulty: faults })}\n`);
    } else {
      const rows = faults.map(({ code, place }) => {
        return `  ${text.t(FAULT_TEXTS[code], { place })}`;
      });
      const files = text.number(counts.files);
      const result =
        counts.faults === 0
          ? text.t('verify.whole', { files, bytes: text.bytes(counts.bytes) })
          : text.t('verify.faults', { count: counts.faults });
      stdout.write(`${[...rows, result].map(printable).join('\n')}\n`);
    }
    return counts.faults === 0 ? EXIT_CODES.complete : EXIT_CODES.incomplete;
  } finally {
    database.close();
  }
}

interface Progress {
  add(sizeBytes: number): void;
  readonly end: () => void;
}

/** How far it is: redrawn in place on a terminal, now and then a line elsewhere, nothing beside JSON. */
function progressOf(command: VerifyCommand, { clock, text, stdout, stderr }: CommandContext, total: number): Progress {
  const stream = command.isJson ? stderr : stdout;
  const isTerminal = stream.isTTY === true;
  if (command.isJson && !isTerminal) return { add: () => undefined, end: () => undefined };
  let files = 0;
  let bytes = 0;
  let nextMs = clock.steadyMs() + (isTerminal ? 0 : PLAIN_LINE_MS);
  let isDrawn = false;
  return {
    add(sizeBytes) {
      files++;
      bytes += sizeBytes;
      const nowMs = clock.steadyMs();
      if (nowMs < nextMs) return;
      nextMs = nowMs + (isTerminal ? REDRAW_MS : PLAIN_LINE_MS);
      const facts = { done: text.number(files), total: text.number(total), bytes: text.bytes(bytes) };
      stream.write(
        isTerminal ? `\r\x1b[2K${text.t('verify.progress', facts)}` : `${text.t('verify.progress', facts)}\n`,
      );
      isDrawn = isTerminal;
    },
    end() {
      if (isDrawn) stream.write('\r\x1b[2K');
    },
  };
}
