import type { TaskSettings } from './task-settings.ts';

/** Settings as `parseTaskSettings` reads them, without the password: for storing, exporting and showing. */
export function taskSettingsJson(settings: TaskSettings): { readonly source: Readonly<Record<string, unknown>> } {
  // What is undefined is left out by the way through JSON; the schema knows no undefined.
  const source = { ...settings.source, password: undefined };
  // But for guards: one that is left out would come back on, with its default.
  const guards = Object.fromEntries(
    Object.entries(settings.guards).map(([name, limit]) => [name, (limit as unknown) ?? null]),
  );
  return JSON.parse(JSON.stringify({ ...settings, source, guards })) as { source: Record<string, unknown> };
}
