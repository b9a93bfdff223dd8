import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { silentLog } from '../../src/log.ts';
import type { AllowedHours, Schedule, ScheduleRule } from '../../src/settings/schedule.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { RunStore } from '../../src/state/run-store.ts';
import type { RunCause, StoredRun } from '../../src/state/run-store.ts';
import { SecretBox } from '../../src/state/secret-box.ts';
import { SettingsStore } from '../../src/state/settings-store.ts';
import { TaskStore } from '../../src/state/task-store.ts';
import { jobTimer } from '../../src/tasks/job-timer.ts';
import { createScheduler, OVERDUE_GRACE_MS } from '../../src/tasks/scheduler.ts';
import type { Scheduler, SchedulerOptions } from '../../src/tasks/scheduler.ts';
import type { RunnerEvent, TaskActivity } from '../../src/tasks/task-runner.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NIGHT: AllowedHours = { from: '22:00', to: '06:00' };

let folder: string;
let count = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'site-backup-scheduler-'));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A NAS with the real stores, a clock that can be set, and runs that take as long as they are told. */
class Nas {
  readonly tasks: TaskStore;
  readonly runs: RunStore;
  readonly settings: SettingsStore;
  scheduler: Scheduler;
  nowMs: number;
  runMs = 10 * MINUTE_MS;
  /** Tasks that cannot be started. */
  readonly broken = new Set<number>();
  /** A stop takes this long. */
  stopMs = 5000;
  readonly #db;
  readonly #active = new Map<number, TaskActivity & { leftMs: number; isStopped: boolean }>();
  readonly #listeners = new Set<(event: RunnerEvent) => void>();
  #timer: { leftMs: number; wake: () => void } | undefined;

  constructor(now: string, timeZone = 'UTC') {
    const stateDir = join(folder, `${++count}`);
    this.#db = openAppDatabase(stateDir);
    // Only for speed: nothing here survives the test.
    this.#db.pragma('synchronous = OFF');
    this.tasks = new TaskStore(this.#db, SecretBox.open(stateDir));
    this.runs = new RunStore(this.#db);
    this.settings = new SettingsStore(this.#db);
    this.settings.write({ timeZone });
    this.nowMs = Date.parse(now);
    this.scheduler = this.#newScheduler();
  }

  add(name: string, rule: ScheduleRule, allowedHours?: AllowedHours, host = `${name}.example.org`): number {
    const id = this.tasks.add(settingsOf(name, host), { rule, allowedHours }, this.nowMs);
    this.scheduler.reload();
    return id;
  }

  change(id: number, schedule: Schedule): void {
    const task = this.tasks.get(id);
    assert.ok(task?.settings !== undefined);
    assert.ok(this.tasks.update(id, task.revision, task.settings, schedule, this.nowMs));
    this.scheduler.reload();
  }

  start(): void {
    this.scheduler.start();
  }

  /** Time passes for everybody: the clock, the timer and the runs. */
  pass(durationMs: number): void {
    let leftMs = durationMs;
    for (;;) {
      const soon = Math.min(this.#timer?.leftMs ?? Infinity, ...[...this.#active.values()].map((run) => run.leftMs));
      if (soon > leftMs) {
        this.#elapse(leftMs);
        return;
      }
      this.#elapse(soon);
      leftMs -= soon;
      for (const run of [...this.#active.values()]) if (run.leftMs <= 0) this.#end(run.taskId);
      if (this.#timer !== undefined && this.#timer.leftMs <= 0) {
        const { wake } = this.#timer;
        this.#timer = undefined;
        wake();
      }
    }
  }

  passUntil(when: string): void {
    this.pass(Date.parse(when) - this.nowMs);
  }

  /** The clock is set to another time; nobody else notices. */
  setClock(when: string): void {
    this.nowMs = Date.parse(when);
  }

  /** Power cut, and back at `when`. */
  offUntil(when: string): void {
    this.scheduler.stop();
    this.#timer = undefined;
    this.#active.clear();
    this.nowMs = Date.parse(when);
    this.runs.markInterrupted(this.nowMs);
    this.scheduler = this.#newScheduler();
    this.scheduler.start();
  }

  /** What was started, oldest first: `2026-11-21T02:00 schedule`. */
  started(taskId: number): string[] {
    const runs = this.runs.list({ taskId }, 10_000).reverse();
    return runs.map((run) => `${new Date(run.queuedMs).toISOString().slice(0, 16)} ${run.cause}`);
  }

  lastRun(taskId: number): StoredRun | undefined {
    return this.runs.list({ taskId }, 1)[0];
  }

  next(taskId: number): string | undefined {
    const nextMs = this.scheduler.nextRun(taskId);
    return nextMs === undefined ? undefined : new Date(nextMs).toISOString().slice(0, 16);
  }

  userStarts(taskId: number, cause: RunCause = 'user'): void {
    assert.ok(this.#runner.start(taskId, cause) !== undefined);
  }

  close(): void {
    this.scheduler.stop();
    this.#db.close();
  }

  readonly #runner = {
    start: (taskId: number, cause: RunCause): number | undefined => {
      const current = this.#active.get(taskId);
      if (current !== undefined) return current.runId;
      const task = this.tasks.get(taskId);
      if (task === undefined || this.broken.has(taskId)) return undefined;
      const runId = this.runs.queue({ taskId, taskName: task.name, cause, startedBy: undefined }, this.nowMs);
      this.runs.setStarted(runId, this.nowMs);
      const activity: TaskActivity = {
        ...{ runId, taskId, cause, phase: 'running', queuedMs: this.nowMs },
        ...{ startedMs: this.nowMs, progress: undefined },
      };
      this.#active.set(taskId, { ...activity, leftMs: this.runMs, isStopped: false });
      for (const listener of this.#listeners) listener({ kind: 'phase', activity });
      return runId;
    },
    stop: (taskId: number): boolean => {
      const run = this.#active.get(taskId);
      if (run === undefined) return false;
      this.#active.set(taskId, { ...run, phase: 'stopping', isStopped: true, leftMs: this.stopMs });
      return true;
    },
    activity: (taskId: number) => this.#active.get(taskId),
    activities: () => [...this.#active.values()],
    subscribe: (listener: (event: RunnerEvent) => void) => {
      this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    },
  };

  #newScheduler(): Scheduler {
    const options: SchedulerOptions = {
      ...{ tasks: this.tasks, runs: this.runs, settings: this.settings, runner: this.#runner, log: silentLog },
      clock: { nowMs: () => this.nowMs },
      timer: {
        at: (atMs, wake) => {
          const timer = { leftMs: Math.max(0, atMs - this.nowMs), wake };
          this.#timer = timer;
          return () => {
            if (this.#timer === timer) this.#timer = undefined;
          };
        },
      },
    };
    return createScheduler(options);
  }

  #elapse(durationMs: number): void {
    this.nowMs += durationMs;
    if (this.#timer !== undefined) this.#timer.leftMs -= durationMs;
    for (const run of this.#active.values()) run.leftMs -= durationMs;
  }

  #end(taskId: number): void {
    const run = this.#active.get(taskId);
    if (run === undefined) return;
    this.#active.delete(taskId);
    this.runs.close(run.runId, run.isStopped ? 'cancelled' : 'complete', undefined, this.nowMs);
  }
}

function settingsOf(name: string, host: string): TaskSettings {
  const source = { protocol: 'ftp', host, user: 'web', password: 'secret', folder: '/' };
  const json = { name, source, target: { folder: `/volume1/backups/${name}` } };
  const parsed = parseTaskSettings(json, { environment: () => undefined, file: () => ({ text: '' }) });
  assert.ok('settings' in parsed);
  return parsed.settings;
}

const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const daily = (...times: string[]): ScheduleRule => ({ kind: 'weekly', days: EVERY_DAY, times });
const every = (minutes: number): ScheduleRule => ({ kind: 'interval', everyMinutes: minutes });

function onNas(now: string, check: (nas: Nas) => void, timeZone?: string): void {
  const nas = new Nas(now, timeZone);
  try {
    check(nas);
  } finally {
    nas.close();
  }
}

describe('the scheduler', () => {
  it('starts a task at its times, and says before when that will be', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00', '14:30'));
      nas.start();
      assert.equal(nas.next(id), '2026-11-21T02:00');
      nas.passUntil('2026-11-22T03:00:00Z');
      assert.deepEqual(nas.started(id), [
        '2026-11-21T02:00 schedule',
        '2026-11-21T14:30 schedule',
        '2026-11-22T02:00 schedule',
      ]);
      assert.equal(nas.next(id), '2026-11-22T14:30');
    });
  });

  it('starts intervals from the last run it has started', () => {
    onNas('2026-11-21T00:07:00Z', (nas) => {
      const id = nas.add('a', every(90));
      nas.start();
      nas.passUntil('2026-11-21T03:00:00Z');
      nas.userStarts(id);
      nas.passUntil('2026-11-21T05:00:00Z');
      assert.deepEqual(nas.started(id), [
        '2026-11-21T01:37 schedule',
        '2026-11-21T03:00 user',
        '2026-11-21T04:37 schedule',
      ]);
    });
  });

  it('starts nothing that is manual or paused, and nothing before it is started itself', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const manual = nas.add('a', { kind: 'manual' });
      const paused = nas.add('b', daily('02:00'));
      const idle = nas.add('c', daily('02:00'));
      nas.tasks.setPaused(paused, true, nas.nowMs);
      nas.scheduler.reload();
      nas.passUntil('2026-11-22T00:00:00Z');
      assert.deepEqual(nas.started(idle), []);
      nas.start();
      nas.passUntil('2026-11-24T00:00:00Z');
      assert.deepEqual(nas.started(manual), []);
      assert.deepEqual(nas.started(paused), []);
      assert.equal(nas.next(manual), undefined);
      assert.equal(nas.next(paused), undefined);
      nas.tasks.setPaused(paused, false, nas.nowMs);
      nas.scheduler.reload();
      assert.equal(nas.next(paused), '2026-11-24T02:00');
    });
  });

  it('starts nothing more once it is stopped', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.scheduler.stop();
      nas.passUntil('2026-11-23T00:00:00Z');
      assert.deepEqual(nas.started(id), []);
    });
  });

  it('follows a changed schedule at once, and forgets a removed task', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.change(id, { rule: daily('05:00'), allowedHours: undefined });
      assert.equal(nas.next(id), '2026-11-21T05:00');
      nas.tasks.remove(id);
      nas.scheduler.reload();
      nas.passUntil('2026-11-22T00:00:00Z');
      assert.equal(nas.next(id), undefined);
      assert.deepEqual(nas.started(id), []);
    });
  });

  it('does not catch up on times that a change of the schedule has put into the past', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.passUntil('2026-11-21T10:00:00Z');
      nas.change(id, { rule: daily('04:00'), allowedHours: undefined });
      nas.offUntil('2026-11-21T11:00:00Z');
      nas.passUntil('2026-11-21T20:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-21T02:00 schedule']);
    });
  });

  it('passes over a time at which the last run is still under way', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00', '03:00', '04:00'));
      nas.runMs = 90 * MINUTE_MS;
      nas.start();
      nas.passUntil('2026-11-21T05:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-21T02:00 schedule', '2026-11-21T04:00 schedule']);
      nas.passUntil('2026-11-21T06:00:00Z');
      nas.offUntil('2026-11-21T07:00:00Z');
      nas.passUntil('2026-11-21T12:00:00Z');
      assert.equal(nas.started(id).length, 2);
    });
  });

  it('waits for a simulation instead of taking it for the run that is due', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.passUntil('2026-11-21T01:59:00Z');
      nas.userStarts(id, 'simulation');
      nas.passUntil('2026-11-21T03:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-21T01:59 simulation', '2026-11-21T02:09 catch-up']);
    });
  });

  it('survives a year with two changes of the clock: one run a day', () => {
    onNas(
      '2026-12-31T23:00:00Z',
      (nas) => {
        const id = nas.add('a', daily('02:30'));
        nas.start();
        nas.passUntil('2027-12-31T23:00:00Z');
        const started = nas.started(id);
        assert.equal(started.length, 365);
        assert.equal(new Set(started.map((text) => text.slice(0, 10))).size, 365);
        assert.ok(started.every((text) => text.endsWith(' schedule')));
        assert.ok(started.includes('2027-03-28T01:00 schedule'));
        assert.ok(started.includes('2027-10-31T00:30 schedule'));
      },
      'Europe/Paris',
    );
  });
});

describe('a run that was missed', () => {
  it('is made up for once, a minute after a NAS that was off for three days', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const night = nas.add('a', daily('02:00'));
      const often = nas.add('b', every(60));
      const weekly = nas.add('c', { kind: 'weekly', days: [3], times: ['02:00'] });
      nas.start();
      nas.passUntil('2026-11-21T12:00:30Z');
      nas.offUntil('2026-11-24T12:00:30Z');
      assert.equal(nas.next(night), '2026-11-24T12:01');
      assert.equal(nas.next(weekly), '2026-11-25T02:00');
      nas.passUntil('2026-11-25T03:00:00Z');
      assert.deepEqual(nas.started(night).slice(1), ['2026-11-24T12:01 catch-up', '2026-11-25T02:00 schedule']);
      assert.deepEqual(nas.started(often).slice(12, 15), [
        '2026-11-24T12:01 catch-up',
        '2026-11-24T13:01 schedule',
        '2026-11-24T14:01 schedule',
      ]);
      assert.deepEqual(nas.started(weekly), ['2026-11-25T02:00 schedule']);
    });
  });

  it('is not made up for twice when the service starts twice', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.offUntil('2026-11-24T12:00:00Z');
      nas.pass(15 * MINUTE_MS);
      nas.offUntil('2026-11-24T13:00:00Z');
      nas.pass(HOUR_MS);
      assert.deepEqual(nas.started(id), ['2026-11-24T12:01 catch-up']);
    });
  });

  it('is spread like any other', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const ids = ['a', 'b', 'c'].map((name) => nas.add(name, daily('02:00'), undefined, 'one.example.org'));
      nas.offUntil('2026-11-24T12:00:00Z');
      nas.pass(HOUR_MS);
      assert.deepEqual(
        ids.flatMap((id) => nas.started(id)),
        ['2026-11-24T12:01 catch-up', '2026-11-24T12:06 catch-up', '2026-11-24T12:11 catch-up'],
      );
    });
  });

  it('waits for the allowed hours', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'), NIGHT);
      nas.offUntil('2026-11-24T12:00:00Z');
      assert.equal(nas.next(id), '2026-11-24T22:00');
      nas.passUntil('2026-11-25T00:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-24T22:00 catch-up']);
    });
  });

  it('needs no making up for where the user has started one meanwhile', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.offUntil('2026-11-21T12:00:00Z');
      nas.userStarts(id);
      nas.pass(30_000);
      nas.offUntil('2026-11-21T13:00:00Z');
      // That run was cut off: it counts from its start, which lies after what was due.
      nas.pass(HOUR_MS);
      assert.deepEqual(nas.started(id), ['2026-11-21T12:00 user']);
    });
  });

  it('goes on after a power cut, but not again and again', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.passUntil('2026-11-21T02:05:00Z');
      nas.offUntil('2026-11-21T02:30:00Z');
      nas.passUntil('2026-11-21T02:33:00Z');
      nas.offUntil('2026-11-21T02:40:00Z');
      nas.passUntil('2026-11-21T12:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-21T02:00 schedule', '2026-11-21T02:31 catch-up']);
    });
  });
});

describe('a clock that jumps', () => {
  it('back by an hour makes nothing run twice', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.passUntil('2026-11-21T02:30:00Z');
      nas.setClock('2026-11-21T01:30:00Z');
      nas.passUntil('2026-11-22T03:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-21T02:00 schedule', '2026-11-22T02:00 schedule']);
    });
  });

  it('back by an hour makes nothing run twice when the service starts again after it', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.passUntil('2026-11-21T02:30:00Z');
      nas.offUntil('2026-11-21T01:30:00Z');
      nas.passUntil('2026-11-22T03:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-21T02:00 schedule', '2026-11-22T02:00 schedule']);
    });
  });

  it('back by an hour does not hold up intervals', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', every(30));
      nas.start();
      nas.passUntil('2026-11-21T02:10:00Z');
      nas.setClock('2026-11-21T01:10:00Z');
      const runs = nas.started(id).length;
      nas.pass(21 * MINUTE_MS);
      assert.equal(nas.started(id).length, runs + 1);
      nas.pass(DAY_MS);
      assert.equal(nas.started(id).length, runs + 49);
    });
  });

  it('back by years, from a clock that was wrong, does not stop anything', () => {
    onNas('2034-01-01T00:00:00Z', (nas) => {
      const night = nas.add('a', daily('02:00'));
      const often = nas.add('b', every(60));
      nas.start();
      nas.passUntil('2034-01-02T12:00:00Z');
      nas.setClock('2026-11-21T00:30:00Z');
      nas.passUntil('2026-11-21T03:00:00Z');
      assert.equal(nas.started(night).at(-1), '2026-11-21T02:00 schedule');
      assert.match(nas.started(often).at(-1) ?? '', /^2026-11-21T02/);
      nas.offUntil('2026-11-21T04:00:00Z');
      nas.passUntil('2026-11-22T03:00:00Z');
      assert.equal(nas.started(night).at(-1), '2026-11-22T02:00 schedule');
      assert.match(nas.started(often).at(-1) ?? '', /^2026-11-22T02/);
    });
  });

  it('forward over a due time is like a NAS that was off', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const ids = ['a', 'b'].map((name) => nas.add(name, daily('02:00'), undefined, 'one.example.org'));
      nas.start();
      nas.passUntil('2026-11-21T01:00:00Z');
      nas.setClock('2026-11-23T09:00:00Z');
      nas.pass(HOUR_MS);
      assert.deepEqual(
        ids.flatMap((id) => nas.started(id)),
        ['2026-11-23T09:01 catch-up', '2026-11-23T09:06 catch-up'],
      );
      nas.passUntil('2026-11-24T03:00:00Z');
      assert.deepEqual(
        ids.map((id) => nas.started(id).at(-1)),
        ['2026-11-24T02:00 schedule', '2026-11-24T02:05 schedule'],
      );
    });
  });
});

describe('tasks on the same host and account', () => {
  it('start one after the other, the same way every day', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const ids = ['c', 'b', 'a'].map((name) => nas.add(name, daily('02:00'), undefined, 'One.example.org'));
      const other = nas.add('d', daily('02:00'));
      const later = nas.add('e', daily('02:05'), undefined, 'one.example.org');
      nas.start();
      for (const day of ['21', '22', '23']) {
        const expected = ['02:00', '02:05', '02:10', '02:00', '02:05'].map((text) => `2026-11-${day}T${text}`);
        assert.deepEqual(
          [...ids, other, later].map((id) => nas.next(id)),
          expected,
        );
        nas.passUntil(`2026-11-${day}T12:00:00Z`);
        assert.deepEqual(
          [...ids, other, later].map((id) => nas.started(id).at(-1)),
          expected.map((text) => `${text} schedule`),
        );
      }
    });
  });

  it('keep their order when one of them has started and the settings are saved', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const ids = ['a', 'b'].map((name) => nas.add(name, daily('02:00'), undefined, 'one.example.org'));
      nas.start();
      nas.passUntil('2026-11-21T02:02:00Z');
      nas.scheduler.reload();
      nas.passUntil('2026-11-21T12:00:00Z');
      assert.deepEqual(
        ids.flatMap((id) => nas.started(id)),
        ['2026-11-21T02:00 schedule', '2026-11-21T02:05 schedule'],
      );
    });
  });

  it('do not start later than they are due again, nor after their hours', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const cron: ScheduleRule = { kind: 'cron', expression: '*/10 * * * *' };
      const often = ['a', 'b', 'c', 'd'].map((name) => nas.add(name, cron, undefined, 'one.example.org'));
      const brief: AllowedHours = { from: '02:00', to: '02:10' };
      const short = ['e', 'f', 'g'].map((name) => nas.add(name, daily('02:00'), brief, 'two.example.org'));
      nas.runMs = MINUTE_MS;
      nas.start();
      nas.passUntil('2026-11-21T02:09:59Z');
      for (const id of often) assert.equal(nas.started(id).length, 12);
      assert.deepEqual(
        short.flatMap((id) => nas.started(id)),
        ['2026-11-21T02:00 schedule', '2026-11-21T02:05 schedule', '2026-11-21T02:00 schedule'],
      );
    });
  });

  it('with the same interval drift into no other rhythm', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const ids = ['a', 'b'].map((name) => nas.add(name, every(60), undefined, 'one.example.org'));
      nas.start();
      nas.passUntil('2026-11-22T00:30:00Z');
      assert.deepEqual(
        ids.map((id) => nas.started(id).length),
        [24, 24],
      );
      assert.deepEqual(
        ids.map((id) => nas.started(id).at(-1)),
        ['2026-11-22T00:00 schedule', '2026-11-22T00:05 schedule'],
      );
    });
  });
});

describe('allowed hours', () => {
  it('end a run, which goes on when they begin again', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', { kind: 'weekly', days: [0], times: ['05:00'] }, NIGHT);
      nas.runMs = 4 * HOUR_MS;
      nas.start();
      nas.passUntil('2026-11-22T06:10:00Z');
      const stopped = nas.lastRun(id);
      assert.equal(stopped?.outcome, 'cancelled');
      assert.equal(new Date(stopped.endedMs ?? 0).toISOString(), '2026-11-22T06:00:05.000Z');
      assert.equal(nas.next(id), '2026-11-22T22:00');
      nas.passUntil('2026-11-23T03:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-22T05:00 schedule', '2026-11-22T22:00 schedule']);
      assert.equal(nas.lastRun(id)?.outcome, 'complete');
      assert.equal(nas.next(id), '2026-11-29T05:00');
    });
  });

  it('are not forgotten when the service starts again, or the task changes, while they are closed', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', { kind: 'weekly', days: [0], times: ['05:00'] }, NIGHT);
      nas.runMs = 4 * HOUR_MS;
      nas.start();
      nas.passUntil('2026-11-22T08:00:00Z');
      nas.offUntil('2026-11-22T12:00:00Z');
      assert.equal(nas.next(id), '2026-11-22T22:00');
      nas.change(id, { rule: { kind: 'weekly', days: [0], times: ['04:00'] }, allowedHours: NIGHT });
      assert.equal(nas.next(id), '2026-11-22T22:00');
      nas.offUntil('2026-11-23T00:00:00Z');
      nas.passUntil('2026-11-23T12:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-22T05:00 schedule', '2026-11-23T00:01 catch-up']);
    });
  });

  it('do not end what the user has started, and start nothing outside', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', every(60), NIGHT);
      nas.start();
      nas.passUntil('2026-11-21T05:30:00Z');
      const runs = nas.started(id).length;
      nas.runMs = 2 * HOUR_MS;
      nas.userStarts(id);
      nas.passUntil('2026-11-21T21:00:00Z');
      assert.equal(nas.lastRun(id)?.outcome, 'complete');
      assert.equal(nas.started(id).length, runs + 1);
      nas.passUntil('2026-11-21T22:01:00Z');
      assert.equal(nas.started(id).at(-1), '2026-11-21T22:00 schedule');
    });
  });

  it('start nothing on a NAS that slept until they were over', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('05:00'), NIGHT);
      nas.start();
      nas.passUntil('2026-11-21T04:00:00Z');
      nas.setClock('2026-11-21T09:00:00Z');
      nas.pass(2 * MINUTE_MS);
      assert.deepEqual(nas.started(id), []);
      assert.equal(nas.next(id), '2026-11-21T22:00');
      nas.passUntil('2026-11-21T23:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-21T22:00 catch-up']);
    });
  });
});

describe('the pause of all schedules', () => {
  it('lasts until its end, over a restart, and makes up for nothing', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.start();
      nas.scheduler.pauseAll(Date.parse('2026-11-23T01:00:00Z'));
      assert.equal(nas.scheduler.pausedUntil(), Date.parse('2026-11-23T01:00:00Z'));
      assert.equal(nas.next(id), '2026-11-23T02:00');
      nas.passUntil('2026-11-22T12:00:00Z');
      nas.offUntil('2026-11-22T18:00:00Z');
      assert.equal(nas.next(id), '2026-11-23T02:00');
      nas.offUntil('2026-11-23T01:30:00Z');
      assert.equal(nas.scheduler.pausedUntil(), undefined);
      nas.passUntil('2026-11-23T03:00:00Z');
      assert.deepEqual(nas.started(id), ['2026-11-23T02:00 schedule']);
    });
  });

  it('without an end lasts until it is ended', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      const often = nas.add('b', every(60));
      nas.start();
      nas.scheduler.pauseAll(Infinity);
      assert.equal(nas.next(id), undefined);
      nas.passUntil('2026-11-25T12:00:00Z');
      nas.offUntil('2026-11-26T12:00:00Z');
      assert.equal(nas.scheduler.pausedUntil(), Infinity);
      nas.pass(HOUR_MS);
      assert.equal(nas.scheduler.isOverdue(id), false);
      nas.scheduler.pauseAll(undefined);
      assert.equal(nas.scheduler.pausedUntil(), undefined);
      assert.equal(nas.next(id), '2026-11-27T02:00');
      nas.offUntil('2026-11-26T13:30:00Z');
      nas.pass(15 * MINUTE_MS);
      assert.deepEqual([...nas.started(id), ...nas.started(often)], []);
      assert.equal(nas.next(often), '2026-11-26T14:00');
    });
  });
});

describe('a task is overdue', () => {
  it('when nothing could be started for longer than the grace, until something is', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.broken.add(id);
      nas.start();
      nas.passUntil('2026-11-21T02:00:00Z');
      nas.pass(OVERDUE_GRACE_MS);
      assert.equal(nas.scheduler.isOverdue(id), false);
      nas.pass(MINUTE_MS);
      assert.equal(nas.scheduler.isOverdue(id), true);
      nas.passUntil('2026-11-22T02:30:00Z');
      assert.equal(nas.scheduler.isOverdue(id), true);
      nas.broken.clear();
      nas.userStarts(id);
      assert.equal(nas.scheduler.isOverdue(id), false);
      nas.pass(HOUR_MS);
      assert.equal(nas.scheduler.isOverdue(id), false);
    });
  });

  it('after one whole interval where that is longer', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', every(600));
      nas.broken.add(id);
      nas.start();
      nas.passUntil('2026-11-21T19:59:00Z');
      assert.equal(nas.scheduler.isOverdue(id), false);
      nas.passUntil('2026-11-21T20:01:00Z');
      assert.equal(nas.scheduler.isOverdue(id), true);
    });
  });

  it('after a NAS was off, until the missed run begins', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const id = nas.add('a', daily('02:00'));
      nas.offUntil('2026-11-24T12:00:00Z');
      assert.equal(nas.scheduler.isOverdue(id), true);
      nas.pass(2 * MINUTE_MS);
      assert.equal(nas.scheduler.isOverdue(id), false);
    });
  });

  it('never while it runs as scheduled, is paused or is manual', () => {
    onNas('2026-11-21T00:00:00Z', (nas) => {
      const ids = [nas.add('a', daily('02:00')), nas.add('b', every(60)), nas.add('c', { kind: 'manual' })];
      const paused = nas.add('d', daily('02:00'));
      nas.tasks.setPaused(paused, true, nas.nowMs);
      nas.scheduler.reload();
      nas.start();
      for (let hour = 0; hour < 60; hour++) {
        nas.pass(HOUR_MS);
        for (const id of [...ids, paused]) assert.equal(nas.scheduler.isOverdue(id), false);
      }
    });
  });
});

describe('the real timer', () => {
  it('wakes once, also for a moment that has passed, and can be called off', async () => {
    const woken: string[] = [];
    const wakes = ['soon', 'past'].map(
      (name) =>
        new Promise<void>((resolve) => {
          jobTimer.at(Date.now() + (name === 'soon' ? 120 : -HOUR_MS), () => {
            woken.push(name);
            resolve();
          });
        }),
    );
    const cancel = jobTimer.at(Date.now() + 60, () => woken.push('cancelled'));
    cancel();
    await Promise.all(wakes);
    assert.deepEqual(woken.sort(), ['past', 'soon']);
  });
});
