import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** The programs that run in threads of their own. */
export type ThreadName = 'run-worker' | 'maintenance-worker' | 'adopt-worker' | 'prune-worker' | 'delete-worker';

/** Starts the file of this folder with that name in a thread, with `data` as its workerData. */
export function startThread(name: ThreadName, data: unknown): Worker {
  const isCompiled = import.meta.url.endsWith('.js');
  const file = new URL(`./${name}.${isCompiled ? 'js' : 'ts'}`, import.meta.url);
  if (isCompiled) return new Worker(file, { workerData: data });
  // From the sources, for tests and development: a thread does not inherit the loader of its process. test/run.ts has
  // compiled these sources a moment ago.
  const compiled = process.env['SITE_BACKUP_COMPILED'];
  if (compiled !== undefined) return new Worker(join(compiled, 'tasks', `${name}.js`), { workerData: data });
  const load = `import("tsx/esm/api").then(({ register }) => { register(); return import("${file.href}"); });`;
  return new Worker(load, { eval: true, workerData: data });
}
