import type { TaskSettings } from './task-settings.ts';

/** Settings as `parseTaskSettings` reads them, without the password: for storing, exporting and showing. */
export function taskSettingsJson(settings: TaskSettings): { readonly source: Readonly<Record<string, unknown>> } {
  // What is undefined is left out by the way through JSON; the schema knows no undefined.
  const source = { ...settings.source, password: undefined };
  return JSON.parse(JSON.stringify({ ...settings, source })) as { source: Record<string, unknown> };
}
