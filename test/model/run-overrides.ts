import type { GuardSettings } from '../../src/settings/task-settings.ts';
import { NO_GUARDS } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { VANISHED_FILES_LIMIT } from './backup-model.ts';
import type { Rules, Run } from './history.ts';

const GUARDS: GuardSettings = { ...NO_GUARDS, vanishedFiles: VANISHED_FILES_LIMIT, emptiedFolders: true };

/** Nothing is in its way. */
export const PLAIN: Run = { do: 'run', how: 'plain', at: 1, connections: 3, attempts: 4, faults: [], meanwhile: [] };

export const FIRST_RULES: Rules = {
  do: 'rules',
  deletion: 'archive',
  days: 30,
  keep: 'all',
  count: 3,
  quotaBytes: undefined,
  hasGuards: false,
  sampleBytes: 0,
  rehashDays: 0,
};

/** A run of a history as the fixture makes it. */
export function overridesFor(
  run: Run,
  rules: Rules,
  task: Required<Pick<RunOverrides, 'exclude' | 'clockOffsetMs'>>,
): RunOverrides {
  const { deletion, days, keep, count, quotaBytes, hasGuards, sampleBytes, rehashDays } = rules;
  return {
    ...task,
    connections: run.connections,
    deletion: { rule: deletion, days },
    versions: { quotaBytes, keep, count, days: count, daily: count, hourly: count, weekly: 1, monthly: 1, yearly: 0 },
    guards: hasGuards ? GUARDS : NO_GUARDS,
    verification: { sampleBytes, rehashDays },
    attempts: run.attempts,
    isForced: run.how === 'forced',
    isDryRun: run.how === 'dry',
  };
}
