import type { Logger } from '../log.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import type { Estimate } from './estimate-source.ts';

/** Looks that are remembered, and that go on at the same time; further ones wait for nothing and tell nothing. */
const ESTIMATES_MAX = 50;
const LOOKS_AT_ONCE_MAX = 4;

/** How far a look at a site has come. */
export interface EstimateState {
  readonly isRunning: boolean;
  readonly estimate: Estimate;
}

interface KnownState extends EstimateState {
  /** What was looked at. */
  readonly of: string;
  readonly over: AbortController;
}

const NOTHING: Estimate = { files: 0, folders: 0, bytes: 0, isComplete: false, failure: undefined };

/** Looks through the site of a task. */
export type Look = (
  settings: Pick<TaskSettings, 'source' | 'filters'>,
  signal: AbortSignal,
  onProgress: (soFar: Estimate) => void,
) => Promise<Estimate>;

/** Looks at sites that are about to become tasks, by their draft. In memory only: a look costs a minute. */
export class Estimates {
  readonly #look: Look;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #states = new Map<string, KnownState>();
  #running = 0;

  constructor(look: Look, log: Logger) {
    this.#look = look;
    this.#log = log;
  }

  /** How far the look for this draft is; begins one where there is none, or its site or filters are others now. */
  of(draftId: string, settings: Pick<TaskSettings, 'source' | 'filters'>): EstimateState | undefined {
    const { source, filters } = settings;
    const of = JSON.stringify([source.protocol, source.host, source.port, source.user, source.folder, filters]);
    const known = this.#states.get(draftId);
    if (known?.of === of) return known;
    if (this.#running >= LOOKS_AT_ONCE_MAX || this.#stop.signal.aborted) return undefined;
    const state: KnownState = { isRunning: true, estimate: NOTHING, of, over: new AbortController() };
    this.forget(draftId);
    this.#states.set(draftId, state);
    const oldest = this.#states.size > ESTIMATES_MAX ? this.#states.keys().next().value : undefined;
    if (oldest !== undefined) this.forget(oldest);
    void this.#carryOut(draftId, settings, state);
    return state;
  }

  /** Ends the look for this draft: it has become a task, or was given up. */
  forget(draftId: string): void {
    this.#states.get(draftId)?.over.abort();
    this.#states.delete(draftId);
  }

  /** Ends all looks; what they have seen is told no more. */
  stop(): void {
    this.#stop.abort();
  }

  async #carryOut(
    draftId: string,
    settings: Pick<TaskSettings, 'source' | 'filters'>,
    state: KnownState,
  ): Promise<void> {
    this.#running++;
    const tell = (estimate: Estimate, isRunning: boolean): void => {
      const current = this.#states.get(draftId);
      if (current?.over === state.over) this.#states.set(draftId, { ...current, isRunning, estimate });
    };
    try {
      const estimate = await this.#look(settings, AbortSignal.any([this.#stop.signal, state.over.signal]), (soFar) => {
        tell(soFar, true);
      });
      tell(estimate, false);
    } catch (error) {
      this.#log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
      tell({ ...NOTHING, failure: { code: 'internal', facts: {} } }, false);
    } finally {
      this.#running--;
    }
  }
}
