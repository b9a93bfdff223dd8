import type { Services } from '../services.ts';

/** What people do on the pages; each has a text `activity.<action>`. */
export type PageAction =
  | 'task-created'
  | 'task-changed'
  | 'task-duplicated'
  | 'hold-kept'
  | 'folder-adopted'
  | 'hold-accepted'
  | 'version-pinned'
  | 'version-unpinned'
  | 'version-deleted'
  | 'content-deleted'
  | 'task-paused'
  | 'task-resumed'
  | 'run-stopped'
  | 'task-deleted'
  | 'task-files-deleting'
  | 'task-files-deleted'
  | 'task-files-left'
  | 'schedules-paused'
  | 'schedules-resumed'
  | 'settings-changed'
  | 'database-compacted'
  | 'integrity-checked'
  | 'diagnostics-downloaded';

/**
 * Writes down who did what. Never a secret, and no words of one language: `detail` is a name, a path, the key of a text, or
 * a moment in ms since 1970, as activity-rows.ts reads it.
 */
export function noteActivity(
  services: Services,
  actor: string | undefined,
  action: PageAction,
  subject?: string,
  detail?: string,
): void {
  services.activity.add({ atMs: services.clock.nowMs(), actor, action, subject, detail });
}
