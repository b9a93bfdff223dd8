import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Writable } from 'node:stream';
import { BackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { RemotePath, RemoteSession } from '../../src/remote/remote.ts';
import { Basket, listFolder, tracedSource, withSession } from '../support/ftp-session-fixture.ts';
import type { FaultAction } from '../support/scripted-ftp-faults.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const FILE = '/file' as RemotePath;
const SIZE_BYTES = 100_000;

async function withFile(
  options: Partial<ScriptedServerOptions>,
  idleSeconds: number,
  work: (session: RemoteSession, server: ScriptedServer) => Promise<void>,
): Promise<void> {
  const server = await startScriptedServer(options);
  try {
    const content = Buffer.alloc(SIZE_BYTES, 'site backup ');
    server.tree.writeFile(FILE, content);
    server.tree.writeFile('/empty', '');
    const protocol = server.options.tls === 'none' ? 'ftp' : 'ftps';
    const { port } = server.address;
    const { source } = tracedSource({ port, protocol, idleSeconds, fingerprint: server.certificate?.fingerprint });
    await withSession(source, (session) => work(session, server));
  } finally {
    await server.stop();
  }
}

async function failure(work: Promise<unknown>): Promise<BackupError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof BackupError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'it succeeded' });
}

describe('A download', () => {
  for (const tls of ['none', 'explicit'] as const) {
    it(`brings every byte and ends the sink (tls: ${tls})`, async () => {
      await withFile({ tls }, 3, async (session, server) => {
        const basket = new Basket();
        assert.equal(await session.download(FILE, basket, 0), SIZE_BYTES);
        assert.ok(basket.writableFinished);
        assert.ok(basket.content.equals(Buffer.alloc(SIZE_BYTES, 'site backup ')));
        const empty = new Basket();
        assert.equal(await session.download('/empty' as RemotePath, empty, 0), 0);
        assert.ok(empty.writableFinished);
        assert.equal(server.log.filter((line) => line.command === 'TYPE').length, 1);
      });
    });
  }

  it('can begin in the middle', async () => {
    await withFile({}, 3, async (session) => {
      const basket = new Basket();
      assert.equal(await session.download(FILE, basket, 99_990), 10);
      assert.ok(basket.content.equals(Buffer.alloc(SIZE_BYTES, 'site backup ').subarray(99_990)));
    });
  });

  it('from the middle is refused where the server knows no REST, and the session goes on', async () => {
    await withFile({ hasRest: false }, 3, async (session) => {
      assert.equal(session.capabilities.hasRestart, false);
      const basket = new Basket();
      const error = await failure(session.download(FILE, basket, 10));
      assert.equal(error.code, 'file-refused');
      assert.match(error.detail ?? '', /^REST/);
      assert.ok(basket.destroyed);
      assert.equal(await session.download(FILE, new Basket(), 0), SIZE_BYTES);
    });
  });

  it('that is shorter or longer than it should be is told by its bytes, for the caller to compare', async () => {
    await withFile({}, 3, async (session, server) => {
      server.addFault({ command: 'RETR', nth: 1 }, { sendBytes: 40 });
      assert.equal(await session.download(FILE, new Basket(), 0), 40);
      server.addFault({ command: 'RETR', nth: 1 }, { extraBytes: 7 });
      assert.equal(await session.download(FILE, new Basket(), 0), SIZE_BYTES + 7);
    });
  });

  const fileFaults: readonly [what: string, action: FaultAction, code: ErrorCode, bytes: number | undefined][] = [
    ['a 550', { reply: '550 Failed to open file.' }, 'file-refused', undefined],
    ['a 550 about rights', { reply: '550 /file: Permission denied' }, 'permission-denied', undefined],
    ['a 553', { reply: '553 Prohibited file name.' }, 'file-refused', undefined],
    ['a 450', { reply: '450 File busy.' }, 'transfer-aborted', 0],
    ['a 425', { reply: '425 No data connection.' }, 'transfer-aborted', 0],
    ['a 426 in the middle', { sendBytes: 5000, finalReply: '426 Aborted.' }, 'transfer-aborted', undefined],
    ['a 451 at the end', { finalReply: '451 Read error.' }, 'transfer-aborted', SIZE_BYTES],
    ['a reset in the middle', { resetAfterBytes: 5000 }, 'transfer-aborted', undefined],
    ['a reset, then a 226', { resetAfterBytes: 5000, finalReply: '226 Fine.' }, 'transfer-aborted', undefined],
  ];
  for (const [what, action, code, bytes] of fileFaults) {
    it(`with ${what} is ${code}, and the session goes on`, async () => {
      await withFile({}, 3, async (session, server) => {
        server.addFault({ command: 'RETR', nth: 1 }, action);
        const basket = new Basket();
        const error = await failure(session.download(FILE, basket, 0));
        assert.equal(error.code, code);
        assert.equal(error.facts['path'], FILE);
        if (bytes !== undefined) assert.equal(error.facts['bytesReceived'], bytes);
        assert.ok(basket.destroyed);
        assert.equal(await session.download(FILE, new Basket(), 0), SIZE_BYTES);
      });
    });
  }

  const sessionFaults: readonly [what: string, action: FaultAction, code: ErrorCode, bytes: number][] = [
    ['a stall', { stallAfterBytes: 5000 }, 'timed-out', 5000],
    ['no answer', { hang: true }, 'timed-out', 0],
    ['all bytes but no 226', { finalReply: 'none' }, 'connection-lost', SIZE_BYTES],
    ['all bytes and a closed connection', { dropAfterData: true }, 'connection-lost', SIZE_BYTES],
    ['421 after the data', { finalReply: '421 Timeout.' }, 'connection-lost', SIZE_BYTES],
  ];
  for (const [what, action, code, bytes] of sessionFaults) {
    it(`with ${what} is ${code}, and tells how many bytes came`, async () => {
      await withFile({}, 0.2, async (session, server) => {
        server.addFault({ command: 'RETR', nth: 1 }, action);
        const basket = new Basket();
        const error = await failure(session.download(FILE, basket, 0));
        assert.equal(error.code, code);
        assert.equal(error.facts['bytesReceived'], bytes);
        assert.ok(basket.destroyed);
        assert.equal((await failure(session.list('/' as RemotePath, () => undefined))).scope, 'session');
      });
    });
  }

  it('into a sink slower than the idle time is not a stall', async () => {
    await withFile({}, 0.2, async (session, server) => {
      server.tree.writeFile('/large', Buffer.alloc(6_000_000, 1));
      const basket = new Basket(8);
      assert.equal(await session.download('/large' as RemotePath, basket, 0), 6_000_000);
      assert.equal(basket.sizeBytes, 6_000_000);
      const stuck = new Basket(500);
      assert.equal(await session.download(FILE, stuck, 0), SIZE_BYTES);
    });
  });

  it('fails with what the sink failed of, and the session goes on', async () => {
    await withFile({}, 3, async (session, server) => {
      server.tree.writeFile('/large', Buffer.alloc(20_000_000, 1));
      const full = new BackupError('disk-full');
      const sink = new Writable({
        write(_chunk, _encoding, done) {
          setTimeout(() => {
            done(full);
          }, 5);
        },
      });
      assert.equal(await failure(session.download('/large' as RemotePath, sink, 0)), full);
      assert.ok(sink.destroyed);
      assert.equal(await session.download(FILE, new Basket(), 0), SIZE_BYTES);
    });
  });

  it('fails where the sink fails only at its end', async () => {
    await withFile({}, 3, async (session) => {
      const full = new BackupError('disk-full');
      const sink = new Writable({
        write(_chunk, _encoding, done) {
          done();
        },
        final(done) {
          done(full);
        },
      });
      assert.equal(await failure(session.download(FILE, sink, 0)), full);
      assert.equal((await listFolder(session, '/')).entries.length, 2);
    });
  });

  for (const tls of ['none', 'explicit'] as const) {
    it(`fails where the sink is destroyed, at whatever moment, and the session goes on (tls: ${tls})`, async () => {
      await withFile({ tls }, 30, async (session, server) => {
        server.tree.writeFile('/large', Buffer.alloc(20_000_000, 1));
        const large = '/large' as RemotePath;
        for (const moment of ['before', 'while it connects', 'in the middle'] as const) {
          const sink = new Basket(5);
          if (moment === 'before') sink.destroy();
          const failing = failure(session.download(large, sink, 0));
          if (moment === 'in the middle') await once(sink, 'begun');
          sink.destroy();
          assert.equal((await failing).code, 'transfer-aborted', moment);
          assert.equal(await session.download(FILE, new Basket(), 0), SIZE_BYTES, moment);
        }
      });
    });
  }
});

describe('Asking for one file', () => {
  for (const [what, options, precision] of [
    ['MLST', {}, true],
    ['MDTM and SIZE', { hasMlsd: false, hasMlst: false }, false],
  ] as const) {
    it(`by ${what} tells size and time`, async () => {
      await withFile(options, 3, async (session, server) => {
        server.tree.touch(FILE, Date.UTC(2026, 2, 4, 5, 6, 7));
        assert.equal(session.capabilities.hasStat, true);
        const stat = await session.stat(FILE);
        assert.equal(stat?.sizeBytes, SIZE_BYTES);
        assert.deepEqual(stat.modified, {
          raw: '20260304050607',
          ms: Date.UTC(2026, 2, 4, 5, 6, 7),
          precision: 'second',
        });
        assert.equal(stat.unique !== undefined, precision);
        assert.equal(await session.stat('/nowhere' as RemotePath), undefined);
      });
    });
  }

  it('is given up where the server cannot tell', async () => {
    const options = { hasMlsd: false, hasMlst: false, hasMdtm: false, hasSize: false };
    await withFile(options, 3, async (session, server) => {
      assert.equal(session.capabilities.hasStat, false);
      server.clearLog();
      assert.equal(await session.stat(FILE), undefined);
      assert.equal(server.log.length, 0);
    });
  });
});
