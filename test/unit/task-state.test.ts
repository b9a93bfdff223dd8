import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { STATE_LOOKS, TASK_STATES, outcomeState, taskState } from '../../src/web/pages/task-state.ts';
import type { TaskFacts, TaskState } from '../../src/web/pages/task-state.ts';

const QUIET: TaskFacts = {
  phase: undefined,
  lastOutcome: 'complete',
  lastCode: undefined,
  isUsable: true,
  isPaused: false,
  isOverdue: false,
  waitsForHours: false,
  needsDecision: false,
};

const CASES: readonly (readonly [TaskState, string, Partial<TaskFacts>])[] = [
  ['failed', 'its last run failed', { lastOutcome: 'failed', lastCode: 'login-rejected' }],
  ['failed', 'what is stored of it cannot be used', { isUsable: false }],
  ['failed', 'its last run failed and it is overdue', { lastOutcome: 'failed', isOverdue: true }],
  ['held', 'a guard held its last run', { lastOutcome: 'held', needsDecision: true }],
  ['held', 'the certificate has changed', { lastOutcome: 'failed', lastCode: 'certificate-changed' }],
  [
    'held',
    'it waits for a decision, even when its schedule is paused',
    { lastOutcome: 'held', needsDecision: true, isPaused: true },
  ],
  ['held', 'somebody stopped the run after the held one', { lastOutcome: 'cancelled', needsDecision: true }],
  ['failed', 'it failed after it was held', { lastOutcome: 'failed', lastCode: 'host-unknown', needsDecision: true }],
  ['partial', 'it was held and somebody has decided', { lastOutcome: 'held' }],
  ['partial', 'something was not copied', { lastOutcome: 'incomplete' }],
  ['overdue', 'the scheduled run did not start', { isOverdue: true }],
  ['overdue', 'it never ran, and should have', { lastOutcome: undefined, isOverdue: true }],
  ['running', 'it runs, whatever was before', { phase: 'running', lastOutcome: 'failed', isPaused: true }],
  ['running', 'it is being stopped', { phase: 'stopping' }],
  ['queued', 'it waits for its turn', { phase: 'queued' }],
  ['queued', 'it waits for the hours that it may run in', { lastOutcome: 'cancelled', waitsForHours: true }],
  ['interrupted', 'the NAS went down', { lastOutcome: 'interrupted' }],
  ['ok', 'its last run was complete', {}],
  ['paused', 'its schedule is paused', { isPaused: true }],
  ['paused', 'somebody paused it after a failure', { isPaused: true, lastOutcome: 'failed' }],
  ['never', 'it has not run yet', { lastOutcome: undefined }],
  ['cancelled', 'somebody stopped it', { lastOutcome: 'cancelled' }],
];

describe('the state of a task', () => {
  for (const [state, reason, facts] of CASES) {
    it(`is ${state} when ${reason}`, () => {
      assert.equal(taskState({ ...QUIET, ...facts }), state);
    });
  }

  it('can be each of the eleven states', () => {
    assert.deepEqual(new Set(CASES.map(([state]) => state)), new Set(TASK_STATES));
    assert.equal(TASK_STATES.length, 11);
  });

  it('never says up to date of a run that was not complete', () => {
    for (const lastOutcome of ['failed', 'held', 'incomplete', 'cancelled', 'interrupted', undefined] as const) {
      assert.notEqual(taskState({ ...QUIET, lastOutcome }), 'ok');
    }
  });

  it('is told by an icon that its colour alone does not share with another meaning', () => {
    const worrying = TASK_STATES.filter((state) => STATE_LOOKS[state].tone === 'err');
    assert.deepEqual(worrying, ['failed']);
    assert.equal(STATE_LOOKS[outcomeState('complete')].icon, 'ok');
    assert.notEqual(STATE_LOOKS.ok.icon, STATE_LOOKS.partial.icon);
  });
});
