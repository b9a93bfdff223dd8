import type { StoredOutcome } from '../../state/run-store.ts';

/** The one word for how a task is. Each has a text `st.<state>`. */
export type TaskState =
  | 'failed'
  | 'held'
  | 'partial'
  | 'overdue'
  | 'running'
  | 'queued'
  | 'interrupted'
  | 'ok'
  | 'paused'
  | 'never'
  | 'cancelled';

export type Tone = 'err' | 'warn' | 'run' | 'ok' | 'idle';

interface StateLook {
  /** Place in the list: 1 comes first. */
  readonly rank: number;
  readonly tone: Tone;
  readonly icon: string;
}

/** How a state looks: never by colour alone. */
export const STATE_LOOKS: Readonly<Record<TaskState, StateLook>> = {
  failed: { rank: 1, tone: 'err', icon: 'error' },
  held: { rank: 1, tone: 'warn', icon: 'warning' },
  partial: { rank: 2, tone: 'warn', icon: 'warning' },
  overdue: { rank: 2, tone: 'warn', icon: 'clock' },
  running: { rank: 3, tone: 'run', icon: 'running' },
  queued: { rank: 3, tone: 'idle', icon: 'clock' },
  interrupted: { rank: 3, tone: 'idle', icon: 'stopped' },
  ok: { rank: 4, tone: 'ok', icon: 'ok' },
  paused: { rank: 5, tone: 'idle', icon: 'paused' },
  never: { rank: 5, tone: 'idle', icon: 'never' },
  cancelled: { rank: 5, tone: 'idle', icon: 'stopped' },
};

export const TASK_STATES = Object.keys(STATE_LOOKS) as readonly TaskState[];

/** States that somebody has to look at. */
export const ATTENTION_STATES: ReadonlySet<TaskState> = new Set(['failed', 'held', 'partial', 'overdue']);

export interface TaskFacts {
  /** What the task is doing now. */
  readonly phase: 'queued' | 'running' | 'stopping' | undefined;
  /** Of the newest run that ended, simulations left out. */
  readonly lastOutcome: StoredOutcome | undefined;
  /** The error code that ended that run. */
  readonly lastCode: string | undefined;
  /** False where what is stored of the task cannot be used. */
  readonly isUsable: boolean;
  readonly isPaused: boolean;
  readonly isOverdue: boolean;
  /** A run was stopped at the end of the hours it may run in, and goes on when they begin again. */
  readonly waitsForHours: boolean;
  /** A guard has held a run, and nobody has said yet what is to become of it. */
  readonly needsDecision: boolean;
}

/** Codes by which a run stops and asks a person. */
const ASKING_CODES: ReadonlySet<string> = new Set(['certificate-changed']);

/** The state of a task. What it is doing comes first, then what somebody must decide, then what somebody has decided. */
export function taskState(facts: TaskFacts): TaskState {
  if (facts.phase === 'running' || facts.phase === 'stopping') return 'running';
  if (facts.phase === 'queued') return 'queued';
  if (!facts.isUsable) return 'failed';
  const { lastOutcome, lastCode } = facts;
  if (lastOutcome === 'failed' ? ASKING_CODES.has(lastCode ?? '') : facts.needsDecision) return 'held';
  if (facts.isPaused) return 'paused';
  if (lastOutcome === 'failed') return 'failed';
  if (facts.isOverdue) return 'overdue';
  if (facts.waitsForHours) return 'queued';
  switch (lastOutcome) {
    case 'complete':
      return 'ok';
    case 'incomplete':
    // Decided, and not done yet.
    case 'held':
      return 'partial';
    case 'cancelled':
      return 'cancelled';
    case 'interrupted':
      return 'interrupted';
    default:
      return 'never';
  }
}

/** The same looks for the outcome of one run. */
export function outcomeState(outcome: StoredOutcome): TaskState {
  switch (outcome) {
    case 'complete':
      return 'ok';
    case 'incomplete':
      return 'partial';
    default:
      return outcome;
  }
}
