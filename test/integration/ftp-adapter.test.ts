import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BackupError } from '../../src/errors.ts';
import type { RemotePath, RemoteSource } from '../../src/remote/remote.ts';
import { SERVER_SOFTWARE, whyServerIsMissing } from '../support/debian-package-files.ts';
import { Basket, listFolder, openPatiently, tracedSource, withSession } from '../support/ftp-session-fixture.ts';
import { startRealServer } from '../support/real-ftp-servers.ts';
import type { RealServer } from '../support/real-ftp-servers.ts';
import { TREE_TIME_MS, bytesOf, snapshotFolder, writeTree } from '../support/tree-compare.ts';

const LATIN1_NAME = 'caf\u00e9.txt';

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'success',
    (error: unknown) => (error instanceof BackupError ? error.code : String(error)),
  );
}

for (const software of SERVER_SOFTWARE) {
  for (const tls of ['none', 'explicit'] as const) {
    describe(`${software} (tls: ${tls})`, { skip: whyServerIsMissing(software) ?? false }, () => {
      const root = mkdtempSync(join(tmpdir(), 'site-backup-root-'));
      let server: RealServer;
      let source: RemoteSource;

      before(async () => {
        writeTree(root, {
          '.htaccess': 'deny',
          'index.php': '<?php',
          [bytesOf('été.txt')]: 'utf8',
          [LATIN1_NAME]: 'latin1',
          ' lead': 'l',
          'trail ': 't',
          'a -> b': 'arrow',
          '[slug]/page': 'x',
          '-dash/-f': 'd',
          'glob*/q?': 'g',
          'sp ace/in side': 's',
          empty: '',
          hollow: { folder: true },
          'big.bin': { content: Buffer.alloc(5_000_000, 'site backup ') },
          'many/f': '',
          'closed/in': { content: 'c' },
          closed: { folder: true, mode: 0o000 },
          'unlisted/in': { content: 'u' },
          unlisted: { folder: true, mode: 0o311 },
          unreadable: { content: 'u', mode: 0o000 },
          link: { linkTo: 'index.php' },
        });
        for (let i = 0; i < 1000; i++) writeTree(root, { [`many/f${i}`]: '' });
        server = await startRealServer({ software, tls, root, maxClientsPerIp: 3 });
        const { port, user, password, fingerprint } = server;
        const protocol = tls === 'none' ? 'ftp' : 'ftps';
        ({ source } = tracedSource({ port, user, password, protocol, fingerprint, connectSeconds: 8, idleSeconds: 8 }));
      });
      after(async () => {
        await server.stop();
        for (const name of ['closed', 'unlisted']) chmodSync(join(root, name), 0o755);
        rmSync(root, { recursive: true });
      });

      it('shows every name, and every file can be fetched as it is on disk', async () => {
        const expected = snapshotFolder(root);
        await withSession(source, async (session) => {
          assert.equal(session.capabilities.showsHidden, 'yes');
          assert.equal(session.capabilities.isEncrypted, tls !== 'none');
          let fetched = 0;
          for (const folder of ['', '/[slug]', '/-dash', '/glob*', '/sp ace']) {
            const { entries, listing } = await listFolder(session, folder === '' ? '/' : folder);
            assert.equal(listing.incomplete, undefined, folder);
            for (const entry of entries.filter(({ type, name }) => type === 'file' && name !== 'unreadable')) {
              const path = `${folder}/${entry.name}`;
              const basket = new Basket();
              const onDisk = expected.get(path.slice(1));
              assert.equal(await session.download(path as RemotePath, basket, 0), onDisk?.sizeBytes, path);
              assert.equal(basket.sha256, onDisk?.sha256, path);
              assert.equal(entry.sizeBytes, onDisk?.sizeBytes, path);
              const stat = await session.stat(path as RemotePath);
              assert.equal(stat?.sizeBytes, onDisk?.sizeBytes, path);
              assert.equal(stat?.modified?.ms, Math.floor(TREE_TIME_MS / 1000) * 1000, path);
              fetched++;
            }
          }
          assert.equal(fetched, 13);
          assert.deepEqual((await listFolder(session, '/hollow')).names, []);
          assert.equal((await listFolder(session, '/hollow')).listing.incomplete, undefined);
        });
      });

      it('with 1001 entries in one folder is listed whole', async () => {
        await withSession(source, async (session) => {
          const { entries, listing } = await listFolder(session, '/many');
          assert.equal(entries.length, 1001);
          assert.equal(listing.incomplete, undefined);
        });
      });

      it('starts a transfer in the middle', async () => {
        await withSession(source, async (session) => {
          const basket = new Basket();
          assert.equal(await session.download('/big.bin' as RemotePath, basket, 4_999_990), 10);
          assert.ok(basket.content.equals(Buffer.alloc(5_000_000, 'site backup ').subarray(4_999_990)));
        });
      });

      it('never shows a missing, closed or unlisted folder as an empty one', async () => {
        await withSession(source, async (session) => {
          await listFolder(session, '/');
          assert.equal(await codeOf(listFolder(session, '/nowhere')), 'listing-refused');
          assert.equal(await codeOf(listFolder(session, '/closed')), 'listing-refused');
          const unlisted = await listFolder(session, '/unlisted').catch((error: unknown) => error);
          if (unlisted instanceof BackupError) assert.match(unlisted.code, /^listing-/);
          else assert.ok((unlisted as Awaited<ReturnType<typeof listFolder>>).listing.incomplete);
          assert.match(await codeOf(session.download('/unreadable' as RemotePath, new Basket(), 0)), /denied|refused/);
          assert.equal(await codeOf(session.download('/nowhere' as RemotePath, new Basket(), 0)), 'file-refused');
          assert.equal((await listFolder(session, '/many')).entries.length, 1001);
        });
      });

      it('with a wrong password is login-rejected, with too many connections server-busy', async () => {
        const { port, user, fingerprint } = server;
        const protocol = tls === 'none' ? 'ftp' : 'ftps';
        const wrong = tracedSource({ port, user, password: 'wrong', protocol, fingerprint, connectSeconds: 15 }).source;
        assert.equal(await codeOf(wrong.open(new AbortController().signal)), 'login-rejected');
        const { signal } = new AbortController();
        const sessions = [await openPatiently(source), await openPatiently(source), await openPatiently(source)];
        assert.equal(await codeOf(source.open(signal)), 'server-busy');
        for (const session of sessions) session.close();
      });

      it('that is restarted costs the session, and the next one works', async () => {
        const session = await openPatiently(source);
        await server.restart();
        assert.equal(await codeOf(listFolder(session, '/')), 'connection-lost');
        await withSession(source, async (next) => {
          assert.ok((await listFolder(next, '/')).entries.length > 10);
        });
      });
    });
  }
}

describe('pure-ftpd with a limit of its own', { skip: whyServerIsMissing('pure-ftpd') ?? false }, () => {
  it('says so, and the folder is incomplete', async () => {
    const root = mkdtempSync(join(tmpdir(), 'site-backup-root-'));
    for (let i = 0; i < 60; i++) writeTree(root, { [`f${i}`]: '' });
    const server = await startRealServer({ software: 'pure-ftpd', tls: 'none', root, listingEntriesMax: 50 });
    try {
      const { source } = tracedSource({ port: server.port, user: server.user, password: server.password });
      await withSession(source, async (session) => {
        const { listing, entries } = await listFolder(session, '/');
        assert.equal(listing.incomplete?.reason, 'listing-truncated');
        assert.ok(entries.length < 60);
      });
    } finally {
      await server.stop();
      rmSync(root, { recursive: true });
    }
  });
});
