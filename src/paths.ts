/**
 * Paths as both sides of the backup write them, names joined by slashes: on the server they begin with one and `/` is the
 * source folder; below the folders of a task they do not, and the empty path is the folder itself.
 */

/** The last name of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The folder that a path lies in: `/` of `/a`, the empty path of `a`. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === 0 ? '/' : path.slice(0, Math.max(slash, 0));
}

/** The path of `name` in `folder`. */
export function pathIn(folder: string, name: string): string {
  return folder === '' || folder === '/' ? folder + name : `${folder}/${name}`;
}

/** A name or path of the server, its bytes as latin1 text, as people and filters read it. What is no UTF-8 stays Latin-1. */
export function readablePath(path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : path;
}
