import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { plan } from '../../src/engine/plan.ts';
import { ProgressMeter } from '../../src/engine/progress.ts';
import type { RunContext } from '../../src/engine/run-context.ts';
import { silentLog } from '../../src/log.ts';
import type { NameLimits } from '../../src/local/local-name.ts';
import { compileFilter } from '../../src/settings/filter-rules.ts';
import { openDatabase } from '../../src/state/database.ts';
import { FileIndex } from '../../src/state/file-index.ts';
import { TASK_MIGRATIONS } from '../../src/state/migrations/task-migrations.ts';
import { NameRegister } from '../../src/state/name-register.ts';
import { RunResults } from '../../src/state/run-results.ts';
import { RunTables } from '../../src/state/run-tables.ts';
import { SubtreeIndex } from '../../src/state/subtree-index.ts';
import { markVanished } from '../../src/engine/mark-vanished.ts';
import type { EntryRow } from '../../src/state/run-rows.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { bytesOf } from '../support/tree-compare.ts';

/** A folder as it was listed. */
interface Listed {
  readonly entries: readonly EntryRow[];
  readonly incomplete: string | undefined;
}
/** What a scan saw, by folder; a folder that is an entry and not a key here failed to be listed. */
type Seen = Readonly<Record<string, readonly EntryRow[] | Listed>>;

const ENTRY: Omit<EntryRow, 'name' | 'type'> = {
  sizeBytes: 10,
  stamp: '20260520120000',
  stampMs: Date.UTC(2026, 4, 20, 12),
  precision: 'second',
  unique: undefined,
  mode: undefined,
  leadsTo: undefined,
};
const file = (name: string, change: Partial<EntryRow> = {}): EntryRow => ({
  ...ENTRY,
  name: bytesOf(name),
  type: 'file',
  ...change,
});
const folder = (name: string): EntryRow => ({ ...ENTRY, sizeBytes: 0, name: bytesOf(name), type: 'folder' });
const other = (name: string, type: string): EntryRow => ({ ...folder(name), type, leadsTo: 'elsewhere' });
const newer = { stamp: '20260521130000', stampMs: Date.UTC(2026, 4, 21, 13) };
const cut = (...entries: EntryRow[]): Listed => ({ entries, incomplete: 'listing-truncated' });

/** The tables of one task, with a scan and a transfer that only do what they are told. */
class PlanBench {
  readonly #db = openDatabase(':memory:', TASK_MIGRATIONS);
  readonly tables = new RunTables(this.#db);
  readonly results = new RunResults(this.#db);
  readonly index = new FileIndex(this.#db);
  readonly subtrees = new SubtreeIndex(this.#db);
  readonly notices: string[] = [];
  readonly #limits: NameLimits;
  readonly #context: RunContext;
  #runId = 0;

  constructor(limits: Partial<NameLimits> = {}) {
    const clock = new FakeClock();
    const signal = new AbortController().signal;
    this.#limits = { nameBytesMax: 255, isCaseSensitive: true, ...limits };
    const filters = {
      include: [],
      exclude: [],
      sets: [],
      minSizeBytes: undefined,
      maxSizeBytes: undefined,
      newerThanDays: undefined,
      olderThanDays: undefined,
    };
    this.#context = {
      // The plan asks for none of these.
      settings: undefined as never,
      pool: undefined as never,
      speedLimit: undefined as never,
      guards: undefined as never,
      holds: undefined as never,
      hidden: undefined as never,
      versions: undefined as never,
      runId: 1,
      isForced: false,
      filter: compileFilter(filters),
      fingerprintSalt: '',
      tables: this.tables,
      results: this.results,
      index: this.index,
      subtrees: this.subtrees,
      names: new NameRegister(this.#db),
      progress: new ProgressMeter(clock, undefined),
      clock,
      log: silentLog,
      signal,
      notice: (code, path) => this.notices.push(`${code} ${path ?? ''}`),
    };
  }

  /** A scan that saw this, and the plan that follows: each step as `action path (reason) -> place`. */
  async plan(seen: Seen, rules: { isForced?: boolean; hasStat?: boolean } = {}): Promise<string[]> {
    this.notices.length = 0;
    this.#scan(seen);
    await this.planAgain(rules);
    return this.steps();
  }

  planAgain(rules: { isForced?: boolean; hasStat?: boolean } = {}): Promise<void> {
    return plan(this.#context, { limits: this.#limits, rules: { isForced: false, hasStat: true, ...rules } });
  }

  /** Does what was planned, as a transfer without trouble does. */
  carryOut(): void {
    for (const step of this.tables.steps('todo', ['retire', 'retire-folder'], 0, 10_000)) {
      const path = this.#pathOf(step.runFolderId, step.name);
      if (step.action === 'retire') this.index.removeFile(this.tables.folderIdOf(step.runFolderId), step.name);
      else this.subtrees.removeSubtree(path, 1);
      this.tables.setStep(step.id, 'done');
    }
    for (const step of this.tables.steps('todo', ['download', 'recheck'], 0, 10_000)) {
      const entry = this.tables.entry(step.runFolderId, step.name);
      assert.ok(entry);
      const localName = step.localPath.slice(step.localPath.lastIndexOf('/') + 1);
      const record = { ...entry, modifiedMs: entry.stampMs, sha256: Buffer.alloc(32), localName, isUnsettled: false };
      this.index.putFile(this.tables.folderIdOf(step.runFolderId), record, this.#runId);
      this.tables.setStep(step.id, 'done');
    }
    markVanished({ tables: this.tables, index: this.index, subtrees: this.subtrees, runId: this.#runId });
    this.tables.settleFolders(this.#runId);
  }

  /** A whole run that saw this. */
  async run(seen: Seen): Promise<string[]> {
    const steps = await this.plan(seen);
    this.carryOut();
    return steps;
  }

  steps(): string[] {
    const all = ['retire', 'retire-folder', 'download', 'recheck', 'vanish', 'vanish-folder'] as const;
    return this.tables.steps('todo', all, 0, 10_000).map((step) => {
      const path = this.#pathOf(step.runFolderId, step.name);
      const place = `/${step.localPath}` === path ? '' : ` -> ${step.localPath}`;
      const files = step.fileCount === 1 ? '' : ` x${step.fileCount}`;
      const reason = step.action === 'download' || step.action === 'recheck' ? ` (${step.reason})` : '';
      return `${step.action} ${path}${reason}${files}${place}`;
    });
  }

  /** Remote paths of files that are marked missing. */
  missing(...folders: string[]): string[] {
    return folders.flatMap((path) =>
      this.index
        .files(this.index.folder(path)?.id ?? 0, '', 10_000)
        .filter(({ missingSinceRun }) => missingSinceRun !== undefined)
        .map(({ name }) => (path === '/' ? `/${name}` : `${path}/${name}`)),
    );
  }

  #scan(seen: Seen): void {
    this.#runId++;
    this.tables.begin({ runId: this.#runId, key: '', startedMs: 0, stage: 'planning' }, '/');
    for (let waiting = this.tables.folders('waiting', 0, 1); waiting[0] !== undefined;) {
      const [found] = waiting;
      this.#list(found.id, found.path, seen[found.path]);
      waiting = this.tables.folders('waiting', 0, 1);
    }
  }

  #list(id: number, path: string, given: Seen[string] | undefined): void {
    if (given === undefined) {
      this.tables.setFailed(id, 'listing-refused', undefined);
      return;
    }
    const { entries, incomplete } = isListed(given) ? given : { entries: given, incomplete: undefined };
    const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
    const fingerprint = createHash('sha256').update(JSON.stringify(sorted)).digest();
    const isUnchanged = incomplete === undefined && this.index.folder(path)?.fingerprint?.equals(fingerprint) === true;
    if (!isUnchanged) this.tables.addEntries(id, entries);
    this.tables.setListed(id, {
      incomplete,
      detail: undefined,
      fingerprint,
      entryCount: entries.length,
      fileCount: entries.filter(({ type }) => type === 'file').length,
      isUnchanged,
      aliasOf: undefined,
    });
    const parent = this.tables.folderById(id);
    assert.ok(parent);
    const subfolders = entries
      .filter(({ type }) => type === 'folder')
      .map(({ name }) => ({
        path: path === '/' ? `/${name}` : `${path}/${name}`,
        unique: undefined,
        state: 'waiting' as const,
      }));
    this.tables.addSubfolders(parent, subfolders);
  }

  #pathOf(runFolderId: number, name: string): string {
    const path = this.tables.folderById(runFolderId)?.path ?? '';
    return path === '/' ? `/${name}` : `${path}/${name}`;
  }
}

function isListed(seen: readonly EntryRow[] | Listed): seen is Listed {
  return 'incomplete' in seen;
}

const SITE: Seen = {
  '/': [file('a'), file('b'), folder('img')],
  '/img': [file('1.jpg'), file('2.jpg'), folder('old')],
  '/img/old': [file('0.jpg')],
};

describe('the plan', () => {
  it('brings everything at first, and nothing when all is as it was', async () => {
    const bench = new PlanBench();
    assert.deepEqual(await bench.run(SITE), [
      'download /a (new)',
      'download /b (new)',
      'download /img/1.jpg (new)',
      'download /img/2.jpg (new)',
      'download /img/old/0.jpg (new)',
    ]);
    assert.deepEqual(await bench.plan(SITE), []);
    assert.equal(bench.results.counts().unchanged, 5);
    assert.deepEqual(bench.tables.entries(1, '', 10), [], 'a folder that is as it was costs more than its row');
  });

  it('says nothing else when it is made twice', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    const seen = { ...SITE, '/': [file('a', newer), file('c'), file('img')] };
    const first = await bench.plan(seen);
    await bench.planAgain();
    assert.deepEqual(bench.steps(), first);
    assert.equal(bench.results.counts().unchanged, 0);
  });

  it('compares entry by entry after a run that did not bring all', async () => {
    const bench = new PlanBench();
    await bench.plan(SITE);
    assert.deepEqual((await bench.plan(SITE)).length, 5);
    bench.carryOut();
    assert.deepEqual(await bench.plan(SITE), []);
  });

  it('tells new, changed and vanished files of one folder apart', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    const steps = await bench.run({
      ...SITE,
      '/img': [file('0.jpg'), file('1.jpg', newer), file('3.jpg'), folder('old')],
    });
    assert.deepEqual(steps, [
      'download /img/0.jpg (new)',
      'download /img/1.jpg (changed)',
      'vanish /img/2.jpg',
      'download /img/3.jpg (new)',
    ]);
    assert.deepEqual(bench.missing('/img'), ['/img/2.jpg']);
  });

  it('says once that a file has vanished, and finds it again without bringing it', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    const without = { ...SITE, '/': [file('a'), folder('img')] };
    assert.deepEqual(await bench.run(without), ['vanish /b']);
    assert.deepEqual(await bench.run({ ...without, '/': [file('a'), file('c'), folder('img')] }), [
      'download /c (new)',
    ]);
    assert.deepEqual(bench.missing('/'), ['/b']);
    assert.deepEqual(await bench.run(SITE), ['vanish /c']);
    assert.deepEqual(bench.missing('/'), ['/c']);
  });

  it('marks a whole folder that has vanished, and finds it again', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    const without = { '/': [file('a'), file('b')] };
    assert.deepEqual(await bench.run(without), ['vanish-folder /img x3']);
    assert.deepEqual(bench.missing('/img', '/img/old'), ['/img/1.jpg', '/img/2.jpg', '/img/old/0.jpg']);
    assert.deepEqual(await bench.plan(without), [], 'told again');
    assert.deepEqual(await bench.run({ ...SITE, '/img': [file('1.jpg'), folder('old')] }), []);
    assert.deepEqual(bench.missing('/img', '/img/old'), ['/img/2.jpg']);
  });

  it('brings nothing that a filter leaves out, and keeps what was brought before', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    assert.deepEqual(await bench.run({ '/': [file('a'), other('b', 'excluded'), other('img', 'excluded')] }), []);
    assert.deepEqual(bench.missing('/', '/img', '/img/old'), []);
  });

  it('copies no links and no devices, and says so', async () => {
    const bench = new PlanBench();
    assert.deepEqual(await bench.run({ '/': [other('l', 'link'), other('s', 'other')] }), []);
    assert.deepEqual(bench.notices, ['link-not-followed /l', 'special-not-copied /s']);
  });

  it('takes a file for vanished where a link lies now', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    assert.deepEqual(await bench.plan({ ...SITE, '/': [file('a'), other('b', 'link'), folder('img')] }), ['vanish /b']);
  });

  it('places a folder that was not followed when its parent was last seen', async () => {
    const bench = new PlanBench();
    const refused: Seen = { '/': [folder('deep')], '/deep': [folder('er')] };
    await bench.run(refused);
    assert.deepEqual(await bench.run({ ...refused, '/deep/er': [file('x')] }), ['download /deep/er/x (new)']);
    assert.equal(bench.index.folder('/deep/er')?.localPath, 'deep/er');
  });

  it('asks for, or brings, what the listing cannot tell', async () => {
    const minute = (stamp: string, stampMs: number): Partial<EntryRow> => ({ stamp, stampMs, precision: 'minute' });
    const bench = new PlanBench();
    await bench.run({ '/': [file('a', minute('May 20 12:00', 0))] });
    const later = { '/': [file('a', minute('May 20 12:01', 60_000))] };
    assert.deepEqual(await bench.plan(later), ['recheck /a (changed)']);
    assert.deepEqual(await bench.plan(later, { hasStat: false }), ['download /a (changed)']);
  });
});

describe('a folder that was not seen whole', () => {
  it('lets nothing be concluded from what is absent', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    assert.deepEqual(await bench.run({ '/': cut(file('a')) }), []);
    assert.deepEqual(bench.missing('/', '/img', '/img/old'), []);
    assert.equal(bench.index.folder('/img')?.missingSinceRun, undefined);
  });

  it('still lets what is there be brought', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    const steps = await bench.run({ ...SITE, '/': cut(file('a', newer), file('z'), folder('img')) });
    assert.deepEqual(steps, ['download /a (changed)', 'download /z (new)']);
  });

  it('is compared entry by entry at the next run, however it looks then', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    await bench.run({ ...SITE, '/': cut(file('a'), folder('img')) });
    assert.equal(bench.index.folder('/')?.fingerprint, undefined);
    assert.deepEqual(await bench.run(SITE), []);
    assert.notEqual(bench.index.folder('/')?.fingerprint, undefined);
  });

  it('takes no file away for a folder of its name, and no folder for a file', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    assert.deepEqual(await bench.run({ '/': cut(folder('a'), file('img')), '/a': [file('x')] }), []);
    assert.notEqual(bench.index.file(bench.index.folder('/')?.id ?? 0, 'a'), undefined);
    assert.equal(bench.subtrees.presentFilesBelow('/img'), 3);
  });

  it('counts as incomplete where it could not be listed at all', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    assert.deepEqual(await bench.run({ '/': SITE['/'] ?? [] }), []);
    assert.deepEqual(bench.missing('/img', '/img/old'), []);
    assert.equal(bench.results.counts().foldersIncomplete, 1);
  });
});

describe('a file and a folder that change places', () => {
  it('goes to the versions before the folder takes its name', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    const seen = { ...SITE, '/': [folder('a'), file('b'), folder('img')], '/a': [file('x')] };
    assert.deepEqual(await bench.run(seen), ['retire /a', 'download /a/x (new)']);
    assert.equal(bench.index.folder('/a')?.localPath, 'a');
    assert.deepEqual(await bench.plan(seen), []);
  });

  it('takes the folder with all that is in it to the versions before the file comes', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    const seen = { '/': [file('a'), file('b'), file('img')] };
    assert.deepEqual(await bench.run(seen), ['retire-folder /img x3', 'download /img (new)']);
    assert.equal(bench.index.folder('/img/old'), undefined);
    assert.deepEqual(await bench.plan(seen), []);
  });

  it('works for what had vanished before, too', async () => {
    const bench = new PlanBench();
    await bench.run(SITE);
    await bench.run({ '/': [file('b')] });
    const seen = { '/': [folder('a'), file('b'), file('img')], '/a': [file('x')] };
    assert.deepEqual(await bench.run(seen), [
      'retire /a',
      'retire-folder /img x3',
      'download /img (new)',
      'download /a/x (new)',
    ]);
  });
});

describe('names', () => {
  const CAFE_NFC = 'caf\u00e9';
  const CAFE_NFD = 'cafe\u0301';

  it('of two that are one to the eye, one stays and the other gets its own, at every run', async () => {
    const bench = new PlanBench();
    const seen = { '/': [file(CAFE_NFC), file(CAFE_NFD)] };
    const steps = await bench.run(seen);
    assert.equal(new Set(bench.index.files(1, '', 10).map(({ localName }) => localName)).size, 2);
    assert.equal(steps.filter((step) => /~[0-9a-f]{8}$/.test(step)).length, 1);
    const before = bench.index.files(1, '', 10);
    const steps2 = await bench.run({ '/': [file(CAFE_NFD, newer), file(CAFE_NFC, newer)] });
    assert.equal(steps2.length, 2);
    assert.deepEqual(
      bench.index.files(1, '', 10).map(({ localName }) => localName),
      before.map(({ localName }) => localName),
    );
  });

  it('that differ only in case stay apart where the disk cannot tell them, files and folders alike', async () => {
    const bench = new PlanBench({ isCaseSensitive: false });
    await bench.run({
      '/': [file('Read'), folder('READ'), folder('read')],
      '/READ': [file('x')],
      '/read': [file('x')],
    });
    const taken = [
      ...bench.index.files(1, '', 10).map(({ localName }) => localName),
      ...bench.index.subfolders(1, '', 10).map(({ localPath }) => localPath),
    ].map((name) => name.toLowerCase());
    assert.equal(new Set(taken).size, 3, taken.join(' '));
  });

  it('of a file that has vanished are not given to another, so that it can return', async () => {
    const bench = new PlanBench({ isCaseSensitive: false });
    await bench.run({ '/': [file('Read')] });
    await bench.run({ '/': [] });
    const [step] = await bench.run({ '/': [file('READ')] });
    assert.match(step ?? '', /^download \/READ \(new\) -> READ~[0-9a-f]{8}$/);
    assert.deepEqual(await bench.run({ '/': [file('READ'), file('Read', newer)] }), ['download /Read (changed)']);
    assert.equal(bench.index.file(1, 'Read')?.localName, 'Read');
  });

  it('of folders that have vanished are not given to others either', async () => {
    const bench = new PlanBench({ isCaseSensitive: false });
    await bench.run({ '/': [folder('Img')], '/Img': [file('x')] });
    await bench.run({ '/': [] });
    await bench.run({ '/': [folder('img')], '/img': [file('x')] });
    assert.match(bench.index.folder('/img')?.localPath ?? '', /^img~[0-9a-f]{8}$/);
    assert.equal(bench.index.folder('/Img')?.localPath, 'Img');
  });

  it('of a file that was retired are free for the folder in its place', async () => {
    const bench = new PlanBench({ isCaseSensitive: false });
    await bench.run({ '/': [file('Data')] });
    await bench.run({ '/': [folder('Data')], '/Data': [file('x')] });
    assert.equal(bench.index.folder('/Data')?.localPath, 'Data');
  });
});

describe('any listing against any index', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[ -.0-9a-c\xe9\xff]{1,3}$/), { maxLength: 30 });
  const named = (name: string): EntryRow => ({ ...ENTRY, name, type: 'file' });
  const sorted = (list: readonly string[]): string[] => [...list].sort();

  it('gives exactly the difference of the two', async () => {
    await fc.assert(
      fc.asyncProperty(names, names, fc.boolean(), async (before, now, isCut) => {
        const bench = new PlanBench();
        const usable = (list: string[]): string[] => list.filter((name) => name !== '.' && name !== '..');
        const [old, seen] = [usable(before), usable(now)];
        await bench.run({ '/': old.map(named) });
        const entries = seen.map(named);
        await bench.plan({ '/': isCut ? { entries, incomplete: 'listing-truncated' } : entries });
        const of = (action: 'download' | 'vanish'): string[] =>
          bench.tables.steps('todo', [action], 0, 100).map(({ name }) => name);
        assert.deepEqual(sorted(of('download')), sorted(seen.filter((name) => !old.includes(name))));
        assert.deepEqual(sorted(of('vanish')), isCut ? [] : sorted(old.filter((name) => !seen.includes(name))));
        assert.equal(bench.results.counts().unchanged, seen.filter((name) => old.includes(name)).length);
      }),
      { numRuns: 60 },
    );
  });

  it('holds beyond one page of rows', async () => {
    const bench = new PlanBench();
    const many = Array.from({ length: 2500 }, (_, index) => named(`file ${index}`));
    await bench.run({ '/': many });
    const steps = await bench.plan({ '/': many.filter((_, index) => index % 500 !== 7) });
    assert.deepEqual(sorted(steps), sorted([7, 507, 1007, 1507, 2007].map((index) => `vanish /file ${index}`)));
  });
});
