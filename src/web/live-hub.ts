import type { RunnerEvent, TaskActivity } from '../tasks/task-runner.ts';
import type { Services } from './services.ts';

/** Watchers are told at most this often. */
const TICK_MS = 1000;
/** One point of the throughput chart. */
export const POINT_MS = 10_000;
export const POINTS_MAX = 60;
/** Over this time the files per second are counted. */
const RATE_TICKS = 10;

/** What a run under way has told over time, beside its newest numbers. */
export interface RunTrail {
  /** Bytes per second, one each POINT_MS, oldest first; at most POINTS_MAX. */
  readonly points: readonly number[];
  readonly filesPerSecond: number;
  /** When the stage that it is in began. */
  readonly stageSinceMs: number;
  /** When something last arrived or was found. */
  readonly movedMs: number;
}

interface Trail {
  points: number[];
  pointMs: number;
  pointBytes: number;
  ticks: number[];
  stage: string | undefined;
  stageSinceMs: number;
  movedMs: number;
  moved: string;
  filesFailed: number;
}

/** Told at most once a second, and only when something may have changed. */
export interface LiveListener {
  /** Numbers of runs have moved on. */
  onTick(): void;
  /** A page that shows the task, or the list of tasks, is no longer right: a run began, ended, or came to another stage. */
  onChange(taskId: number, event: RunnerEvent): void;
}

/** Watches the runner for all pages of the service: one place that samples, however many look. */
export class LiveHub {
  readonly #services: Services;
  readonly #trails = new Map<number, Trail>();
  readonly #listeners = new Set<LiveListener>();
  readonly #startedMs: number;
  #changes = 0;
  #timer: NodeJS.Timeout | undefined;
  #hasMoved = false;

  constructor(services: Services) {
    this.#services = services;
    this.#startedMs = services.clock.nowMs();
    services.runner.subscribe((event) => {
      this.#onEvent(event);
    });
  }

  /** Changes with every change that a shown page cannot follow by numbers alone, and with every start of the service. */
  get sequence(): string {
    return `${this.#startedMs.toString(36)}-${this.#changes}`;
  }

  trail(runId: number): RunTrail | undefined {
    const trail = this.#trails.get(runId);
    if (trail === undefined) return undefined;
    const { points, stageSinceMs, movedMs, ticks } = trail;
    const files = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0);
    const filesPerSecond = ticks.length < 2 ? 0 : Math.max(0, files / (ticks.length - 1));
    return { points, stageSinceMs, movedMs, filesPerSecond };
  }

  /** Gives a function that ends the subscription. */
  listen(listener: LiveListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  #onEvent(event: RunnerEvent): void {
    this.#hasMoved = true;
    this.#timer ??= setInterval(() => {
      this.#tick();
    }, TICK_MS).unref();
    if (event.kind === 'ended') {
      this.#trails.delete(event.runId);
      this.#change(event.taskId, event);
      return;
    }
    const { activity } = event;
    const isOther = this.#follow(activity);
    if (isOther || event.kind === 'phase') this.#change(activity.taskId, event);
  }

  /** True where the page needs more than new numbers: another stage, or another error to show. */
  #follow(activity: TaskActivity): boolean {
    const nowMs = this.#services.clock.nowMs();
    const { progress } = activity;
    const trail = this.#trails.get(activity.runId) ?? newTrail(nowMs);
    this.#trails.set(activity.runId, trail);
    if (progress === undefined) return false;
    const moved = `${progress.bytesDone} ${progress.filesDone} ${progress.filesListed} ${progress.foldersListed}`;
    if (moved !== trail.moved) {
      trail.moved = moved;
      trail.movedMs = nowMs;
    }
    const isOther = progress.stage !== trail.stage || progress.filesFailed !== trail.filesFailed;
    if (progress.stage !== trail.stage) trail.stageSinceMs = nowMs;
    trail.stage = progress.stage;
    trail.filesFailed = progress.filesFailed;
    return isOther;
  }

  #change(taskId: number, event: RunnerEvent): void {
    this.#changes++;
    for (const listener of [...this.#listeners]) listener.onChange(taskId, event);
  }

  #tick(): void {
    const activities = this.#services.runner.activities();
    for (const activity of activities) this.#sample(activity);
    // Time passes also in a run that tells nothing.
    if (this.#hasMoved || activities.length > 0) {
      for (const listener of [...this.#listeners]) this.#tellTick(listener);
    }
    this.#hasMoved = false;
    if (activities.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tellTick(listener: LiveListener): void {
    try {
      listener.onTick();
    } catch (error) {
      this.#services.log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
    }
  }

  #sample({ runId, progress }: TaskActivity): void {
    const trail = this.#trails.get(runId);
    if (trail === undefined || progress === undefined) return;
    trail.ticks.push(progress.filesDone + progress.filesFailed);
    if (trail.ticks.length > RATE_TICKS + 1) trail.ticks.shift();
    const nowMs = this.#services.clock.nowMs();
    if (nowMs - trail.pointMs < POINT_MS) return;
    const seconds = (nowMs - trail.pointMs) / 1000;
    // A transfer that begins anew gives bytes back.
    trail.points.push(Math.max(0, Math.round((progress.bytesDone - trail.pointBytes) / seconds)));
    if (trail.points.length > POINTS_MAX) trail.points.shift();
    trail.pointMs = nowMs;
    trail.pointBytes = progress.bytesDone;
  }
}

function newTrail(nowMs: number): Trail {
  return {
    points: [],
    pointMs: nowMs,
    pointBytes: 0,
    ticks: [],
    stage: undefined,
    stageSinceMs: nowMs,
    movedMs: nowMs,
    moved: '',
    filesFailed: 0,
  };
}

const hubs = new WeakMap<Services, LiveHub>();

/** The one hub of these services. */
export function liveHubOf(services: Services): LiveHub {
  let hub = hubs.get(services);
  if (hub === undefined) {
    hub = new LiveHub(services);
    hubs.set(services, hub);
  }
  return hub;
}
