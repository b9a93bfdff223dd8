import type { RemotePath } from '../remote/remote.ts';

/** A path that was typed, counted from the task's source folder, as the server's bytes. */
export function remotePath(typed: string): RemotePath {
  const parts = typed.split('/').filter((part) => part !== '');
  return `/${Buffer.from(parts.join('/'), 'utf8').toString('latin1')}` as RemotePath;
}
