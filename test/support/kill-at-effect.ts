/**
 * For `node --import`, before the compiled command line: the process kills itself with SIGKILL right after the effect of
 * number KILL_AT that outlives it, a change in the target folder or a commit of a database. A write is cut in half. What lies
 * between two effects leaves the same behind as the first of them, so that all numbers together are all moments. With KILL_ON,
 * a regular expression, only effects that it describes are counted. KILL_LIST: a file that gets a line for each effect.
 */
import { appendFileSync, constants } from 'node:fs';
import { basename, dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import type { TargetFile, TargetFs } from '../../src/local/target-fs.ts';

const killAt = Number(process.env['KILL_AT'] ?? '0');
const killOn = new RegExp(process.env['KILL_ON'] ?? '');
const list = process.env['KILL_LIST'];
let effects = 0;

/** True where the effect is the last one: it is for a caller that wants to do half of it. */
function isLast(what: string): boolean {
  if (list !== undefined) appendFileSync(list, `${what}\n`);
  return killOn.test(what) && ++effects === killAt;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;);
}

function met(what: string): void {
  if (isLast(what)) die();
}

function nameOf(path: string): string {
  return `${basename(dirname(path))}/${basename(path)}`;
}

const { systemFs } = (await import(new URL('local/target-fs.js', pathToFileURL(process.argv[1] ?? '')).href)) as {
  systemFs: TargetFs;
};
const real: TargetFs = { ...systemFs };

async function after<T>(effect: Promise<T>, what: string): Promise<T> {
  const result = await effect;
  met(what);
  return result;
}

function watched(file: TargetFile, path: string): TargetFile {
  return {
    read: (...args) => file.read(...args),
    sync: () => file.sync(),
    close: () => file.close(),
    truncate: (size) => after(file.truncate(size), `truncate ${nameOf(path)}`),
    utimes: (...args) => after(file.utimes(...args), `utimes ${nameOf(path)}`),
    write: async (buffer, offset, length, position) => {
      if (isLast(`write ${nameOf(path)}`)) {
        await file.write(buffer, offset, Math.floor(length / 2), position);
        die();
      }
      return file.write(buffer, offset, length, position);
    },
  };
}

Object.assign(systemFs, {
  ...real,
  open: async (path, flags, mode) => {
    const file = watched(await real.open(path, flags, mode), path);
    if ((flags & constants.O_CREAT) !== 0) met(`create ${nameOf(path)}`);
    return file;
  },
  link: (from, to) => after(real.link(from, to), `link ${nameOf(to)}`),
  mkdir: (path, options) => after(real.mkdir(path, options), `mkdir ${nameOf(path)}`),
  rename: (from, to) => after(real.rename(from, to), `rename ${nameOf(from)} ${nameOf(to)}`),
  rmdir: (path) => after(real.rmdir(path), `rmdir ${nameOf(path)}`),
  unlink: (path) => after(real.unlink(path), `unlink ${nameOf(path)}`),
} satisfies TargetFs);

type Body = (...args: unknown[]) => unknown;

const { prepare, transaction } = Database.prototype as unknown as {
  readonly prepare: (this: Database.Database, sql: string) => Database.Statement;
  readonly transaction: (this: Database.Database, body: Body) => Body;
};

Object.assign(Database.prototype, {
  transaction(this: Database.Database, body: Body): Body {
    const committing = transaction.call(this, body);
    return (...args) => {
      const isOutermost = !this.inTransaction;
      const result = committing(...args);
      if (isOutermost) met(`commit ${basename(this.name)}`);
      return result;
    };
  },
  prepare(this: Database.Database, sql: string): Database.Statement {
    const statement = prepare.call(this, sql);
    const run = statement.run.bind(statement);
    statement.run = (...args) => {
      const result = run(...args);
      if (!this.inTransaction && !statement.readonly) met(`commit ${basename(this.name)} ${sql.trim().slice(0, 30)}`);
      return result;
    };
    return statement;
  },
});
