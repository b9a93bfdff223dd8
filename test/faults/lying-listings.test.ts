import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { RunReport } from '../../src/engine/run-report.ts';
import { BackupFixture, describeFailures } from '../support/backup-fixture.ts';
import type { Comparison } from '../support/backup-fixture.ts';
import type { FaultAction, FaultTrigger } from '../support/scripted-ftp-faults.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';
import { utf8Name } from '../support/scripted-ftp-tree.ts';
import type { ScriptedTree } from '../support/scripted-ftp-tree.ts';

/** MLSD off, and no line at all for an empty folder: nothing but the index remembers that a folder was full. */
const BARE_LIST = { hasMlsd: false, listOptions: 'ignored', showsHidden: 'always' } as const;

function makeSite(tree: ScriptedTree): void {
  tree.writeFile('/index.html', '<h1>Home</h1>');
  tree.writeFile('/.htaccess', 'deny from all');
  for (let i = 0; i < 12; i++) tree.writeFile(`/photos/p${String(i).padStart(2, '0')}.jpg`, `photo ${i}`);
  tree.writeFile('/photos/2026/summer.jpg', 'sun');
  tree.writeFile('/docs/read me.txt', 'please');
  tree.writeFile('/docs/old/one.txt', 'one');
}

async function withFixture(
  options: Partial<ScriptedServerOptions>,
  work: (fixture: BackupFixture) => Promise<void>,
): Promise<void> {
  const fixture = await BackupFixture.start(options);
  try {
    makeSite(fixture.tree);
    await work(fixture);
  } finally {
    await fixture.end();
  }
}

/** A complete run, then `action` at every listing of `path`, then the truth again. */
async function lieAbout(
  fixture: BackupFixture,
  path: string,
  action: FaultAction,
  expected: readonly string[],
): Promise<void> {
  await fixture.runUntilEqual();
  const before = fixture.snapshot();
  // What came and changed meanwhile must not be what is needed to notice the lie, nor be lost by it.
  fixture.tree.writeFile('/docs/new.txt', 'new');
  fixture.tree.writeFile('/index.html', '<h1>Changed</h1>');
  before.delete('index.html');

  fixture.server.addFault({ command: ['MLSD', 'LIST'], path }, action);
  const report = await fixture.run();
  assert.equal(report.outcome, 'incomplete');
  const told = describeFailures(report);
  for (const failure of expected) assert.ok(told.includes(failure), `${failure} in ${JSON.stringify(told)}`);
  assert.ok(report.failures.every(({ detail }) => detail !== undefined && detail !== ''));
  assert.equal(report.counts.vanished, 0);
  fixture.assertNothingLost(before);

  fixture.server.faults.length = 0;
  await fixture.runUntilEqual();
}

const photos = (lines: readonly string[], change: (line: string) => string): string[] =>
  lines.map((line) => (line.endsWith('p03.jpg') ? change(line) : line));

describe('A folder whose listing lies', () => {
  const lies: readonly (readonly [string, FaultAction, readonly string[]])[] = [
    [
      'that was cut short and says so in English',
      { truncateListing: { lines: 6, reply: '226-Options: -a -l\n226 Output truncated to 6 matches' } },
      ['listing-truncated /photos'],
    ],
    [
      'that was cut short and says so in French',
      { truncateListing: { lines: 6, reply: '226-Options: -a -l\n226 Sortie tronquee a 6 elements' } },
      ['listing-truncated /photos'],
    ],
    ['that was cut in the middle of a line', { sendBytes: 520 }, ['listing-truncated /photos']],
    ['whose data connection is reset', { resetAfterBytes: 300 }, ['listing-aborted /photos']],
    ['that ends with 426', { sendBytes: 300, finalReply: '426 Aborted.' }, ['listing-aborted /photos']],
    ['that ends with 451', { sendBytes: 300, finalReply: '451 Local error.' }, ['listing-aborted /photos']],
    ['that is an empty success', { emptyListing: true }, ['listing-suspiciously-empty /photos']],
    [
      'that shows a name twice',
      { mapListing: (lines) => [...lines, lines.at(-1) ?? ''] },
      ['listing-unparsed /photos'],
    ],
    [
      'that shows a negative size',
      { mapListing: (lines) => photos(lines, (line) => line.replace(/size=\d+/, 'size=-5')) },
      ['listing-unparsed /photos'],
    ],
    [
      'that shows a size beyond 2^53',
      { mapListing: (lines) => photos(lines, (line) => line.replace(/size=\d+/, 'size=9007199254740993')) },
      ['listing-unparsed /photos'],
    ],
    [
      'that shows a name with dots and slashes instead of one of its files',
      { mapListing: (lines) => photos(lines, (line) => line.replace('p03.jpg', '../../p03.jpg')) },
      ['listing-unparsed /photos'],
    ],
    [
      'that shows a slash in a name',
      { mapListing: (lines) => photos(lines, (line) => line.replace('p03.jpg', '/etc/p03.jpg')) },
      ['listing-unparsed /photos'],
    ],
    [
      'that shows . as a file',
      { mapListing: (lines) => photos(lines, (line) => line.replace('p03.jpg', '.')) },
      ['listing-unparsed /photos'],
    ],
    ['that is in no form that anybody knows', { rawListing: 'DISK$:[SITE]\r\n' }, ['listing-unparsed /photos']],
  ];
  for (const [what, action, expected] of lies) {
    it(`${what} loses nothing, is named, and is made good by the next run`, async () => {
      await withFixture({}, (fixture) => lieAbout(fixture, '/photos', action, expected));
    });
  }

  it('by stopping at 1,998 names without a word loses nothing', async () => {
    await withFixture({}, async (fixture) => {
      // Links cost no transfer; the files that are cut off come last.
      for (let i = 0; i < 1990; i++) fixture.tree.addLink(`/photos/link ${i}`, 'p00.jpg');
      for (let i = 0; i < 10; i++) fixture.tree.writeFile(`/photos/z${i}`, 'z');
      await lieAbout(fixture, '/photos', { mapListing: (lines) => lines.slice(0, 2000) }, [
        'listing-truncated /photos',
      ]);
    });
  });

  it('by an empty success once is found out by another connection', async () => {
    await withFixture(BARE_LIST, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      const rule = fixture.server.addFault({ command: 'LIST', path: '/photos', nth: 1 }, { emptyListing: true });
      const report = await fixture.run();
      assert.equal(fixture.server.faultBook.timesActed(rule), 1);
      assert.equal(report.outcome, 'complete');
      fixture.assertNothingLost(before);
    });
  });

  it('by an empty success although it cannot be entered is refused, not empty', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      fixture.tree.setMode('/photos', 0o000);
      const report = await fixture.run();
      assert.equal(report.outcome, 'incomplete');
      assert.deepEqual(describeFailures(report), ['listing-refused /photos']);
      fixture.assertNothingLost(before);
      fixture.tree.setMode('/photos', 0o755);
      await fixture.runUntilEqual();
    });
  });

  it('by refusing CWD with a bare 550 is refused', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      fixture.server.addFault({ command: 'CWD', path: '/photos' }, { reply: '550 Failed to change directory.' });
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), ['listing-refused /photos']);
      fixture.assertNothingLost(before);
      fixture.server.faults.length = 0;
      await fixture.runUntilEqual();
    });
  });

  it('in the first run of all brings what any listing shows, and the folder stays incomplete', async () => {
    await withFixture({}, async (fixture) => {
      fixture.server.addFault(
        { command: 'MLSD', path: '/photos' },
        { truncateListing: { lines: 6, reply: '226 Output truncated to 6 matches' } },
      );
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), ['listing-truncated /photos']);
      fixture.assertCurrentEquals();
      // Nothing is settled about a folder that was not seen whole: the same lie again is told again.
      assert.deepEqual(describeFailures(await fixture.run()), ['listing-truncated /photos']);
      fixture.server.faults.length = 0;
      await fixture.runUntilEqual();
    });
  });

  it('in the first run of all, and by every command, brings what can be believed, and the rest later', async () => {
    await withFixture(BARE_LIST, async (fixture) => {
      fixture.server.addFault(
        { command: ['MLSD', 'LIST'], path: '/photos' },
        { truncateListing: { lines: 4, reply: '226 Output truncated to 4 matches' } },
      );
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), ['listing-truncated /photos']);
      assert.equal(fixture.snapshot().size, 8, 'index.html, .htaccess, four photos and two documents');
      fixture.server.faults.length = 0;
      await fixture.runUntilEqual();
    });
  });
});

describe('A source folder that is suddenly empty', () => {
  for (const [what, options] of [
    ['MLSD', {}],
    ['LIST', BARE_LIST],
  ] as const) {
    it(`is never believed (${what})`, async () => {
      await withFixture(options, async (fixture) => {
        await fixture.runUntilEqual();
        const before = fixture.snapshot();
        fixture.server.addFault({ command: ['MLSD', 'LIST'], path: '/' }, { emptyListing: true });
        for (const time of [1, 2]) {
          const report = await fixture.run();
          assert.deepEqual(describeFailures(report), ['listing-suspiciously-empty /'], `time ${time}`);
          fixture.assertNothingLost(before);
        }
        fixture.server.faults.length = 0;
        await fixture.runUntilEqual();
      });
    });
  }

  it('is not believed either when it really is: nothing is marked', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      for (const name of ['index.html', '.htaccess', 'photos', 'docs']) fixture.tree.remove(`/${name}`);
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), ['listing-suspiciously-empty /']);
      fixture.assertNothingLost(before);
    });
  });
});

describe('A folder that has really gone', () => {
  it('is told, marked, and kept on disk; when it comes back, nothing is brought again', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const leftovers = [...fixture.snapshot().keys()].filter((path) => path.startsWith('photos/'));
      fixture.tree.rename('/photos', '/docs/photos');
      const report = await fixture.run();
      assert.equal(report.outcome, 'complete');
      assert.equal(report.counts.vanished, 13);
      fixture.assertCurrentEquals({ leftovers });
      assert.equal(fixture.missing().length, 15);
      fixture.tree.rename('/docs/photos', '/photos');
      fixture.server.clearLog();
      const back = await fixture.run();
      assert.equal(back.outcome, 'complete');
      assert.equal(fixture.server.count('RETR'), 0);
      assert.ok(fixture.missing().every((path) => path.startsWith('/docs/photos')));
    });
  });
});

describe('What no listing shows any more', () => {
  /** From the second run on, the listing of the folder above does not show `path`. Two runs that would retire it follow. */
  async function leaveOut(fixture: BackupFixture, path: string): Promise<RunReport> {
    const [above, name] = [path.slice(0, path.lastIndexOf('/')) || '/', path.slice(path.lastIndexOf('/') + 1)];
    const mapListing = (lines: readonly string[]): string[] => lines.filter((line) => !line.endsWith(` ${name}`));
    fixture.server.addFault({ command: 'MLSD', path: above }, { mapListing });
    await fixture.run({ deletion: { rule: 'archive' } });
    return fixture.run({ deletion: { rule: 'archive' } });
  }

  const answers: readonly (readonly [string, string, FaultTrigger['command'], string])[] = [
    ['a file that is busy for the moment', '/photos/p01.jpg', 'MLST', '450 File busy.'],
    ['a file that may not be seen', '/photos/p01.jpg', 'MLST', '550 p01.jpg: Permission denied'],
    ['a file, by a server that knows nobody any more', '/photos/p01.jpg', 'MLST', '530 Not logged in.'],
    ['a folder that may not be seen', '/photos', 'CWD', '550 Permission denied.'],
    ['a folder, for the moment', '/photos', 'CWD', '450 Try again.'],
  ];
  for (const [what, path, command, reply] of answers) {
    it(`stays where the answer to its name leaves it open: ${what}`, async () => {
      await withFixture({}, async (fixture) => {
        await fixture.run();
        const before = fixture.snapshot();
        fixture.server.addFault({ command, path }, { reply });
        assert.equal((await leaveOut(fixture, path)).counts.retired, 0);
        assert.deepEqual([...fixture.snapshot().keys()], [...before.keys()]);
      });
    });
  }

  it('stays where it is a folder that can be entered and not listed: it is there', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.run();
      const before = fixture.snapshot();
      fixture.tree.setMode('/photos', 0o311);
      assert.deepEqual(describeFailures(await leaveOut(fixture, '/photos')), ['listing-truncated /']);
      assert.deepEqual([...fixture.snapshot().keys()], [...before.keys()]);
    });
  });

  it('goes where it has gone, also from a folder whose name looks like a refusal', async () => {
    await withFixture({}, async (fixture) => {
      const path = '/photos/permission/x.txt';
      fixture.tree.writeFile(path, 'x');
      await fixture.run();
      fixture.tree.remove(path);
      fixture.server.addFault({ command: 'MLST', path }, { reply: `550 ${path}: No such file or directory` });
      assert.equal((await leaveOut(fixture, path)).counts.retired, 1);
    });
  });
});

describe('Names that a server should not send', () => {
  for (const name of ['../../x', '..', '.', '/etc/passwd', '']) {
    for (const hasMlsd of [true, false]) {
      it(`${JSON.stringify(name)} lands nowhere and is reported (${hasMlsd ? 'MLSD' : 'LIST'})`, async () => {
        await withFixture({ hasMlsd }, async (fixture) => {
          fixture.tree.writeOddName('/docs', name, 'evil');
          const report = await fixture.run();
          assert.equal(report.outcome, 'incomplete');
          assert.ok(describeFailures(report).includes('listing-unparsed /docs'));
          assert.ok(!existsSync(join(fixture.room, 'x')));
          assert.ok(fixture.snapshot().has('docs/read me.txt'));
          assert.equal(fixture.snapshot().size, 17, 'everything else came');
        });
      });
    }
  }

  it('a line break that feigns a file where a folder lies moves nothing away', async () => {
    await withFixture({}, async (fixture) => {
      const feigned = 'type=file;size=9;modify=20260101000000;unique=801Uffff; photos';
      await lieAbout(fixture, '/', { mapListing: (lines) => [feigned, ...lines] }, ['listing-unparsed /']);
    });
  });

  it('a line break that feigns a folder where a file lies moves nothing away', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      const feigned = 'type=dir;modify=20260101000000;unique=801Uffff; index.html';
      fixture.server.addFault({ command: 'MLSD', path: '/' }, { mapListing: (lines) => [feigned, ...lines] });
      const report = await fixture.run();
      assert.ok(describeFailures(report).includes('listing-unparsed /'));
      fixture.assertNothingLost(before);
      fixture.server.faults.length = 0;
      await fixture.runUntilEqual();
    });
  });

  it('a line break that feigns another file and folder brings neither, and says so', async () => {
    await withFixture({ hasMlsd: false }, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      const line = 'drwxr-xr-x 1 0 0 4096 Jan  1 2026 ';
      fixture.tree.writeOddName('/docs', `a\r\n${line}ghosts\r\n${line.replace('d', '-')}ghost`, 'boo');
      const report = await fixture.run();
      assert.equal(report.outcome, 'incomplete');
      const told = describeFailures(report);
      assert.ok(told.includes('listing-refused /docs/ghosts'), JSON.stringify(told));
      assert.ok(told.includes('file-refused /docs/ghost'), JSON.stringify(told));
      assert.ok(told.includes('file-refused /docs/a'), JSON.stringify(told));
      fixture.assertNothingLost(before);
    });
  });

  it('Latin-1 and UTF-8 in one folder both come, each under a name of its own', async () => {
    await withFixture({}, async (fixture) => {
      const latin1 = 'caf\u00e9.txt';
      fixture.tree.writeFile(`/docs/${utf8Name('café.txt')}`, 'utf-8');
      fixture.tree.writeFile(`/docs/${latin1}`, 'latin-1');
      fixture.tree.writeFile(`/docs/${utf8Name('Été')}/a`, 'a');
      fixture.tree.writeFile('/docs/\u00c9t\u00e9/a', 'b');
      fixture.tree.writeFile('/docs/\u00e0 part', 'alone');
      const tag = (name: string): string => createHash('sha256').update(name, 'latin1').digest('hex').slice(0, 8);
      const places = {
        [`/docs/${latin1}`]: `/docs/café~${tag(latin1)}.txt`,
        '/docs/\u00c9t\u00e9/a': `/docs/Été~${tag('\u00c9t\u00e9')}/a`,
      };
      await fixture.runUntilEqual({}, { places });
      fixture.tree.writeFile(`/docs/${latin1}`, 'latin-1, edited');
      await fixture.runUntilEqual({}, { places });
    });
  });
});

describe('Times that cannot be read', () => {
  it('cost a question for each file, not a transfer', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      fixture.server.addFault(
        { command: 'MLSD' },
        { mapListing: (lines) => lines.map((line) => line.replace(/modify=\d+/, 'modify=31st of June')) },
      );
      fixture.server.clearLog();
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.equal(fixture.server.count('RETR'), 0);
      fixture.tree.writeFile('/photos/p05.jpg', 'PHOTO 5');
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.deepEqual([...fixture.retrievals().keys()], ['/photos/p05.jpg']);
      fixture.assertCurrentEquals();
      fixture.server.faults.length = 0;
      await fixture.runUntilEqual();
    });
  });

  it('on a server that cannot be asked either bring every file again rather than miss an edit', async () => {
    await withFixture({ hasMlst: false, hasMdtm: false, hasSize: false }, async (fixture) => {
      fixture.server.addFault(
        { command: 'MLSD' },
        { mapListing: (lines) => lines.map((line) => line.replace(/modify=\d+/, 'modify=yesterday')) },
      );
      assert.equal((await fixture.run()).outcome, 'complete');
      fixture.tree.writeFile('/photos/p05.jpg', 'PHOTO 5');
      assert.equal((await fixture.run()).outcome, 'complete');
      const state = fixture.snapshot().get('photos/p05.jpg');
      assert.equal(state?.sha256, createHash('sha256').update('PHOTO 5').digest('hex'));
    });
  });
});

describe('Listings in other forms are read whole', () => {
  const minutes: Comparison = { timePrecisionMs: 60_000 };
  for (const [what, options, comparison] of [
    ['French months', { hasMlsd: false, listStyle: 'unix-fr' }, {}],
    ['the day before a French month', { hasMlsd: false, listStyle: 'unix-fr-day-first' }, {}],
    ['DOS', { hasMlsd: false, listStyle: 'dos' }, {}],
    ['ISO dates', { hasMlsd: false, listStyle: 'unix-iso' }, {}],
    ['LIST without any way to ask for a time', { hasMlsd: false, hasMlst: false, hasMdtm: false }, minutes],
    ['MLSD that hides dot files, which LIST -a shows', { mlsdShowsHidden: false }, {}],
    ['matches counted in the closing reply', { matchesText: true }, {}],
    ['a total before the lines', { hasMlsd: false, showsTotal: true }, {}],
  ] as const) {
    it(`${what}; an edit of the same size is seen, and a deletion`, async () => {
      await withFixture(options, async (fixture) => {
        await fixture.runUntilEqual({}, comparison);
        assert.ok(fixture.snapshot().has('.htaccess'));
        fixture.tree.writeFile('/photos/p05.jpg', 'PHOTO 5');
        fixture.tree.remove('/photos/p06.jpg');
        fixture.server.clearLog();
        const report = await fixture.run();
        assert.equal(report.outcome, 'complete');
        assert.deepEqual([...fixture.retrievals().keys()], ['/photos/p05.jpg']);
        assert.equal(report.counts.vanished, 1);
        fixture.assertCurrentEquals({ ...comparison, leftovers: ['photos/p06.jpg'] });
      });
    });
  }

  it('after a 450 at the first MLSD, still by MLSD', async () => {
    await withFixture({}, async (fixture) => {
      fixture.server.addFault({ command: 'MLSD', nth: 1 }, { reply: '450 Please try again later.' });
      assert.equal((await fixture.run()).outcome, 'complete');
      fixture.assertCurrentEquals();
      const listings = fixture.server.log.filter(({ command }) => command === 'MLSD' || command === 'LIST');
      // One LIST -a looks at the start whether MLSD hides names.
      assert.equal(listings.filter(({ command }) => command === 'LIST').length, 1);
      await fixture.runUntilEqual();
    });
  });
});

describe('A folder that is reachable twice', () => {
  it('is copied once, under the same path in every run', async () => {
    await withFixture({}, async (fixture) => {
      fixture.tree.addAlias('/a copy', '/photos');
      const report = await fixture.runUntilEqual();
      const first = [...fixture.snapshot().keys()].sort();
      assert.equal(report.counts.listed, 17);
      assert.ok(fixture.notices().some((notice) => notice.startsWith('folder-alias ')));
      fixture.tree.writeFile('/photos/later.jpg', 'later');
      await fixture.run();
      assert.deepEqual([...fixture.snapshot().keys()].sort(), [...first, ...added(fixture, first)].sort());
      assert.deepEqual(fixture.missing(), []);
    });
  });

  it('by a path, too, under which older files lie here leaves none of them as old as they are', async () => {
    await withFixture({}, async (fixture) => {
      fixture.tree.rename('/photos', '/shop');
      await fixture.run();
      fixture.tree.rename('/shop', '/store');
      await fixture.run();
      const [path = ''] = [...fixture.snapshot().keys()].filter((key) => key.startsWith('shop/'));
      fixture.tree.addAlias('/shop', '/store');
      fixture.tree.writeFile(`/${path}`, 'written anew');
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.equal(readFileSync(join(fixture.current, path), 'utf8'), 'written anew');
    });
  });

  it('and leads back to the source folder is not followed round and round', async () => {
    await withFixture({}, async (fixture) => {
      fixture.tree.addAlias('/photos/back', '/');
      await fixture.runUntilEqual();
      assert.ok(fixture.notices().includes('folder-alias /photos/back'));
    });
  });

  it('on a server without identities comes to an end, and what is really there is all there', async () => {
    await withFixture({ uniqueFacts: false }, async (fixture) => {
      fixture.tree.addAlias('/photos/back', '/');
      const report = await fixture.run();
      assert.ok(fixture.notices().some((notice) => notice.startsWith('folder-alias ')));
      assert.ok(report.counts.listed <= 17 * 4, `${report.counts.listed} files listed`);
      for (const { path } of fixture.tree.files()) assert.ok(fixture.snapshot().has(path.slice(1)), path);
      fixture.server.clearLog();
      assert.equal((await fixture.run()).outcome, report.outcome);
      assert.equal(fixture.server.count('RETR'), 0);
    });
  });
});

function added(fixture: BackupFixture, before: readonly string[]): string[] {
  const now = [...fixture.snapshot().keys()].filter((path) => !before.includes(path));
  assert.equal(now.length, 1, 'one file more');
  return now;
}
