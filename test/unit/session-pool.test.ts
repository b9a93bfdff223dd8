import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Worker } from '../../src/engine/pool-run.ts';
import { AUTO_CONNECTIONS_MAX, SessionPool } from '../../src/engine/session-pool.ts';
import { BackupError, isBackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { silentLog } from '../../src/log.ts';
import type { RemoteSession, RemoteSource } from '../../src/remote/remote.ts';
import { CONNECTIONS_MAX } from '../../src/settings/task-settings.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A connection of MemorySource: only what the pool itself uses does anything. */
class MemorySession implements RemoteSession {
  readonly capabilities = {} as RemoteSession['capabilities'];
  readonly identity = {};
  readonly number: number;
  isClosed = false;
  readonly #onClose: () => void;
  readonly #closing: (() => void)[] = [];

  constructor(number: number, onClose: () => void) {
    this.number = number;
    this.#onClose = onClose;
  }

  list = (): Promise<never> => this.untilClosed();
  download = (): Promise<never> => this.untilClosed();
  stat = (): Promise<undefined> => Promise.resolve(undefined);
  isGone = (): Promise<boolean> => Promise.resolve(true);

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#onClose();
    for (const reject of this.#closing) reject();
  }

  /** A call that the server never answers. */
  untilClosed(): Promise<never> {
    return new Promise((_, reject) => {
      this.#closing.push(() => {
        reject(new BackupError('connection-lost'));
      });
    });
  }
}

function memorySession(session: RemoteSession): MemorySession {
  assert.ok(session instanceof MemorySession);
  return session;
}

/** What a test decides about opening: the number of the try from 1, and the connections that are open then. */
type Refusal = (attempt: number, openCount: number) => ErrorCode | 'hang' | undefined;

class MemorySource implements RemoteSource {
  readonly label = 'memory';
  readonly hostKey = 'memory';
  readonly sessions: MemorySession[] = [];
  attempts = 0;
  peak = 0;
  openCount = 0;
  readonly #refuses: Refusal;

  constructor(refuses: Refusal) {
    this.#refuses = refuses;
  }

  async open(signal: AbortSignal): Promise<MemorySession> {
    this.attempts++;
    const refusal = this.#refuses(this.attempts, this.openCount);
    if (refusal === 'hang') await aborted(signal);
    if (refusal !== undefined && refusal !== 'hang') throw await afterTurn(new BackupError(refusal));
    this.openCount++;
    this.peak = Math.max(this.peak, this.openCount);
    const session = new MemorySession(this.attempts, () => {
      this.openCount--;
    });
    this.sessions.push(session);
    await turn();
    return session;
  }
}

async function afterTurn<T>(value: T): Promise<T> {
  await turn();
  return value;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
  });
}

interface BenchOptions {
  readonly refuses?: Refusal;
  readonly connections?: 'auto' | number;
  readonly knownLimit?: number;
  readonly attempts?: number;
  readonly items?: number;
}

/** A pool with a scripted source, and as many items as told. */
class PoolBench {
  readonly source: MemorySource;
  readonly clock = new FakeClock({ passesAlone: true });
  readonly abort = new AbortController();
  readonly remembered: number[] = [];
  readonly done: number[] = [];
  readonly givenUp: (readonly [item: number, code: ErrorCode])[] = [];
  readonly pool: SessionPool;
  readonly #items: number[];

  constructor(options: BenchOptions = {}) {
    this.source = new MemorySource(options.refuses ?? (() => undefined));
    this.#items = Array.from({ length: options.items ?? 20 }, (_, index) => index);
    this.pool = new SessionPool({
      source: this.source,
      connections: options.connections ?? 4,
      knownLimit: options.knownLimit,
      onRefused: (connections) => this.remembered.push(connections),
      onConnections: () => undefined,
      permits: undefined,
      retries: { attempts: options.attempts ?? 4, firstDelaySeconds: 2 },
      clock: this.clock,
      signal: this.abort.signal,
      log: silentLog,
    });
  }

  /** Works on all items; an item that `work` lets through is done. */
  run(work: Worker<number>['work'] = () => Promise.resolve()): Promise<void> {
    return this.pool.run(
      { take: () => this.#items.shift() },
      {
        work: async (session, item, attempt, renew) => {
          await turn();
          await work(session, item, attempt, renew);
          this.done.push(item);
        },
        giveUp: (item, error) => this.givenUp.push([item, error.code]),
      },
    );
  }

  /** Every item was done exactly once. */
  assertAllDone(count: number): void {
    assert.deepEqual(
      [...this.done].sort((a, b) => a - b),
      Array.from({ length: count }, (_, index) => index),
    );
    assert.deepEqual(this.givenUp, []);
  }
}

const busyOver =
  (allowed: number, code: ErrorCode = 'server-busy'): Refusal =>
  (_attempt, openCount) =>
    openCount >= allowed ? code : undefined;

function fails(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isBackupError(error, code);
}

describe('the number of connections', () => {
  it('grows from two while all goes well, and no further than its bound', async () => {
    const bench = new PoolBench({ connections: 'auto', items: 400 });
    const peaks: number[] = [];
    await bench.run(() => Promise.resolve(void peaks.push(bench.source.openCount)));
    bench.assertAllDone(400);
    assert.equal(Math.max(...peaks.slice(0, 10)), 2);
    assert.equal(bench.source.peak, AUTO_CONNECTIONS_MAX);
  });

  it('is the one that the task names', async () => {
    const bench = new PoolBench({ connections: 5, items: 200 });
    await bench.run();
    bench.assertAllDone(200);
    assert.equal(bench.source.peak, 5);
    assert.equal(bench.source.attempts, 5);
  });

  it('is not larger than the number of items', async () => {
    const bench = new PoolBench({ connections: 10, items: 3 });
    await bench.run();
    assert.ok(bench.source.peak <= 3);
  });

  it('falls to what a busy server allows, which is remembered, while every item is still done', async () => {
    const bench = new PoolBench({ connections: 8, items: 100, refuses: busyOver(3) });
    await bench.run();
    bench.assertAllDone(100);
    assert.equal(bench.source.peak, 3);
    assert.equal(bench.remembered.at(-1), 3);
    assert.ok(bench.source.attempts <= 8, `asked ${bench.source.attempts} times`);
  });

  it('begins with what the host allowed before, and never asks for more', async () => {
    const bench = new PoolBench({ connections: 'auto', knownLimit: 2, items: 300, refuses: busyOver(2) });
    await bench.run();
    assert.equal(bench.source.peak, 2);
    assert.equal(bench.source.attempts, 2);
    assert.deepEqual(bench.remembered, []);
  });

  it('falls for other trouble, too, but that is not remembered', async () => {
    const bench = new PoolBench({ connections: 6, items: 60, refuses: busyOver(2, 'timed-out') });
    await bench.run();
    bench.assertAllDone(60);
    assert.deepEqual(bench.remembered, []);
  });

  it('falls when the server cuts a connection because it is busy', async () => {
    const bench = new PoolBench({ connections: 4, items: 80 });
    let cut = 0;
    await bench.run(() => (cut++ === 10 ? Promise.reject(new BackupError('server-busy')) : Promise.resolve()));
    bench.assertAllDone(80);
    assert.deepEqual(bench.remembered, [3]);
    assert.ok(bench.source.attempts <= 5);
  });

  it('does not fall because a connection was lost', async () => {
    const bench = new PoolBench({ connections: 4, items: 80 });
    let lost = 0;
    await bench.run(() => (lost++ === 10 ? Promise.reject(new BackupError('connection-lost')) : Promise.resolve()));
    bench.assertAllDone(80);
    assert.deepEqual(bench.remembered, []);
  });

  it('is not taken for what the host allows when a second look was refused for another reason', async () => {
    const bench = new PoolBench({
      connections: 2,
      items: 30,
      refuses: (attempt) => (attempt === 3 ? 'timed-out' : undefined),
    });
    let renewed = 0;
    await bench.run(async (_session, item, attempt, renew) => {
      if (item !== 5 || attempt !== 1) return;
      renewed++;
      await renew();
    });
    assert.equal(renewed, 1);
    bench.assertAllDone(30);
    assert.deepEqual(bench.remembered, []);
  });
});

describe('as many connections as a task may have', () => {
  it('bring no warning of Node.js to the screen of the user', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const bench = new PoolBench({ connections: CONNECTIONS_MAX, items: 40, refuses: () => 'hang' });
    const running = bench.run();
    for (let turns = 0; turns < 10; turns++) await turn();
    assert.equal(bench.source.attempts, CONNECTIONS_MAX);
    bench.abort.abort();
    await assert.rejects(running, fails('cancelled'));
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
  });
});

describe('refused connections', () => {
  it('never wedge the run when all are refused at once', async () => {
    const bench = new PoolBench({
      connections: 6,
      items: 30,
      refuses: (attempt) => (attempt <= 7 ? 'server-busy' : undefined),
    });
    await bench.run();
    bench.assertAllDone(30);
    assert.deepEqual(bench.remembered, [], 'nothing was learned while none was open');
  });

  it('are asked for again after pauses that grow, and end the run after so many', async () => {
    const bench = new PoolBench({ connections: 3, attempts: 4, refuses: () => 'server-busy' });
    await assert.rejects(bench.run(), fails('server-busy'));
    assert.deepEqual(bench.clock.slept, [2000, 4000, 8000]);
    assert.deepEqual(bench.done, []);
  });

  it('end the run at once where trying again could do harm', async () => {
    const bench = new PoolBench({ connections: 1, refuses: () => 'login-rejected' });
    await assert.rejects(bench.pool.acquire(), fails('login-rejected'));
    assert.equal(bench.source.attempts, 1);
    await assert.rejects(bench.run(), fails('login-rejected'));
    assert.equal(bench.source.attempts, 2);
    assert.deepEqual(bench.clock.slept, []);
  });

  it('do not stop the first connection from being asked for again', async () => {
    const bench = new PoolBench({ refuses: (attempt) => (attempt <= 2 ? 'connection-refused' : undefined) });
    const session = await bench.pool.acquire();
    assert.deepEqual(bench.clock.slept, [2000, 4000]);
    bench.pool.release(session);
    await bench.run();
    bench.assertAllDone(20);
  });
});

describe('an item in trouble', () => {
  it('is tried again on another connection after a pause that doubles', async () => {
    const bench = new PoolBench({ connections: 1, items: 1 });
    const used: RemoteSession[] = [];
    const startedMs: number[] = [];
    await bench.run((session, _item, attempt) => {
      used.push(session);
      startedMs.push(bench.clock.steadyMs());
      return attempt < 4 ? Promise.reject(new BackupError('connection-lost')) : Promise.resolve();
    });
    bench.assertAllDone(1);
    assert.equal(new Set(used).size, 4, 'a lost connection was used again');
    assert.deepEqual(startedMs, [0, 2000, 6000, 14_000]);
  });

  it('does not keep the others waiting', async () => {
    const bench = new PoolBench({ connections: 2, items: 40 });
    await bench.run((_session, item, attempt) =>
      item === 0 && attempt === 1 ? Promise.reject(new BackupError('transfer-aborted')) : Promise.resolve(),
    );
    assert.equal(bench.done.at(-1), 0);
    bench.assertAllDone(40);
    assert.equal(bench.source.attempts, 2, 'a connection that still lives was thrown away');
  });

  it('is given up after its last try, and the others are done', async () => {
    const bench = new PoolBench({ connections: 3, items: 10, attempts: 3 });
    let tries = 0;
    await bench.run((_session, item) => {
      if (item !== 4) return Promise.resolve();
      tries++;
      return Promise.reject(new BackupError('size-mismatch'));
    });
    assert.equal(tries, 3);
    assert.deepEqual(bench.givenUp, [[4, 'size-mismatch']]);
    assert.equal(bench.done.length, 9);
  });

  it('is given up at once where another try cannot help, on a connection that goes on', async () => {
    const bench = new PoolBench({ connections: 1, items: 5 });
    await bench.run((_session, item) =>
      item === 2 ? Promise.reject(new BackupError('permission-denied')) : Promise.resolve(),
    );
    assert.deepEqual(bench.givenUp, [[2, 'permission-denied']]);
    assert.deepEqual(bench.done, [0, 1, 3, 4]);
    assert.equal(bench.source.attempts, 1);
  });

  it('can be looked at through another connection', async () => {
    const bench = new PoolBench({ connections: 2, items: 6 });
    await bench.run(async (session, item, _attempt, renew) => {
      if (item !== 3) return;
      const other = await renew();
      assert.notEqual(other, session);
      assert.ok(memorySession(session).isClosed);
      assert.ok(!memorySession(other).isClosed);
    });
    bench.assertAllDone(6);
  });

  it('can be looked at through another connection even where only one is allowed', async () => {
    const bench = new PoolBench({ connections: 3, items: 9, refuses: busyOver(1) });
    await bench.run(async (_session, item, _attempt, renew) => {
      if (item === 3) await renew();
    });
    bench.assertAllDone(9);
    assert.equal(bench.source.peak, 1);
  });
});

describe('the end of a run', () => {
  for (const error of [new BackupError('disk-full'), new BackupError('state-unreadable'), new TypeError('a bug')]) {
    it(`comes at the first error that concerns every item: ${error.message}`, async () => {
      const bench = new PoolBench({ connections: 4, items: 1000 });
      await assert.rejects(
        bench.run((_session, item) => (item === 20 ? Promise.reject(error) : Promise.resolve())),
        (thrown) => thrown === error,
      );
      assert.ok(bench.done.length < 30, `${bench.done.length} items were still worked on`);
      assert.deepEqual(bench.givenUp, []);
      bench.pool.close();
      assert.equal(bench.source.openCount, 0);
    });
  }

  it('comes at once when it is cancelled while the server does not answer', async () => {
    const bench = new PoolBench({ connections: 3, items: 50 });
    const running = bench.run((session) => memorySession(session).untilClosed());
    for (let turns = 0; turns < 10; turns++) await turn();
    bench.abort.abort();
    await assert.rejects(running, fails('cancelled'));
    assert.deepEqual(bench.givenUp, []);
    assert.equal(bench.source.openCount, 0);
  });

  it('comes at once when it is cancelled during a pause', async () => {
    const bench = new PoolBench({ connections: 1, items: 1 });
    const still = new FakeClock();
    const pool = new SessionPool({
      source: bench.source,
      connections: 1,
      knownLimit: undefined,
      onRefused: () => undefined,
      onConnections: () => undefined,
      permits: undefined,
      retries: { attempts: 4, firstDelaySeconds: 2 },
      clock: still,
      signal: bench.abort.signal,
      log: silentLog,
    });
    const items = [1];
    const running = pool.run(
      { take: () => items.shift() },
      { work: () => Promise.reject(new BackupError('connection-lost')), giveUp: () => undefined },
    );
    for (let turns = 0; turns < 10; turns++) await turn();
    assert.deepEqual(still.slept, [2000]);
    bench.abort.abort();
    await assert.rejects(running, fails('cancelled'));
  });

  it('comes at once when it is cancelled while connecting', async () => {
    const bench = new PoolBench({ connections: 2, refuses: () => 'hang' });
    const running = bench.run();
    for (let turns = 0; turns < 10; turns++) await turn();
    bench.abort.abort();
    await assert.rejects(running, fails('cancelled'));
  });

  it('comes with every item either done or given up, whatever goes wrong', async () => {
    const trouble = fc.constantFrom<ErrorCode | undefined>(
      undefined,
      undefined,
      'connection-lost',
      'server-busy',
      'timed-out',
      'transfer-aborted',
      'file-refused',
    );
    const refusal = fc.constantFrom<ErrorCode | undefined>(undefined, undefined, undefined, 'server-busy', 'timed-out');
    await fc.assert(
      fc.asyncProperty(
        fc.array(trouble, { maxLength: 60 }),
        fc.array(refusal, { maxLength: 12 }),
        fc.constantFrom<'auto' | number>('auto', 1, 3, 7),
        async (troubles, refusals, connections) => {
          const bench = new PoolBench({
            connections,
            items: 25,
            attempts: 20,
            refuses: (attempt) => refusals[attempt - 1],
          });
          let step = 0;
          await bench.run(() => {
            const code = troubles[step++];
            return code === undefined ? Promise.resolve() : Promise.reject(new BackupError(code));
          });
          const ended = [...bench.done, ...bench.givenUp.map(([item]) => item)].sort((a, b) => a - b);
          assert.deepEqual(
            ended,
            Array.from({ length: 25 }, (_, index) => index),
          );
          assert.ok(bench.givenUp.every(([, code]) => code === 'file-refused'));
          const bound = connections === 'auto' ? AUTO_CONNECTIONS_MAX : connections;
          assert.ok(bench.source.peak <= bound, `${bench.source.peak} connections for ${bound}`);
          bench.pool.close();
          assert.equal(bench.source.openCount, 0, 'a connection was left open');
        },
      ),
      { numRuns: 60 },
    );
  });
});
