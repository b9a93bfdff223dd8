import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { BackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { Basket, listFolder, tracedSource, withSession } from '../support/ftp-session-fixture.ts';
import type { FixtureOptions } from '../support/ftp-session-fixture.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { makeSelfSignedCertificate, makeSignedCertificate } from '../support/self-signed-certificate.ts';

const PASSWORD = 'correct horse';

async function withServer(
  options: Partial<ScriptedServerOptions>,
  work: (server: ScriptedServer, port: number) => Promise<void>,
): Promise<void> {
  const server = await startScriptedServer(options);
  try {
    await work(server, server.address.port);
  } finally {
    await server.stop();
  }
}

async function failure(work: Promise<unknown>): Promise<BackupError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof BackupError, String(error));
    assert.ok(
      !JSON.stringify([error.message, error.detail, error.facts]).includes(PASSWORD),
      'no password in an error',
    );
    return error;
  }
  throw new assert.AssertionError({ message: 'it succeeded' });
}

const openFails = (options: FixtureOptions): Promise<BackupError> =>
  failure(tracedSource(options).source.open(new AbortController().signal));

describe('A session that cannot be opened says why', () => {
  const cases: readonly [what: string, options: Partial<ScriptedServerOptions>, code: ErrorCode][] = [
    ['a wrong password', { users: { site: 'another' } }, 'login-rejected'],
    ['421 at the greeting', { maxConnections: 0 }, 'server-busy'],
    [
      '530 of a full server',
      {
        maxConnections: 0,
        maxConnectionsAt: 'login',
        maxConnectionsReply: '530 Sorry, the maximum number of clients (3) for this user are already connected.',
      },
      'server-busy',
    ],
    [
      '421 after the password',
      {
        maxConnections: 0,
        maxConnectionsAt: 'login',
        maxConnectionsReply: '421 Trop de connexions (8) depuis cette IP',
      },
      'server-busy',
    ],
    ['a server that refuses our address', { greeting: '530 Access denied.' }, 'connection-refused'],
    ['an SSH server', { greeting: 'SSH-2.0-OpenSSH_9.2' }, 'protocol-unusable'],
    ['a web server', { greeting: 'HTTP/1.1 400 Bad Request' }, 'protocol-unusable'],
    ['a server without any way to a data connection', { hasEpsv: false, hasPasv: false }, 'protocol-unusable'],
  ];
  for (const [what, options, code] of cases) {
    it(`${what} is ${code}`, async () => {
      await withServer(options, async (_server, port) => {
        const error = await openFails({ port });
        assert.equal(error.code, code);
        assert.equal(error.facts['port'], port);
      });
    });
  }

  it('a hung server is timed-out, at every step', async () => {
    for (const command of ['CONNECT', 'USER', 'PASS', 'TYPE', 'CWD', 'EPSV', 'MLSD']) {
      await withServer({}, async (server, port) => {
        server.addFault({ command }, { hang: true });
        const error = await openFails({ port, connectSeconds: 0.15, idleSeconds: 0.15 });
        assert.equal(error.code, 'timed-out', command);
      });
    }
  });

  it('a server that hangs up is connection-lost, at every step', async () => {
    for (const command of ['CONNECT', 'USER', 'PASS', 'TYPE', 'CWD', 'EPSV', 'MLSD']) {
      await withServer({}, async (server, port) => {
        server.addFault({ command }, { drop: true });
        assert.equal((await openFails({ port })).code, 'connection-lost', command);
      });
    }
  });

  it('an unknown host is host-unknown', async () => {
    const error = await openFails({ port: 21, host: 'no-such-host.invalid' });
    assert.equal(error.code, 'host-unknown');
    assert.equal(error.facts['host'], 'no-such-host.invalid');
  });

  it('a closed port is connection-refused', async () => {
    const server = await startScriptedServer();
    const { port } = server.address;
    await server.stop();
    assert.equal((await openFails({ port })).code, 'connection-refused');
  });

  it('a cancelled opening is cancelled, even while the server hangs', async () => {
    await withServer({}, async (server, port) => {
      server.addFault({ command: 'CONNECT' }, { hang: true });
      const abort = new AbortController();
      const opening = failure(tracedSource({ port }).source.open(abort.signal));
      setTimeout(() => {
        abort.abort();
      }, 30);
      assert.equal((await opening).code, 'cancelled');
    });
  });

  it('a server that wants TLS first is not taken for one with another password', async () => {
    await withServer({ tls: 'explicit', tlsRequired: true }, async (_server, port) => {
      const error = await openFails({ port });
      assert.equal(error.code, 'protocol-unusable');
      assert.equal(error.facts['hint'], 'tls-required');
    });
  });

  it('a user or password with a line break is sent nowhere', async () => {
    await withServer({}, async (server, port) => {
      assert.equal((await openFails({ port, password: 'a\r\nDELE x' })).code, 'login-rejected');
      assert.equal(server.count('DELE') + server.count('PASS'), 0);
    });
  });

  it('the trace shows everything but the password, even where the server echoes it', async () => {
    await withServer({}, async (server, port) => {
      server.addFault({ command: 'PASS' }, { reply: `530 Not understood: PASS ${PASSWORD}` });
      const { source, trace } = tracedSource({ port });
      const error = await failure(source.open(new AbortController().signal));
      assert.equal(error.code, 'login-rejected');
      assert.ok(trace.some((line) => line.startsWith('> USER')));
      assert.ok(!trace.join('\n').includes(PASSWORD));
    });
  });

  it('a password of any letters goes out as UTF-8', async () => {
    const password = 'pässwörd€';
    await withServer({ users: { site: password } }, async (_server, port) => {
      await withSession(tracedSource({ port, password }).source, (session) => listFolder(session, '/'));
    });
  });
});

describe('The data connection', () => {
  it('goes on by PASV where the server knows no EPSV, and does not ask again', async () => {
    await withServer({ hasEpsv: false }, async (server, port) => {
      server.tree.writeFile('/a', 'x');
      await withSession(tracedSource({ port }).source, async (session) => {
        assert.deepEqual((await listFolder(session, '/')).names, ['a']);
      });
      assert.equal(server.count('EPSV'), 1);
    });
  });

  it('goes on by PASV where the port of EPSV is closed', async () => {
    await withServer({}, async (server, port) => {
      server.tree.writeFile('/a', 'x');
      server.addFault({ command: 'EPSV' }, { reply: '229 Entering Extended Passive Mode (|||1|)' });
      await withSession(tracedSource({ port }).source, async (session) => {
        assert.deepEqual((await listFolder(session, '/')).names, ['a']);
      });
      assert.equal(server.count('EPSV'), 1);
    });
  });

  it('never goes to another host than the one that was logged in to', async () => {
    await withServer({ hasEpsv: false, pasvHost: '192.0.2.1' }, async (server, port) => {
      server.tree.writeFile('/a', 'x');
      await withSession(tracedSource({ port }).source, async (session) => {
        assert.deepEqual((await listFolder(session, '/')).names, ['a']);
      });
    });
  });

  it('that is refused once costs that transfer, not the session', async () => {
    await withServer({}, async (server, port) => {
      server.tree.writeFile('/a', 'abc');
      await withSession(tracedSource({ port }).source, async (session) => {
        server.addFault({ command: 'EPSV', nth: 1 }, { reply: '425 No free port.' });
        const error = await failure(session.download('/a' as never, new Basket(), 0));
        assert.equal(error.code, 'transfer-aborted');
        assert.equal(await session.download('/a' as never, new Basket(), 0), 3);
      });
    });
  });
});

describe('TLS', () => {
  for (const tls of ['explicit', 'implicit'] as const) {
    for (const tlsVersionMax of ['TLSv1.2', 'TLSv1.3'] as const) {
      it(`${tls} ${tlsVersionMax} works with a pinned certificate, on servers that want the session resumed`, async () => {
        await withServer(
          { tls, tlsVersionMax, requireTlsSessionReuse: true, tlsRequired: true },
          async (server, port) => {
            server.tree.writeFile('/a', Buffer.alloc(300_000, 1));
            const protocol = tls === 'explicit' ? 'ftps' : 'ftps-implicit';
            const { source } = tracedSource({ port, protocol, fingerprint: server.certificate?.fingerprint });
            await withSession(source, async (session) => {
              assert.equal(session.capabilities.isEncrypted, true);
              assert.deepEqual((await listFolder(session, '/')).names, ['a']);
              assert.equal(await session.download('/a' as never, new Basket(), 0), 300_000);
            });
            const secret = server.log.filter(({ command }) => command === 'USER' || command === 'PASS');
            assert.ok(secret.every((line) => line.isEncrypted));
          },
        );
      });
    }
  }

  it('with a certificate that nobody knows is refused before anything is sent, and tells what to pin', async () => {
    for (const tls of ['explicit', 'implicit'] as const) {
      await withServer({ tls }, async (server, port) => {
        const error = await openFails({ port, protocol: tls === 'explicit' ? 'ftps' : 'ftps-implicit' });
        assert.equal(error.code, 'certificate-untrusted');
        assert.equal(error.facts['fingerprint'], server.certificate?.fingerprint);
        assert.equal(error.facts['subject'], 'localhost');
        assert.equal(server.count('USER') + server.count('PASS'), 0);
      });
    }
  });

  it('with another certificate than the pinned one is certificate-changed, and shows both', async () => {
    await withServer({ tls: 'explicit' }, async (server, port) => {
      const expected = 'ab'.repeat(32);
      const error = await openFails({ port, protocol: 'ftps', fingerprint: expected });
      assert.equal(error.code, 'certificate-changed');
      assert.equal(error.facts['expected'], expected);
      assert.equal(error.facts['fingerprint'], server.certificate?.fingerprint);
      assert.equal(server.count('USER'), 0);
    });
  });

  for (const [what, host, isTrusted] of [
    ['is trusted where a known authority signed it for this host', 'localhost', true],
    ['is not trusted for another host than it was made for', '127.0.0.1', false],
  ] as const) {
    it(`a certificate ${what}`, async () => {
      const certificate = await makeSignedCertificate({ namesLoopback: false });
      try {
        await withServer({ tls: 'explicit', certificate, requireTlsSessionReuse: true }, async (server, port) => {
          server.tree.writeFile('/a', 'x');
          const program = `
            import { tracedSource, withSession, listFolder } from './test/support/ftp-session-fixture.ts';
            const { source } = tracedSource({ port: ${port}, protocol: 'ftps', host: '${host}' });
            const names = await withSession(source, async (s) => (await listFolder(s, '/')).names).catch((e) => e.code);
            process.stdout.write(JSON.stringify(names));`;
          const { stdout } = await promisify(execFile)(
            process.execPath,
            ['--import', 'tsx', '--input-type=module', '--eval', program],
            { cwd: `${import.meta.dirname}/../..`, env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate.caFile } },
          );
          assert.equal(stdout, JSON.stringify(isTrusted ? ['a'] : 'certificate-untrusted'));
        });
      } finally {
        await certificate.remove();
      }
    });
  }

  it('that the server does not have never becomes plain FTP', async () => {
    await withServer({}, async (server, port) => {
      assert.equal((await openFails({ port, protocol: 'ftps' })).code, 'tls-refused');
      assert.equal(server.count('USER') + server.count('PASS'), 0);
    });
  });

  it('for the control connection alone is refused', async () => {
    await withServer({ tls: 'explicit' }, async (server, port) => {
      server.addFault({ command: 'PROT' }, { reply: '534 Request denied for policy reasons.' });
      const error = await openFails({ port, protocol: 'ftps', fingerprint: server.certificate?.fingerprint });
      assert.equal(error.code, 'tls-refused');
      assert.equal(server.count('MLSD') + server.count('LIST'), 0);
    });
  });

  it('spoken to a plain FTP server is tls-refused', async () => {
    await withServer({}, async (_server, port) => {
      const error = await openFails({ port, protocol: 'ftps-implicit' });
      assert.equal(error.code, 'tls-refused');
    });
  });

  it('of somebody else on the data connection is refused', async () => {
    const other = await makeSelfSignedCertificate();
    const { createServer: createTlsServer } = await import('node:tls');
    const impostor = createTlsServer({ cert: other.cert, key: other.key }, (socket) => {
      socket.on('error', () => undefined);
      socket.end('type=file;size=1;modify=20260101000000; planted\r\n');
    });
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
    try {
      await withServer({ tls: 'explicit' }, async (server, port) => {
        const { source } = tracedSource({ port, protocol: 'ftps', fingerprint: server.certificate?.fingerprint });
        const session = await source.open(new AbortController().signal);
        const dataPort = (impostor.address() as AddressInfo).port;
        server.addFault({ command: 'EPSV' }, { reply: `229 Entering Extended Passive Mode (|||${dataPort}|)` });
        server.addFault({ command: 'MLSD' }, { reply: '226 Directory send OK.' });
        const error = await failure(listFolder(session, '/'));
        assert.equal(error.code, 'certificate-changed');
        session.close();
      });
    } finally {
      impostor.close();
      await other.remove();
    }
  });
});

describe('A session that ended', () => {
  it('by 421 in the middle is busy, by 421 for being idle is lost; then every call says so', async () => {
    for (const [reply, code] of [
      ['421 Too many connections.', 'server-busy'],
      ['421 Timeout (no operation for 900 seconds)', 'connection-lost'],
    ] as const) {
      await withServer({}, async (server, port) => {
        server.tree.writeFile('/a/x', 'x');
        await withSession(tracedSource({ port }).source, async (session) => {
          server.addFault({ command: 'CWD', path: '/a' }, { reply });
          assert.equal((await failure(listFolder(session, '/a'))).code, code);
          assert.equal((await failure(listFolder(session, '/'))).scope, 'session');
          assert.equal((await failure(session.stat('/a/x' as never))).scope, 'session');
          const basket = new Basket();
          assert.equal((await failure(session.download('/a/x' as never, basket, 0))).scope, 'session');
          assert.ok(basket.destroyed);
        });
      });
    }
  });

  it('while nobody used it says connection-lost at the next call', async () => {
    await withServer({}, async (server, port) => {
      await withSession(tracedSource({ port }).source, async (session) => {
        server.dropConnections();
        await new Promise((resolve) => setTimeout(resolve, 30));
        assert.equal((await failure(listFolder(session, '/'))).code, 'connection-lost');
      });
    });
  });

  it('because it was closed here rejects the call under way, and closing twice is nothing', async () => {
    await withServer({}, async (server, port) => {
      server.tree.writeFile('/a', Buffer.alloc(100_000));
      const session = await tracedSource({ port }).source.open(new AbortController().signal);
      server.addFault({ command: 'RETR' }, { stallAfterBytes: 1000 });
      const basket = new Basket();
      const download = failure(session.download('/a' as never, basket, 0));
      setTimeout(() => {
        session.close();
      }, 30);
      assert.equal((await download).scope, 'session');
      assert.ok(basket.destroyed);
      session.close();
    });
  });
});

describe('The folder of the source', () => {
  it('is the home of the log-in where the server does not let us go to /', async () => {
    await withServer({ home: '/home/site' }, async (server, port) => {
      server.tree.writeFile('/home/site/a/x', 'x');
      server.addFault({ command: 'CWD', path: '/' }, { reply: '550 Permission denied.' });
      await withSession(tracedSource({ port }).source, async (session) => {
        assert.deepEqual((await listFolder(session, '/')).names, ['a']);
        assert.deepEqual((await listFolder(session, '/a')).names, ['x']);
        assert.equal(await session.download('/a/x' as never, new Basket(), 0), 1);
      });
    });
  });

  it('is / itself where that can be seen, wherever the log-in begins', async () => {
    await withServer({ home: '/home/site' }, async (server, port) => {
      server.tree.writeFile('/home/site/x', 'x');
      await withSession(tracedSource({ port }).source, async (session) => {
        assert.deepEqual((await listFolder(session, '/')).names, ['home']);
      });
    });
  });

  it('is reached part by part where the server takes no path in CWD', async () => {
    await withServer({}, async (server, port) => {
      server.tree.writeFile('/www/a/x', 'x');
      for (const path of ['/www/a', '/www/a/x']) {
        server.addFault({ command: ['CWD', 'RETR'], path }, { run: () => undefined });
      }
      const { source } = tracedSource({ port, folder: '/www/' });
      await withSession(source, async (session) => {
        server.addFault({ command: 'CWD', path: '/www/a', nth: 1 }, { reply: '550 No paths.' });
        server.faults.splice(0, 2);
        assert.deepEqual((await listFolder(session, '/a')).names, ['x']);
        assert.equal(await session.download('/a/x' as never, new Basket(), 0), 1);
        assert.equal((await session.stat('/a/x' as never))?.sizeBytes, 1);
      });
      assert.ok(server.log.some((line) => line.command === 'RETR' && line.argument === 'x'));
    });
  });
});

describe('A server that is no server', () => {
  it('and only sends bytes is protocol-unusable, not a hang', async () => {
    const junk = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(Buffer.from([0x15, 0x03, 0x01, 0, 2, 2, 0x50]));
    });
    await new Promise<void>((resolve) => junk.listen(0, '127.0.0.1', resolve));
    try {
      const error = await openFails({ port: (junk.address() as AddressInfo).port });
      assert.equal(error.code, 'protocol-unusable');
      assert.equal(error.facts['hint'], 'tls');
    } finally {
      junk.close();
    }
  });
});

describe('A server that dies in the middle of a transfer under TLS 1.3', () => {
  it('is spoken to in TLS 1.2 from then on', async () => {
    await withServer({ tls: 'explicit' }, async (server, port) => {
      server.tree.writeFile('/a', 'abc');
      const { source, events } = tracedSource({ port, protocol: 'ftps', fingerprint: server.certificate?.fingerprint });
      await withSession(source, async (session) => {
        server.addFault({ command: 'RETR', nth: 1 }, { drop: true });
        assert.equal((await failure(session.download('/a' as never, new Basket(), 0))).code, 'connection-lost');
      });
      await withSession(source, async (session) => {
        assert.equal(await session.download('/a' as never, new Basket(), 0), 3);
      });
      const versions = events.filter(({ event }) => event === 'ftp-connected').map(({ tls }) => tls);
      assert.deepEqual(versions, ['TLSv1.3', 'TLSv1.2']);
    });
  });
});
