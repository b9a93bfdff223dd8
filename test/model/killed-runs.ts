import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '../../src/engine/run-report.ts';
import type { BackupFixture, RunOverrides } from '../support/backup-fixture.ts';
import { compileCli } from '../support/compiled-cli.ts';

/** Runs in processes of their own that end by SIGKILL. `remove` ends their use. */
export class KilledRuns {
  readonly #cli = compileCli();
  readonly #preloads = ['../support/kill-at-effect.ts', 'shift-clock.ts'].map((file) =>
    this.#cli.add(join(import.meta.dirname, file)),
  );

  /** Kills after the nth lasting effect of the run. Its report where it came to its end before. */
  async run(fixture: BackupFixture, overrides: RunOverrides, nth: number): Promise<RunReport | undefined> {
    const taskFile = join(fixture.stateDir, 'task.json');
    mkdirSync(fixture.stateDir, { recursive: true, mode: 0o700 });
    writeFileSync(taskFile, fixture.taskFileContent(overrides), { mode: 0o600 });
    const child = spawn(
      process.execPath,
      [...this.#preloads.flatMap((file) => ['--import', file]), this.#cli.cliFile, 'run', taskFile, '--json'].concat([
        '--state',
        fixture.stateDir,
        '--connections',
        String(overrides.connections),
      ]),
      {
        env: { ...process.env, KILL_AT: String(nth), CLOCK_OFFSET_MS: String(overrides.clockOffsetMs ?? 0) },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const texts = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => (texts.out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (texts.err += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    while (fixture.server.connectionsOpen > 0) await sleep(2);
    fixture.assertInvariants();
    if (code === null) return undefined;
    try {
      return JSON.parse(texts.out) as RunReport;
    } catch (error) {
      throw new Error(`exit code ${code}: ${texts.out}${texts.err}`, { cause: error });
    }
  }

  remove(): void {
    this.#cli.remove();
  }
}
