import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { systemSecrets } from '../settings/password-source.ts';
import { parseTaskSettings } from '../settings/parse-task.ts';
import { fieldName, type SettingsFault } from '../settings/settings-fault.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import type { Text } from '../text.ts';
import { jsonFault } from './json-fault.ts';
import { printable } from './printable.ts';

/** Larger files are not tasks. */
const TASK_FILE_BYTES_MAX = 1024 * 1024;

/** Reads a task file. All that is wrong with it comes back at once. */
export function readTask(
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
): { settings: TaskSettings } | { faults: readonly SettingsFault[] } {
  let text: string;
  try {
    const descriptor = openSync(file, 'r');
    try {
      if (fstatSync(descriptor).size > TASK_FILE_BYTES_MAX) {
        return documentFault('fault.file-too-large', { max: TASK_FILE_BYTES_MAX });
      }
      text = readFileSync(descriptor, 'utf8').replace(/^\ufeff/, '');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return documentFault('fault.file-unreadable', { reason: (error as NodeJS.ErrnoException).code ?? 'unknown' });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return documentFault('fault.not-json', jsonFault(text) ?? { line: 1, column: 1 });
  }
  return parseTaskSettings(json, systemSecrets(environment, dirname(resolve(file))));
}

function documentFault(key: string, facts: SettingsFault['facts']): { faults: readonly SettingsFault[] } {
  return { faults: [{ path: '', key, facts, allowed: undefined }] };
}

/** One sentence a fault, for a terminal. */
export function faultLines(file: string, faults: readonly SettingsFault[], text: Text): string[] {
  const lines = faults.map((fault) => {
    const allowed = fault.allowed === undefined ? undefined : text.t(fault.allowed, fault.facts);
    const what = text.t(fault.key, { ...fault.facts, allowed });
    return fault.path === '' ? what : text.t('fault.sentence', { field: fieldName(fault.path), what });
  });
  const isAboutFile = faults.some((fault) => fault.path === '');
  const heading = isAboutFile
    ? text.t('settings.heading-file', { file })
    : text.t('settings.heading', { file, count: faults.length });
  return [heading, ...lines.map((line) => `  ${line}`)].map(printable);
}
