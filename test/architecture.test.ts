/** Who may import whom, as ARCHITECTURE.md draws it: the table below is that drawing, and the sources must fit it. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, it } from 'node:test';

const SRC = resolve(import.meta.dirname, '../src');

const LEAVES = ['errors', 'log', 'clock', 'paths', 'program-files', 'text', 'settings'];

/** For each part of `src` (a folder, or a file at the top), the other parts it may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  clock: [],
  log: ['errors', 'clock'],
  'program-files': [],
  text: ['errors', 'program-files'],
  settings: ['errors', 'text'],
  remote: LEAVES,
  'remote/ftp': [...LEAVES, 'remote'],
  local: LEAVES,
  state: LEAVES,
  engine: [...LEAVES, 'remote', 'local', 'state'],
  tasks: [...LEAVES, 'remote', 'state', 'engine'],
  notify: [...LEAVES, 'state', 'tasks'],
  web: [...LEAVES, 'state', 'tasks'],
  cli: [...LEAVES, 'remote', 'local', 'state', 'engine', 'tasks'],
  service: [...LEAVES, 'remote', 'state', 'tasks', 'notify', 'web'],
  'service-or-repair': [...LEAVES, 'service', 'web'],
  main: [...LEAVES, 'service-or-repair'],
};

/** One owner for each third-party package. */
const PACKAGE_OWNERS: Readonly<Record<string, string>> = {
  'basic-ftp': 'remote/ftp',
  'better-sqlite3': 'state',
  ajv: 'settings',
  picomatch: 'settings',
  'node-schedule': 'tasks',
  express: 'web',
  ejs: 'web',
  helmet: 'web',
  cookie: 'web',
};

interface Import {
  readonly file: string;
  readonly part: string;
  readonly specifier: string;
}

const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name));

const imports: Import[] = files.flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom\s+|import\()'([^']+)'/g)].map((match) => ({
    file: relative(SRC, file),
    part: partOf(file),
    specifier: match[1] ?? '',
  })),
);

function partOf(file: string): string {
  const path = relative(SRC, file);
  if (path.startsWith('remote/ftp/') || path.startsWith('remote/sftp/')) return path.split('/').slice(0, 2).join('/');
  return path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, '');
}

describe('the architecture', () => {
  it('lets each part import only what lies below it', () => {
    const faults = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map((imported) => ({ ...imported, to: partOf(resolve(SRC, dirname(imported.file), imported.specifier)) }))
      .filter(({ part, to }) => part !== to && MAY_IMPORT[part]?.includes(to) !== true)
      // The one file that chooses an adapter.
      .filter(({ file, to }) => !(file === 'remote/open-source.ts' && to.startsWith('remote/')))
      .map(({ file, to }) => `${file} imports ${to}`);
    assert.deepEqual(faults, []);
  });

  it('lets only tasks, service and cli open a source', () => {
    const faults = imports
      .filter(
        ({ specifier, part }) => specifier.endsWith('/open-source.ts') && !['tasks', 'service', 'cli'].includes(part),
      )
      .map(({ file }) => file);
    assert.deepEqual(faults, []);
  });

  it('gives the engine the port and no adapter', () => {
    const faults = imports
      .filter(({ part, specifier }) => part === 'engine' && /\/remote\/(?!remote\.ts$)/.test(specifier))
      .map(({ file, specifier }) => `${file} imports ${specifier}`);
    assert.deepEqual(faults, []);
  });

  it('gives each third-party package one owner', () => {
    const faults = imports
      .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .filter(({ specifier, part }) => {
        const name = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0];
        return PACKAGE_OWNERS[name ?? ''] !== part;
      })
      .map(({ file, specifier }) => `${file} imports ${specifier}`);
    assert.deepEqual(faults, []);
  });

  it('has no circle of imports, not even of types', () => {
    let left = new Map(files.map((file) => [relative(SRC, file), [] as string[]]));
    for (const { file, specifier } of imports) {
      if (specifier.startsWith('.')) left.get(file)?.push(relative(SRC, resolve(SRC, dirname(file), specifier)));
    }
    // Whatever imports nothing that is left can be taken away; what cannot, in the end, stands in a circle or above one.
    for (let before = Infinity; left.size < before;) {
      before = left.size;
      const known = left;
      left = new Map([...known].filter(([, imported]) => imported.some((file) => known.has(file))));
    }
    assert.deepEqual([...left.keys()], []);
  });

  it('has no file for odds and ends', () => {
    const faults = files.filter((file) => /\/(utils?|helpers?|common|types|index|misc)\.ts$/.test(file));
    assert.deepEqual(faults, []);
  });
});
