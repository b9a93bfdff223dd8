import { once } from 'node:events';
import { existsSync, symlinkSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import assert from 'node:assert/strict';
import type { RunReport } from '../../src/engine/run-report.ts';
import { BackupFixture, assertFailed, describeFailures } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';

const FOLDERS = 12;
const FILES_PER_FOLDER = 6;
const FILES = FOLDERS * FILES_PER_FOLDER;

async function withFixture(
  options: Partial<ScriptedServerOptions>,
  work: (fixture: BackupFixture) => Promise<void>,
): Promise<void> {
  const fixture = await BackupFixture.start(options);
  try {
    writeSite(fixture, 'first');
    await work(fixture);
  } finally {
    await fixture.end();
  }
}

function writeSite(fixture: BackupFixture, content: string): void {
  for (let i = 0; i < FILES; i++) {
    const folder = `/d${String(i % FOLDERS).padStart(2, '0')}`;
    fixture.tree.writeFile(`${folder}/f${i}`, `${content} ${i}`);
  }
}

/** From now on nobody gets in, and those who are in are thrown out. */
function goAway(fixture: BackupFixture): void {
  fixture.server.addFault({ command: 'CONNECT' }, { drop: true });
  fixture.server.dropConnections();
}

describe('A server that allows only so many connections', () => {
  for (const [what, options] of [
    ['421 in place of the greeting', { maxConnections: 2 }],
    [
      '530 after the password',
      {
        maxConnections: 2,
        maxConnectionsAt: 'login',
        maxConnectionsReply: '530 Sorry, the maximum number of clients (2) for this user are already connected.',
      },
    ],
    [
      'one alone, with a French 421',
      { maxConnections: 1, maxConnectionsReply: '421 Trop de connexions (1) depuis cette adresse IP' },
    ],
  ] as const) {
    for (const connections of ['auto', 6] as const) {
      it(`gives everything all the same, and is remembered: ${what}, ${connections}`, async () => {
        await withFixture(options, async (fixture) => {
          const report = await fixture.run({ connections });
          assert.equal(report.outcome, 'complete', JSON.stringify(report.cause));
          assert.equal(report.counts.downloaded, FILES);
          assert.ok(fixture.notices().includes('connections-reduced'));
          fixture.assertCurrentEquals();

          writeSite(fixture, 'second');
          while (fixture.server.connectionsOpen > 0) await setTimeout(5);
          const before = fixture.server.connectionsTotal;
          assert.equal((await fixture.run({ connections })).outcome, 'complete');
          assert.ok(fixture.server.connectionsTotal - before <= options.maxConnections, 'asked for no more than that');
          assert.ok(!fixture.notices().includes('connections-reduced'));
          fixture.assertCurrentEquals();
        });
      });
    }
  }

  it('and has none left says so, and nothing is touched', async () => {
    await withFixture({ maxConnections: 0 }, async (fixture) => {
      assertFailed(await fixture.run(), 'server-busy');
      assert.ok(!existsSync(fixture.targetFolder));
    });
  });
});

describe('A log-in that fails', () => {
  it('for a wrong password is tried exactly once, and leaves no trace in the target', async () => {
    await withFixture({}, async (fixture) => {
      const report = await fixture.run({ source: { password: 'wrong horse' }, connections: 6 });
      assertFailed(report, 'login-rejected');
      assert.equal(fixture.server.count('PASS'), 1);
      assert.ok(!existsSync(fixture.targetFolder));
      assert.ok(!fixture.logText.includes('wrong horse'));
      await fixture.runUntilEqual();
    });
  });

  it('after good runs keeps all that they brought', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      assertFailed(await fixture.run({ source: { password: 'changed' } }), 'login-rejected');
      fixture.assertNothingLost(before);
      await fixture.runUntilEqual();
    });
  });

  it('in the middle of a run, because the password was changed, ends it without trying again and again', async () => {
    await withFixture({}, async (fixture) => {
      const run = (): void => {
        fixture.server.options.users = { site: 'another' };
        fixture.server.dropConnections();
      };
      fixture.server.addFault({ command: 'RETR', nth: 20 }, { run });
      assertFailed(await fixture.run({ connections: 3 }), 'login-rejected');
      assert.ok(fixture.server.count('PASS') <= 6, `${fixture.server.count('PASS')} passwords sent`);
    });
  });

  it('for a source folder that is not there says so', async () => {
    await withFixture({}, async (fixture) => {
      assertFailed(await fixture.run({ source: { folder: '/no such folder' } }), 'remote-folder-missing');
      assert.ok(!existsSync(fixture.targetFolder));
    });
  });
});

describe('A server that cannot be reached', () => {
  it('because nobody knows its name is host-unknown', async () => {
    await withFixture({}, async (fixture) => {
      const report = await fixture.run({ source: { host: 'no-such-host.invalid', connectSeconds: 10 } });
      assertFailed(report, 'host-unknown');
      assert.equal(report.cause?.facts['host'], 'no-such-host.invalid');
      assert.ok(!existsSync(fixture.targetFolder));
    });
  });

  it('because nobody listens at its port is connection-refused', async () => {
    await withFixture({}, async (fixture) => {
      const port = await withListener('', (free) => Promise.resolve(free));
      const report = await fixture.run({ source: { port } });
      assertFailed(report, 'connection-refused');
      assert.equal(report.cause?.facts['port'], port);
      assert.ok(!existsSync(fixture.targetFolder));
    });
  });

  it('because SSH listens there says that', async () => {
    await withFixture({}, async (fixture) => {
      await withListener('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', async (port) => {
        const report = await fixture.run({ source: { port } });
        assertFailed(report, 'protocol-unusable');
        assert.equal(report.cause?.facts['hint'], 'ssh');
      });
    });
  });
});

describe('Encryption', () => {
  it('by a certificate that nobody signed tells its fingerprint; pinned it works; another one is refused', async () => {
    await withFixture({ tls: 'explicit', tlsRequired: true }, async (fixture) => {
      const own = fixture.server.certificate?.fingerprint;
      assert.ok(own !== undefined);
      const untrusted = await fixture.run({ source: { protocol: 'ftps' } });
      assertFailed(untrusted, 'certificate-untrusted');
      assert.equal(untrusted.cause?.facts['fingerprint'], own);
      assert.equal(fixture.server.count('USER') + fixture.server.count('PASS'), 0, 'nothing was told');
      assert.ok(!existsSync(fixture.targetFolder));

      await fixture.runUntilEqual({ source: { protocol: 'ftps', fingerprint: own } });
      const before = fixture.snapshot();

      fixture.server.clearLog();
      const changed = await fixture.run({ source: { protocol: 'ftps', fingerprint: 'ab'.repeat(32) } });
      assertFailed(changed, 'certificate-changed');
      assert.equal(changed.cause?.facts['fingerprint'], own);
      assert.equal(fixture.server.count('USER') + fixture.server.count('PASS'), 0);
      fixture.assertNothingLost(before);
    });
  });

  it('that was asked for and is not to be had ends the run before the name is told', async () => {
    await withFixture({}, async (fixture) => {
      assertFailed(await fixture.run({ source: { protocol: 'ftps' } }), 'tls-refused');
      assert.equal(fixture.server.count('USER') + fixture.server.count('PASS'), 0);
      assert.ok(!existsSync(fixture.targetFolder));
    });
  });

  it('for the files that is refused in the middle ends the run; they never come in the clear', async () => {
    await withFixture({ tls: 'explicit' }, async (fixture) => {
      const fingerprint = fixture.server.certificate?.fingerprint;
      fixture.server.addFault({ command: 'PROT' }, { reply: '534 Not here.' });
      assertFailed(await fixture.run({ source: { protocol: 'ftps', fingerprint } }), 'tls-refused');
      assert.equal(fixture.server.count('RETR') + fixture.server.count('MLSD'), 0);
    });
  });
});

describe('A connection that is lost', () => {
  for (const command of ['MLSD', 'CWD', 'RETR', 'EPSV', 'MLST', 'TYPE', 'PASS'] as const) {
    it(`at any ${command} never fails a run`, async () => {
      await withFixture({}, async (fixture) => {
        fixture.server.addFault({ command, nth: 2 }, { drop: true });
        await fixture.runUntilEqual();
      });
    });
  }

  it('at the very first question never fails a run', async () => {
    await withFixture({}, async (fixture) => {
      fixture.server.addFault({ command: 'MLST', path: '/', nth: 1 }, { drop: true });
      await fixture.runUntilEqual();
    });
  });

  it('together with all others, twice, never fails a run', async () => {
    await withFixture({}, async (fixture) => {
      const run = (): void => {
        fixture.server.dropConnections();
      };
      fixture.server.addFault({ command: 'RETR', nth: 10 }, { run });
      fixture.server.addFault({ command: 'RETR', nth: 40 }, { run });
      await fixture.runUntilEqual({ connections: 4 });
    });
  });

  it('for idling while others work is opened again', async () => {
    await withFixture({ idleTimeoutMs: 300 }, async (fixture) => {
      fixture.server.addFault({ command: 'RETR', path: '/d00/f0' }, { delayMs: 900 });
      await fixture.runUntilEqual({ connections: 4 });
    });
  });
});

describe('A server that goes away in the middle of a run', () => {
  const AWAY: RunOverrides = { connections: 3, attempts: 2 };

  it('while files come: the run fails with the cause, and the next one brings only what is missing', async () => {
    await withFixture({}, async (fixture) => {
      fixture.server.addFault(
        { command: 'RETR', nth: 30 },
        {
          run: () => {
            goAway(fixture);
          },
        },
      );
      const report = await fixture.run(AWAY);
      assertFailed(report, 'connection-lost');
      const had = [...fixture.snapshot().keys()];
      assert.ok(had.length >= 20, `${had.length} files were there already`);
      assert.ok(fixture.hasWorkLeft());

      fixture.server.faults.length = 0;
      fixture.server.clearLog();
      const next = await fixture.run(AWAY);
      assert.equal(next.outcome, 'complete');
      assert.ok(fixture.notices().includes('run-resumed'));
      assert.equal(next.counts.downloaded, FILES, 'the report is about the whole work');
      const again = fixture.retrievals();
      for (const path of had) assert.ok(!again.has(`/${path}`), `brought again: ${path}`);
      assert.equal(again.size, FILES - had.length);
      assert.deepEqual(listedFolders(fixture), ['/'], 'only the look at the server, no folder');
      await fixture.runUntilEqual(AWAY);
    });
  });

  it('while folders are listed: the next run lists only the others', async () => {
    await withFixture({}, async (fixture) => {
      fixture.server.addFault(
        { command: 'MLSD', nth: 7 },
        {
          run: () => {
            goAway(fixture);
          },
        },
      );
      assertFailed(await fixture.run(AWAY), 'connection-lost');
      const before = new Set(listedFolders(fixture));
      assert.equal(fixture.server.count('RETR'), 0);

      fixture.server.faults.length = 0;
      fixture.server.clearLog();
      assert.equal((await fixture.run(AWAY)).outcome, 'complete');
      const now = listedFolders(fixture).filter((folder) => folder !== '/');
      // Those under way at that moment must be listed again.
      const again = now.filter((folder) => before.has(folder));
      assert.ok(again.length <= 3, `listed again: ${again.join(' ')}`);
      assert.ok(now.length < FOLDERS);
      await fixture.runUntilEqual(AWAY);
    });
  });

  it('does not let what was refused before be forgotten: the resumed run is not complete without it', async () => {
    await withFixture({}, async (fixture) => {
      fixture.server.addFault({ command: 'CWD', path: '/d03' }, { reply: '550 Not now.' });
      fixture.server.addFault({ command: 'RETR', path: '/d02/f2' }, { reply: '550 Not now.' });
      fixture.server.addFault(
        { command: 'RETR', nth: 30 },
        {
          run: () => {
            goAway(fixture);
          },
        },
      );
      assertFailed(await fixture.run({ connections: 3, attempts: 2 }), 'connection-lost');

      fixture.server.faults.splice(2);
      const stillRefused = await fixture.run(AWAY);
      assert.deepEqual(describeFailures(stillRefused), ['file-refused /d02/f2', 'listing-refused /d03']);

      fixture.server.faults.length = 0;
      await fixture.runUntilEqual(AWAY);
    });
  });

  it('does not make a folder whole that was cut short, because it could not be made here at first', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.run();
      writeSite(fixture, 'second');
      for (let i = 0; i < 9; i++) fixture.tree.writeFile(`/many/f${i}`, 'm');
      const cut = { truncateListing: { lines: 6, reply: '226 Output truncated to 6 matches' } };
      fixture.server.addFault({ command: ['MLSD', 'LIST'], path: '/many' }, cut);
      const inTheWay = join(fixture.current, 'many');
      symlinkSync('nowhere', inTheWay);
      const stop = new AbortController();
      const run = (): void => {
        stop.abort();
      };
      fixture.server.addFault({ command: 'RETR', nth: 1 }, { run });
      assert.equal((await fixture.run({ signal: stop.signal })).outcome, 'cancelled');

      unlinkSync(inTheWay);
      const resumed = await fixture.run();
      assert.ok(fixture.notices().includes('run-resumed'));
      assert.deepEqual(describeFailures(resumed), ['listing-truncated /many']);
    });
  });

  it('and another source folder is set meanwhile: the work of the old one is not gone on with', async () => {
    await withFixture({}, async (fixture) => {
      fixture.server.addFault(
        { command: 'RETR', nth: 30 },
        {
          run: () => {
            goAway(fixture);
          },
        },
      );
      assertFailed(await fixture.run(AWAY), 'connection-lost');
      fixture.server.faults.length = 0;
      const report = await fixture.run({ ...AWAY, source: { folder: '/d01' } });
      assert.equal(report.outcome, 'complete');
      assert.equal(report.counts.listed, FILES_PER_FOLDER);
      assert.ok(!fixture.notices().includes('run-resumed'));
    });
  });
});

describe('A run that is cancelled', () => {
  it('ends at once, keeps what it had, and the next one goes on', async () => {
    await withFixture({}, async (fixture) => {
      const stop = new AbortController();
      fixture.server.addFault(
        { command: 'RETR', nth: 30 },
        {
          run: () => {
            stop.abort();
          },
          hang: true,
        },
      );
      const report: RunReport = await fixture.run({ connections: 3, signal: stop.signal });
      assert.equal(report.outcome, 'cancelled');
      assert.equal(report.cause?.code, 'cancelled');
      const had = [...fixture.snapshot().keys()];
      assert.ok(had.length >= 20);
      fixture.server.faults.length = 0;
      fixture.server.clearLog();
      assert.equal((await fixture.run()).outcome, 'complete');
      const again = fixture.retrievals();
      for (const path of had) assert.ok(!again.has(`/${path}`), `brought again: ${path}`);
      await fixture.runUntilEqual();
    });
  });
});

/** Folders of which a listing was asked for since the last clearLog. */
function listedFolders(fixture: BackupFixture): string[] {
  const folders = new Set<string>();
  const current = new Map<number, string>();
  for (const { connection, command, argument } of fixture.server.log) {
    if (command === 'CWD') current.set(connection, argument);
    if (command === 'MLSD') folders.add(current.get(connection) ?? '/');
  }
  return [...folders].sort();
}

/** A port at which `greeting` is said to whoever comes, until `work` has ended. */
async function withListener<T>(greeting: string, work: (port: number) => Promise<T>): Promise<T> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.end(greeting);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work((server.address() as AddressInfo).port);
  } finally {
    server.close();
    await once(server, 'close');
  }
}
