import { queryBytes } from './bytes-query.ts';

const SLUG_LENGTH_MAX = 40;

/** The path of a task's page. Only the number counts, so that old links live on after a rename. */
export function taskPath(task: { readonly id: number; readonly name: string }): string {
  const slug = slugOf(task.name);
  return slug === '' ? `/tasks/${task.id}` : `/tasks/${task.id}-${slug}`;
}

/** The page of every content that the file `path` (bytes as latin1 text) has had. */
export function historyPath(taskId: number, path: string): string {
  return `/tasks/${taskId}/file?path=${queryBytes(path)}`;
}

/** Where one content of a file is fetched or deleted; without `key` what lies there now. */
export function contentPath(
  taskId: number,
  path: string,
  key: { readonly untilRun: number; readonly rowId: number } | undefined,
  what: 'content' | 'delete',
): string {
  const version = key === undefined ? '' : `&version=${key.untilRun}-${key.rowId}`;
  return `/tasks/${taskId}/file/${what}?path=${queryBytes(path)}${version}`;
}

/** `Boutique Lumière` as `boutique-lumiere`: for a URL or the name of a new folder. Empty where no letter is left. */
export function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_LENGTH_MAX)
    .replace(/^-+|-+$/g, '');
}

/** The page that helps a run whose cause is `code`, as permissions do; undefined where they do not. */
export function permissionPath(code: string | undefined, path: unknown): string | undefined {
  if (code !== 'target-read-only') return undefined;
  return typeof path === 'string' ? `/permission?folder=${encodeURIComponent(path)}` : '/permission';
}

/** The number in `7-garage-morel` or `7`; undefined for anything else. */
export function idOf(value: unknown): number | undefined {
  const match = typeof value === 'string' ? /^(\d{1,15})(?:-[^/]*)?$/.exec(value) : null;
  const id = Number(match?.[1]);
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}
