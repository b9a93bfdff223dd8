import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { Basket, listFolder, tracedSource, withSession } from '../support/ftp-session-fixture.ts';
import type { Listed } from '../support/ftp-session-fixture.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { utf8Name } from '../support/scripted-ftp-tree.ts';

async function withServer(
  options: Partial<ScriptedServerOptions>,
  work: (server: ScriptedServer) => Promise<void>,
): Promise<void> {
  const server = await startScriptedServer(options);
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

/** One session that lists `path` after the tree was prepared. */
async function listOn(
  options: Partial<ScriptedServerOptions>,
  prepare: (server: ScriptedServer) => void,
  path: string,
): Promise<Listed> {
  let listed: Listed | undefined;
  await withServer(options, async (server) => {
    prepare(server);
    const { source } = tracedSource({ port: server.address.port, idleSeconds: 1 });
    listed = await withSession(source, (session) => listFolder(session, path));
  });
  assert.ok(listed);
  return listed;
}

function fill(server: ScriptedServer, folder: string, count: number): void {
  for (let i = 0; i < count; i++) server.tree.writeFile(`${folder}/f${String(i).padStart(5, '0')}`, '');
}

const hasCode =
  (code: ErrorCode) =>
  (error: unknown): boolean =>
    isBackupError(error, code);

describe('A listing that was cut short is incomplete', () => {
  const words = [
    '226 Output truncated to 5 matches',
    '226 Sortie tronquee a 5 elements',
    '226 Anzeige auf 5 Eintr\u00e4ge beschr\u00e4nkt.',
    `226 ${utf8Name('Anzeige auf 5 Einträge beschränkt.')}`,
    '226 Salida truncada a 5 ocurrencias',
    '226 Output troncato a 5 corrispondenze',
    '226 Output afgekort naar 5 overeenstemmingen',
    '226 V\u00fdstup zkr\u00e1cen na 5 shod',
    '226 Wyj\u00b6cie obci\u00eate do 5 pasuj\u00b1cych',
    '226 Kimenet 5 r\u00e9szre csonk\u00edtva',
    '226 Vystup skrateny na 5 zhod',
    '226 Rezultati i shkurtuar ne 5 krahasime',
    '226 Utdata trunkeras till 5 tr\u00e4ffar',
    '226 Data afrundet til 5 sammenfald',
    '226 Resultat er avkortet til 5 treff',
    '226-Options: -a -l\r\n226 Output truncated to 5 matches',
  ];
  for (const reply of words) {
    it(`where the reply says so: ${reply.slice(4, 44)}`, async () => {
      const listed = await listOn(
        {},
        (server) => {
          fill(server, '/many', 12);
          server.addFault({ command: 'MLSD', path: '/many' }, { truncateListing: { lines: 5, reply } });
        },
        '/many',
      );
      assert.equal(listed.listing.incomplete?.reason, 'listing-truncated');
      assert.ok(listed.entries.length < 12);
    });
  }

  it('where the reply counts more matches than came', async () => {
    const listed = await listOn(
      { matchesText: true },
      (server) => {
        fill(server, '/many', 12);
        server.addFault(
          { command: 'MLSD', path: '/many' },
          { truncateListing: { lines: 5, reply: '226 14 matches total' } },
        );
      },
      '/many',
    );
    assert.equal(listed.listing.incomplete?.reason, 'listing-truncated');
  });

  it('where the last line does not end', async () => {
    const listed = await listOn(
      {},
      (server) => {
        fill(server, '/many', 12);
        server.addFault({ command: 'MLSD', path: '/many' }, { sendBytes: 700 });
      },
      '/many',
    );
    assert.equal(listed.listing.incomplete?.reason, 'listing-truncated');
  });

  for (const [limit, hasMlsd] of [
    [1000, true],
    [1000, false],
    [3000, false],
  ] as const) {
    it(`where a server stops after ${limit} lines without a word (${hasMlsd ? 'MLSD' : 'LIST'})`, async () => {
      const cut = (lines: readonly string[]): string[] => lines.slice(0, limit);
      const listed = await listOn(
        { hasMlsd },
        (server) => {
          fill(server, '/many', limit + 500);
          server.addFault({ command: ['MLSD', 'LIST'], path: '/many' }, { mapListing: cut });
        },
        '/many',
      );
      assert.equal(listed.entries.length, limit - 2);
      assert.equal(listed.listing.incomplete?.reason, 'listing-truncated');
    });
  }

  it('where a usual reply becomes an unusual one for a large folder', async () => {
    await withServer({}, async (server) => {
      for (const folder of ['a', 'b', 'c']) fill(server, `/${folder}`, 3);
      fill(server, '/many', 150);
      server.addFault(
        { command: 'MLSD', path: '/many' },
        { truncateListing: { lines: 142, reply: '226 \u00cb\u00f9\u00ee 142 \u00d0' } },
      );
      const { source } = tracedSource({ port: server.address.port });
      await withSession(source, async (session) => {
        for (const folder of ['a', 'b', 'c']) {
          assert.equal((await listFolder(session, `/${folder}`)).listing.incomplete, undefined);
        }
        for (const attempt of [1, 2]) {
          const { listing } = await listFolder(session, '/many');
          assert.equal(listing.incomplete?.reason, 'listing-truncated', `time ${attempt}`);
        }
      });
    });
  });

  for (const [what, action] of [
    ['is reset', { resetAfterBytes: 300 }],
    ['ends with 426', { sendBytes: 300, finalReply: '426 Connection closed; transfer aborted.' }],
    ['ends with 451', { sendBytes: 300, finalReply: '451 Local error.' }],
  ] as const) {
    it(`and thrown away where the data connection ${what}, after which the session goes on`, async () => {
      await withServer({}, async (server) => {
        fill(server, '/many', 12);
        server.addFault({ command: 'MLSD', path: '/many', nth: 1 }, action);
        const { source } = tracedSource({ port: server.address.port });
        await withSession(source, async (session) => {
          await assert.rejects(listFolder(session, '/many'), hasCode('listing-aborted'));
          assert.equal((await listFolder(session, '/many')).entries.length, 12);
        });
      });
    });
  }
});

describe('A whole listing is complete', () => {
  for (const count of [998, 1000]) {
    it(`even with exactly ${count} entries, when the reverse order shows the same names`, async () => {
      const listed = await listOn(
        {},
        (server) => {
          fill(server, '/many', count);
        },
        '/many',
      );
      assert.equal(listed.listing.incomplete, undefined);
      assert.equal(listed.entries.length, count);
    });
  }

  it('even with exactly 1000 entries, when the server has shown a larger folder before', async () => {
    await withServer({ listOptions: 'ignored', showsHidden: 'always' }, async (server) => {
      fill(server, '/more', 1200);
      fill(server, '/many', 1000);
      const { source } = tracedSource({ port: server.address.port });
      await withSession(source, async (session) => {
        assert.equal((await listFolder(session, '/many')).listing.incomplete?.reason, 'listing-truncated');
        assert.equal((await listFolder(session, '/more')).listing.incomplete, undefined);
        assert.equal((await listFolder(session, '/many')).listing.incomplete, undefined);
      });
    });
  });

  for (const reply of [
    '226 Transfer complete.',
    '226 Directory send OK.',
    '226-Options: -a -l\r\n226 14 matches total',
    '226 Transfer complete. 1.2 KBytes/sec',
    '226 Closing data connection, 712 bytes in 0.01 seconds.',
    '226 Transfert termin\u00e9.',
    '226 Opening successful; speed limited to 500 KB/s',
  ]) {
    it(`with the closing reply ${reply.slice(4, 50)}`, async () => {
      const listed = await listOn(
        {},
        (server) => {
          fill(server, '/many', 12);
          server.addFault({ command: 'MLSD', path: '/many' }, { finalReply: reply });
        },
        '/many',
      );
      assert.equal(listed.listing.incomplete, undefined);
      assert.equal(listed.entries.length, 12);
    });
  }

  it('of 5,000 entries comes in batches of at most 1,000', async () => {
    await withServer({}, async (server) => {
      fill(server, '/many', 5003);
      const { source } = tracedSource({ port: server.address.port });
      await withSession(source, async (session) => {
        const sizes: number[] = [];
        const listing = await session.list('/many' as never, (batch) => sizes.push(batch.length));
        assert.deepEqual(sizes, [1000, 1000, 1000, 1000, 1000, 3]);
        assert.equal(listing.entryCount, 5003);
      });
    });
  });

  const odd = [
    ' lead',
    'trail ',
    'total 12',
    '-dash',
    '[slug]',
    'a -> b',
    'a; b=c',
    utf8Name('été'),
    'caf\u00e9',
    '.htaccess',
    'back\\slash',
    '"quoted"',
    '*?',
    'x'.repeat(255),
  ];
  for (const options of [{}, { hasMlsd: false }, { hasMlsd: false, hasEpsv: false }] as const) {
    it(`keeps every name byte for byte, and each can be fetched and entered: ${JSON.stringify(options)}`, async () => {
      await withServer(options, async (server) => {
        for (const name of odd) {
          server.tree.writeFile(`/files/${name}`, Buffer.from(name, 'latin1'));
          server.tree.writeFile(`/folders/${name}/inner`, name);
        }
        const { source } = tracedSource({ port: server.address.port });
        await withSession(source, async (session) => {
          const { names, listing } = await listFolder(session, '/files');
          assert.deepEqual(names, [...odd].sort());
          assert.equal(listing.incomplete, undefined);
          for (const name of odd) {
            const basket = new Basket();
            await session.download(`/files/${name}` as never, basket, 0);
            assert.equal(basket.content.toString('latin1'), name);
            assert.deepEqual((await listFolder(session, `/folders/${name}`)).names, ['inner']);
          }
        });
      });
    });
  }
});

describe('A listing that cannot be read whole is incomplete', () => {
  for (const name of ['../../etc/passwd', 'a/b', '..', '']) {
    for (const hasMlsd of [true, false]) {
      it(`with the name ${JSON.stringify(name)} (${hasMlsd ? 'MLSD' : 'LIST'}), which is not handed over`, async () => {
        const listed = await listOn(
          { hasMlsd },
          (server) => {
            server.tree.writeFile('/odd/good', '');
            server.tree.writeOddName('/odd', name, 'evil');
          },
          '/odd',
        );
        assert.deepEqual(listed.names, ['good']);
        assert.equal(listed.listing.incomplete?.reason, 'listing-unparsed');
        assert.equal(listed.listing.rejected.length, 1);
      });
    }
  }

  it('with a line break in a name', async () => {
    const listed = await listOn(
      { hasMlsd: false },
      (server) => {
        server.tree.writeFile('/odd/good', '');
        server.tree.writeOddName('/odd', 'new\nline', '');
      },
      '/odd',
    );
    assert.equal(listed.listing.incomplete?.reason, 'listing-unparsed');
  });

  it('with the same name twice', async () => {
    const listed = await listOn(
      {},
      (server) => {
        server.tree.writeFile('/odd/one', '');
        server.addFault(
          { command: 'MLSD', path: '/odd' },
          { mapListing: (lines) => [...lines, lines[lines.length - 1] ?? ''] },
        );
      },
      '/odd',
    );
    assert.equal(listed.entries.length, 1);
    assert.equal(listed.listing.incomplete?.reason, 'listing-unparsed');
    assert.match(listed.listing.incomplete.detail, /came before/);
  });

  it('with a line without end, whose memory is bounded', async () => {
    const listed = await listOn(
      {},
      (server) => {
        server.tree.writeFile('/odd/one', '');
        const endless = Buffer.alloc(3_000_000, 0x61);
        const rawListing = Buffer.concat([Buffer.from('type=file;size=1; ok\r\n'), endless, Buffer.from('\r\n')]);
        server.addFault({ command: 'MLSD', path: '/odd' }, { rawListing });
      },
      '/odd',
    );
    assert.deepEqual(listed.names, ['ok']);
    assert.equal(listed.listing.incomplete?.reason, 'listing-unparsed');
    assert.ok((listed.listing.rejected[0]?.line.length ?? 0) <= 8192);
  });

  it('in a form that nobody knows', async () => {
    const rawListing = 'DISK$:[SITE]\r\nINDEX.PHP;1  3/4  21-NOV-2026 00:43:10  [WEB]  (RWED,RWED,RE,)\r\n';
    const listed = await listOn(
      { hasMlsd: false },
      (server) => {
        server.tree.writeFile('/odd/one', '');
        server.addFault({ command: 'LIST', path: '/odd' }, { rawListing });
      },
      '/odd',
    );
    assert.equal(listed.entries.length, 0);
    assert.equal(listed.listing.incomplete?.reason, 'listing-unparsed');
  });

  it('without even the lines that this server shows of an empty folder', async () => {
    await withServer({ hasMlsd: false }, async (server) => {
      server.tree.writeFile('/a/x', '');
      server.tree.makeFolder('/hollow');
      server.tree.writeFile('/lying/x', '');
      server.addFault({ command: 'LIST', path: '/lying' }, { emptyListing: true });
      const { source } = tracedSource({ port: server.address.port });
      await withSession(source, async (session) => {
        await listFolder(session, '/a');
        assert.equal((await listFolder(session, '/hollow')).listing.incomplete, undefined);
        assert.equal((await listFolder(session, '/lying')).listing.incomplete?.reason, 'listing-suspiciously-empty');
      });
    });
  });

  for (const listStyle of ['unix-fr', 'unix-fr-day-first', 'unix-iso', 'dos'] as const) {
    it(`but one in the style ${listStyle} is read whole`, async () => {
      const listed = await listOn(
        { hasMlsd: false, listStyle, showsHidden: 'always', nowMs: Date.UTC(2026, 10, 21) },
        (server) => {
          server.tree.writeFile('/d/ o\u00e9', '12345', { mtimeMs: Date.UTC(2026, 7, 4, 5, 6) });
          server.tree.makeFolder('/d/sub');
        },
        '/d',
      );
      assert.equal(listed.listing.incomplete, undefined);
      assert.deepEqual(listed.names, [' o\u00e9', 'sub']);
      const file = listed.entries.find((entry) => entry.type === 'file');
      assert.equal(file?.sizeBytes, 5);
      assert.equal(file.modified?.ms, Date.UTC(2026, 7, 4, 5, 6));
    });
  }

  it('while an unreadable time only costs that time', async () => {
    const listed = await listOn(
      {},
      (server) => {
        server.tree.writeFile('/odd/one', '');
        const mapListing = (lines: readonly string[]): string[] =>
          lines.map((line) => line.replace(/modify=\d+/, 'modify=garbage'));
        server.addFault({ command: 'MLSD', path: '/odd' }, { mapListing });
      },
      '/odd',
    );
    assert.equal(listed.listing.incomplete, undefined);
    assert.deepEqual(listed.entries[0]?.modified, { raw: 'garbage', ms: undefined, precision: 'none' });
  });
});

describe('A missing folder is never an empty one', () => {
  for (const options of [{}, { hasMlsd: false }]) {
    it(`and is refused: ${JSON.stringify(options)}`, async () => {
      await withServer(options, async (server) => {
        server.tree.writeFile('/a/x', '');
        server.tree.makeFolder('/locked', { mode: 0o000 });
        const { source } = tracedSource({ port: server.address.port });
        await withSession(source, async (session) => {
          await assert.rejects(listFolder(session, '/nowhere'), hasCode('listing-refused'));
          await assert.rejects(listFolder(session, '/locked'), hasCode('listing-refused'));
          assert.deepEqual((await listFolder(session, '/a')).names, ['x']);
        });
      });
    });
  }

  it('and as the source folder it ends the run', async () => {
    await withServer({}, async (server) => {
      const { source } = tracedSource({ port: server.address.port, folder: '/www' });
      await assert.rejects(source.open(new AbortController().signal), hasCode('remote-folder-missing'));
    });
  });

  it('also when it vanishes later', async () => {
    await withServer({}, async (server) => {
      server.tree.writeFile('/www/a/x', '');
      const { source } = tracedSource({ port: server.address.port, folder: '/www' });
      await withSession(source, async (session) => {
        assert.deepEqual((await listFolder(session, '/')).names, ['a']);
        await listFolder(session, '/a');
        server.tree.remove('/www');
        await assert.rejects(listFolder(session, '/'), hasCode('remote-folder-missing'));
      });
    });
  });
});

describe('The listing command is found out by trying', () => {
  const cases: readonly [what: string, options: Partial<ScriptedServerOptions>, command: string, hidden: string][] = [
    ['MLSD where it shows dot files', {}, 'MLSD', 'yes'],
    ['MLSD even where FEAT is silent', { hasFeat: false }, 'MLSD', 'yes'],
    ['LIST -a where MLSD hides dot files', { mlsdShowsHidden: false }, 'LIST -a', 'yes'],
    ['LIST -a where there is no MLSD', { hasMlsd: false }, 'LIST -a', 'yes'],
    ['LIST where -a is taken for a name', { hasMlsd: false, listOptions: 'as-name' }, 'LIST', 'unknown'],
    ['a server that hides them for good is said to be unknown', { showsHidden: 'never' }, 'MLSD', 'unknown'],
  ];
  for (const [what, options, command, hidden] of cases) {
    it(what, async () => {
      await withServer(options, async (server) => {
        server.tree.writeFile('/.htaccess', 'x');
        server.tree.writeFile('/index.php', 'x');
        const { source } = tracedSource({ port: server.address.port });
        await withSession(source, ({ capabilities }) => {
          assert.equal(capabilities.listing, command);
          assert.equal(capabilities.showsHidden, hidden);
          return Promise.resolve();
        });
      });
    });
  }

  for (const options of [{ hasMlsd: false }, { mlsdShowsHidden: false }]) {
    it(`a 550 that comes once does not hide dot files for a whole run: ${JSON.stringify(options)}`, async () => {
      await withServer(options, async (server) => {
        server.tree.writeFile('/.htaccess', 'x');
        server.addFault({ command: 'LIST', nth: 1 }, { reply: '550 Permission denied.' });
        const { source } = tracedSource({ port: server.address.port });
        await withSession(source, async (session) => {
          assert.equal(session.capabilities.listing, 'LIST -a');
          assert.deepEqual((await listFolder(session, '/')).names, ['.htaccess']);
        });
      });
    });
  }

  it('a passing 450 at the first MLSD does not lead to a lesser command', async () => {
    await withServer({}, async (server) => {
      server.tree.writeFile('/a', 'x');
      server.addFault({ command: 'MLSD', nth: 1 }, { reply: '450 Try again.' });
      const { source } = tracedSource({ port: server.address.port });
      await withSession(source, async (session) => {
        assert.equal(session.capabilities.listing, 'MLSD');
        server.addFault({ command: 'MLSD', nth: 1 }, { reply: '450 Try again.' });
        assert.deepEqual((await listFolder(session, '/')).names, ['a']);
        assert.equal(session.capabilities.listing, 'MLSD');
      });
    });
  });

  it('a server that always says 450 is busy, not without MLSD', async () => {
    await withServer({}, async (server) => {
      server.addFault({ command: 'MLSD' }, { reply: '450 Try again.' });
      const { source } = tracedSource({ port: server.address.port });
      await assert.rejects(source.open(new AbortController().signal), hasCode('server-busy'));
    });
  });

  it('once for all sessions, and without a second CWD to the same folder', async () => {
    await withServer({}, async (server) => {
      server.tree.writeFile('/a/x', 'x');
      const { source } = tracedSource({ port: server.address.port });
      await withSession(source, async () => {
        server.clearLog();
        await withSession(source, async (session) => {
          await listFolder(session, '/a');
          await listFolder(session, '/a');
        });
      });
      const commands = server.log.map((line) => line.command);
      assert.deepEqual(commands.slice(0, 5), ['USER', 'PASS', 'OPTS', 'TYPE', 'CWD']);
      assert.deepEqual(
        commands.slice(5).filter((command) => command !== 'QUIT'),
        ['EPSV', 'MLSD', 'EPSV', 'MLSD'],
      );
    });
  });

  it('by one session while the others that open at the same time wait for it', async () => {
    await withServer({}, async (server) => {
      const { source } = tracedSource({ port: server.address.port });
      const { signal } = new AbortController();
      const sessions = await Promise.all([1, 2, 3].map(() => source.open(signal)));
      assert.equal(server.count('MLSD'), 1);
      for (const session of sessions) assert.deepEqual((await listFolder(session, '/')).names, []);
      for (const session of sessions) session.close();
    });
  });
});
