/** One run in a process of its own, which measures itself. Started by fork; told what to do by one message. */
import { readFileSync, statSync } from 'node:fs';
import { systemClock } from '../../src/clock.ts';
import type { ProgressSnapshot } from '../../src/engine/progress.ts';
import type { RunReport } from '../../src/engine/run-report.ts';
import { executeRun } from '../../src/engine/run.ts';
import { silentLog } from '../../src/log.ts';
import { openSource } from '../../src/remote/open-source.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { systemSecrets } from '../../src/settings/password-source.ts';
import { openHostLimits } from '../../src/state/host-limits.ts';
import { openTaskDatabase, taskDatabasePath } from '../../src/state/task-database.ts';

export interface MeasuredRunOrder {
  readonly stateDir: string;
  /** A task as JSON. */
  readonly task: unknown;
}

export interface MeasuredRun {
  readonly report: RunReport;
  /** Resident memory before the run began: Node.js and the loaded program. */
  readonly rssAtStartBytes: number;
  readonly rssPeakBytes: number;
  /** The highest in each half of the run's time, and the last. */
  readonly rssFirstHalfBytes: number;
  readonly rssSecondHalfBytes: number;
  readonly rssAtEndBytes: number;
  readonly stageMs: Readonly<Record<string, number>>;
  /** Rows inserted, changed and deleted. */
  readonly rowsWritten: number;
  /** What the process handed to the kernel to write, of any file (proc(5), `wchar`); and database and log of it now. */
  readonly writtenBytes: number;
  readonly databaseBytes: number;
}

const SAMPLE_EVERY_MS = 100;

// basic-ftp makes an Error for each command; tsx would look up its lines in the source maps each time.
process.setSourceMapsEnabled(false);

process.once('message', (order: MeasuredRunOrder) => {
  measure(order).then(
    (measured) => process.send?.(measured, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? String(error.stack) : String(error)}\n`);
      process.exit(1);
    },
  );
});

async function measure({ stateDir, task }: MeasuredRunOrder): Promise<MeasuredRun> {
  const parsed = parseTaskSettings(task, systemSecrets({}, '/'));
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  const { settings } = parsed;
  const database = openTaskDatabase(stateDir, settings.name);
  const hostLimits = openHostLimits(stateDir);
  const rssAtStartBytes = process.memoryUsage.rss();
  const writtenBefore = writtenBytes();
  const samples: { readonly atMs: number; readonly rssBytes: number }[] = [];
  const timer = setInterval(() => {
    samples.push({ atMs: performance.now(), rssBytes: process.memoryUsage.rss() });
  }, SAMPLE_EVERY_MS);
  const stages = new StageTimes();
  const startedMs = performance.now();
  const report = await executeRun({
    settings,
    source: openSource(settings.source, { clock: systemClock, log: () => undefined }),
    database,
    hostLimits,
    isDryRun: false,
    isForced: false,
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
    onProgress: (snapshot) => {
      stages.note(snapshot);
    },
  });
  clearInterval(timer);
  const endedMs = performance.now();
  const rssAtEndBytes = process.memoryUsage.rss();
  samples.push({ atMs: endedMs, rssBytes: rssAtEndBytes });
  const halfMs = (startedMs + endedMs) / 2;
  const rowsWritten = database.db.prepare('SELECT total_changes()').pluck().get() as number;
  const path = taskDatabasePath(stateDir, settings.name);
  const measured: MeasuredRun = {
    report,
    rssAtStartBytes,
    rssPeakBytes: process.resourceUsage().maxRSS * 1024,
    rssFirstHalfBytes: highest(samples.filter(({ atMs }) => atMs < halfMs)),
    rssSecondHalfBytes: highest(samples.filter(({ atMs }) => atMs >= halfMs)),
    rssAtEndBytes,
    stageMs: stages.end(),
    rowsWritten,
    writtenBytes: writtenBytes() - writtenBefore,
    databaseBytes: sizeOf(path) + sizeOf(`${path}-wal`),
  };
  hostLimits.close();
  database.close();
  return measured;
}

class StageTimes {
  readonly #ms: Record<string, number> = {};
  #stage: string | undefined;
  #sinceMs = 0;

  note({ stage }: ProgressSnapshot): void {
    if (stage !== this.#stage) this.end(stage);
  }

  end(next?: string): Readonly<Record<string, number>> {
    const now = performance.now();
    if (this.#stage !== undefined) this.#ms[this.#stage] = Math.round(now - this.#sinceMs);
    this.#stage = next;
    this.#sinceMs = now;
    return this.#ms;
  }
}

function highest(samples: readonly { readonly rssBytes: number }[]): number {
  return samples.reduce((most, { rssBytes }) => Math.max(most, rssBytes), 0);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Linux only; elsewhere 0. */
function writtenBytes(): number {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1] ?? '0');
  } catch {
    return 0;
  }
}
