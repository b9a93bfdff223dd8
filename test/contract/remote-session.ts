/** The promises of src/remote/remote.ts as tests, for any server that can show a tree. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { BackupError } from '../../src/errors.ts';
import { openSource } from '../../src/remote/open-source.ts';
import {
  asRemoteName,
  joinRemote,
  LISTING_BATCH,
  REMOTE_ROOT,
  type FolderListing,
  type RemoteEntry,
  type RemotePath,
  type RemoteSession,
} from '../../src/remote/remote.ts';
import { Secret } from '../../src/settings/secret.ts';
import type { SourceSettings } from '../../src/settings/task-settings.ts';
import { findFreePort } from '../support/server-process.ts';
import { bytesOf, TREE_TIME_MS, type TreeSpec } from '../support/tree-compare.ts';

/** A server that shows a tree, for as long as one suite runs. */
export interface RemoteFixture {
  readonly settings: SourceSettings;
  /** Cuts every connection; new ones are answered afterwards. */
  cut(): Promise<void>;
  stop(): Promise<void>;
}

/** Where a server cannot keep a promise for reasons of its own. */
export interface RemoteTraits {
  /** Names (bytes as latin1 text) that are shown, but cannot be entered or fetched: they must fail, never look empty. */
  readonly unreachable?: readonly string[];
}

const LONG_NAME = bytesOf(`${'é'.repeat(125)}.html`);

/** Folders whose names some client or server takes for something else. Each holds one file, `inside.txt`. */
const ODD_FOLDERS = ['[slug]', 'two words', '-dash', 'star*', 'question?', ' leading', 'trailing ', 'caf\xe9', '{a,b}'];
const ODD_FILES = [
  '[b].txt',
  ' lead',
  'trail ',
  '-rf',
  'st*r',
  'a  b',
  'caf\xe9',
  bytesOf('Été'),
  '~',
  '#1',
  LONG_NAME,
];

const MANY_FILES = 3000;
const BIG_BYTES = 3_000_017;
const HUGE_BYTES = 200 * 1024 * 1024;

const bigContent = Buffer.alloc(BIG_BYTES);
for (let at = 0; at < BIG_BYTES; at++) bigContent[at] = (at * 31 + (at >> 8)) & 0xff;

/** What the fixture must show. `huge.bin` is HUGE_BYTES zeros; `locked`, `unlisted` and `secret.txt` are not readable. */
export const CONTRACT_TREE: TreeSpec = {
  'index.html': 'hello',
  '.htaccess': 'Require all denied\n',
  'empty.txt': '',
  'big.bin': { content: bigContent },
  'huge.bin': { zeroBytes: HUGE_BYTES },
  'secret.txt': { content: 'secret', mode: 0o000 },
  nothing: { folder: true },
  'locked/inside.txt': 'locked',
  locked: { folder: true, mode: 0o000 },
  'unlisted/inside.txt': 'unlisted',
  unlisted: { folder: true, mode: 0o311 },
  ...Object.fromEntries(ODD_FOLDERS.map((name) => [`odd/${name}/inside.txt`, name])),
  ...Object.fromEntries(ODD_FILES.map((name) => [`files/${name}`, name])),
  ...Object.fromEntries(Array.from({ length: MANY_FILES }, (_, index) => [`many/file-${index}.txt`, ''])),
};

/** A path in the form of the port. */
export function remotePath(...names: string[]): RemotePath {
  return names.reduce<RemotePath>((folder, text) => {
    const name = asRemoteName(text);
    assert.ok(name !== undefined, `not a remote name: ${text}`);
    return joinRemote(folder, name);
  }, REMOTE_ROOT);
}

/** Declares the tests for one server. `makeFixture` is called once; it shows CONTRACT_TREE. */
export function describeRemoteContract(
  name: string,
  makeFixture: () => Promise<RemoteFixture>,
  options: { skip: string | undefined; traits?: RemoteTraits },
): void {
  describe(`a remote session with ${name}`, { skip: options.skip ?? false, concurrency: 1, timeout: 120_000 }, () => {
    const unreachable = new Set(options.traits?.unreachable ?? []);
    let fixture: RemoteFixture;
    before(async () => {
      fixture = await makeFixture();
    });
    // `before` may have failed.
    after(() => (fixture as RemoteFixture | undefined)?.stop());

    const open = (changes: Partial<SourceSettings> = {}): Promise<RemoteSession> =>
      openSource({ ...fixture.settings, ...changes }, { clock: systemClock }).open(new AbortController().signal);

    const withSession = async (use: (session: RemoteSession) => Promise<void>): Promise<void> => {
      const session = await open();
      try {
        await use(session);
      } finally {
        session.close();
      }
    };

    describeListing(withSession, unreachable);
    describeDownload(withSession, unreachable);
    describeFailures(open, () => fixture);
  });
}

type WithSession = (use: (session: RemoteSession) => Promise<void>) => Promise<void>;

function describeListing(withSession: WithSession, unreachable: ReadonlySet<string>): void {
  it('shows the whole root, dot files included, with types, sizes and times', () =>
    withSession(async (session) => {
      const { entries, listing } = await listAll(session, REMOTE_ROOT);
      assert.equal(listing.incomplete, undefined);
      assert.deepEqual(listing.rejected, []);
      assert.deepEqual([...entries.keys()].sort(), [
        ...['.htaccess', 'big.bin', 'empty.txt', 'files', 'huge.bin', 'index.html', 'locked', 'many', 'nothing'],
        ...['odd', 'secret.txt', 'unlisted'],
      ]);
      const index = entries.get('index.html');
      assert.equal(index?.type, 'file');
      assert.equal(index.sizeBytes, 5);
      assert.equal(index.modified?.precision, session.capabilities.timePrecision);
      if (index.modified.precision !== 'day') assert.equal(index.modified.ms, TREE_TIME_MS);
      assert.deepEqual([entries.get('many')?.type, entries.get('many')?.sizeBytes], ['folder', 0]);
      assert.equal(session.capabilities.showsHidden, 'yes');
    }));

  it('hands a large folder over in batches, complete and without repeats', () =>
    withSession(async (session) => {
      const names = new Set<string>();
      const sizes: number[] = [];
      const listing = await session.list(remotePath('many'), (entries) => {
        sizes.push(entries.length);
        for (const entry of entries) names.add(entry.name);
      });
      assert.equal(listing.incomplete, undefined);
      assert.equal(listing.entryCount, MANY_FILES);
      assert.equal(names.size, MANY_FILES);
      assert.ok(sizes.length >= 3 && Math.max(...sizes) <= LISTING_BATCH, `batches: ${sizes.join(' ')}`);
    }));

  it('calls an empty folder complete and empty', () =>
    withSession(async (session) => {
      const { entries, listing } = await listAll(session, remotePath('nothing'));
      assert.deepEqual([listing.incomplete, listing.entryCount, entries.size], [undefined, 0, 0]);
    }));

  it('keeps every byte of odd names, UTF-8 or not', () =>
    withSession(async (session) => {
      const { entries, listing } = await listAll(session, remotePath('files'));
      assert.equal(listing.incomplete, undefined);
      assert.deepEqual([...entries.keys()].sort(), [...ODD_FILES].sort());
      const folders = await listAll(session, remotePath('odd'));
      assert.deepEqual([...folders.entries.keys()].sort(), [...ODD_FOLDERS].sort());
    }));

  for (const folder of ODD_FOLDERS) {
    const isReachable = !unreachable.has(folder);
    const title = isReachable ? 'shows what is in' : 'fails, and does not show as empty,';
    it(`${title} the folder ${JSON.stringify(folder)}`, () =>
      withSession(async (session) => {
        const listed = listAll(session, remotePath('odd', folder));
        if (!isReachable) {
          await assert.rejects(listed, expected('folder'));
          return;
        }
        const { entries, listing } = await listed;
        assert.equal(listing.incomplete, undefined);
        assert.deepEqual([...entries.keys()], ['inside.txt']);
        assert.equal(await contentOf(session, remotePath('odd', folder, 'inside.txt')), folder);
      }));
  }

  for (const folder of ['locked', 'no-such-folder', 'index.html']) {
    it(`refuses to list ${folder}, and never calls it empty`, () =>
      withSession(async (session) => {
        await assert.rejects(listAll(session, remotePath(folder)), expected('folder', 'listing-refused'));
        assert.equal((await listAll(session, remotePath('nothing'))).listing.incomplete, undefined);
      }));
  }

  it('never calls a folder complete that may be entered but not listed', () =>
    withSession(async (session) => {
      const verdict = await listAll(session, remotePath('unlisted')).then(
        ({ listing }) => listing.incomplete?.reason ?? 'complete',
        (error: unknown) => (error instanceof BackupError && error.scope === 'folder' ? error.code : error),
      );
      assert.ok(verdict === 'listing-refused' || verdict === 'listing-suspiciously-empty', inspect(verdict));
    }));
}

function describeDownload(withSession: WithSession, unreachable: ReadonlySet<string>): void {
  it('brings every byte of a file, and of an empty one none', () =>
    withSession(async (session) => {
      const sink = new Collector();
      assert.equal(await session.download(remotePath('big.bin'), sink, 0), BIG_BYTES);
      assert.ok(sink.writableFinished);
      assert.equal(sha256(sink.content()), sha256(bigContent));
      assert.equal(await contentOf(session, remotePath('empty.txt')), '');
      assert.equal(await contentOf(session, remotePath('.htaccess')), 'Require all denied\n');
    }));

  it('begins in the middle of a file where the server can, at exactly that byte', () =>
    withSession(async (session) => {
      assert.ok(session.capabilities.hasRestart);
      const startAt = 1_234_567;
      const sink = new Collector();
      assert.equal(await session.download(remotePath('big.bin'), sink, startAt), BIG_BYTES - startAt);
      assert.equal(sha256(sink.content()), sha256(bigContent.subarray(startAt)));
      assert.equal(await contentOf(session, remotePath('index.html')), 'hello');
    }));

  it('fetches files by any name', () =>
    withSession(async (session) => {
      for (const name of ODD_FILES) {
        const fetched = contentOf(session, remotePath('files', name));
        if (unreachable.has(name)) await assert.rejects(fetched, expected('file'));
        else assert.equal(await fetched, name);
      }
    }));

  it('refuses a missing and an unreadable file by itself, and the session goes on', () =>
    withSession(async (session) => {
      for (const path of [remotePath('no-such-file'), remotePath('secret.txt'), remotePath('locked', 'inside.txt')]) {
        const sink = new Collector();
        await assert.rejects(session.download(path, sink, 0), expected('file'), path);
        assert.ok(sink.destroyed);
        assert.equal(sink.content().length, 0);
      }
      assert.equal(await contentOf(session, remotePath('index.html')), 'hello');
    }));

  it('tells size and time of one file when asked, and nothing of a missing one', () =>
    withSession(async (session) => {
      assert.ok(session.capabilities.hasStat);
      const stat = await session.stat(remotePath('index.html'));
      assert.equal(stat?.sizeBytes, 5);
      assert.equal(stat.modified?.ms, TREE_TIME_MS);
      assert.equal((await session.stat(remotePath('files', LONG_NAME)))?.sizeBytes, LONG_NAME.length);
      assert.equal(await session.stat(remotePath('no-such-file')), undefined);
      assert.equal(await contentOf(session, remotePath('index.html')), 'hello');
    }));

  it('says of a file and of a folder whether it has gone', () =>
    withSession(async (session) => {
      assert.equal(await session.isGone(remotePath('index.html'), 'file'), false);
      assert.equal(await session.isGone(remotePath('no-such-file'), 'file'), true);
      assert.equal(await session.isGone(remotePath('no-such-folder', 'x'), 'file'), true);
      assert.equal(await session.isGone(remotePath('unlisted'), 'folder'), false);
      assert.equal(await session.isGone(remotePath('no-such-folder'), 'folder'), true);
    }));
}

function describeFailures(
  open: (changes?: Partial<SourceSettings>) => Promise<RemoteSession>,
  fixture: () => RemoteFixture,
): void {
  it('is encrypted exactly where the settings ask for it', async () => {
    const session = await open();
    session.close();
    assert.equal(session.capabilities.isEncrypted, fixture().settings.protocol !== 'ftp');
  });

  it('rejects a wrong password as such, without repeating it', async () => {
    const password = 'wrong-4711';
    await assert.rejects(open({ password: new Secret(password) }), (error: unknown) => {
      assert.ok(error instanceof BackupError);
      assert.equal(error.code, 'login-rejected');
      assert.ok(!inspect(error, { depth: 9 }).includes(password));
      return true;
    });
  });

  it('says that nobody listens at a wrong port', async () => {
    await assert.rejects(open({ port: await findFreePort() }), expected('run', 'connection-refused'));
  });

  it('trusts a certificate that nobody vouches for only by its fingerprint', async () => {
    if (fixture().settings.protocol === 'ftp') return;
    await assert.rejects(open({ tls: { fingerprint: undefined } }), (error: unknown) => {
      assert.ok(error instanceof BackupError);
      assert.equal(error.code, 'certificate-untrusted');
      assert.equal(error.facts['fingerprint'], fixture().settings.tls.fingerprint);
      return true;
    });
    await assert.rejects(open({ tls: { fingerprint: '0'.repeat(64) } }), expected('run', 'certificate-changed'));
  });

  it('fails where the source folder is missing, and where it may not be entered', async () => {
    for (const folder of ['/no-such-folder', '/locked']) {
      const list = async (): Promise<void> => {
        const session = await open({ folder });
        try {
          await listAll(session, REMOTE_ROOT);
        } finally {
          session.close();
        }
      };
      await assert.rejects(list, expected('run', 'remote-folder-missing'), folder);
    }
  });

  it('takes the source folder for its root', async () => {
    const session = await open({ folder: '/odd/[slug]' });
    try {
      assert.deepEqual([...(await listAll(session, REMOTE_ROOT)).entries.keys()], ['inside.txt']);
      assert.equal(await contentOf(session, remotePath('inside.txt')), '[slug]');
    } finally {
      session.close();
    }
  });

  it('rejects the download under way when it is closed', async () => {
    const session = await open();
    const sink = new Collector(() => {
      session.close();
    });
    await assert.rejects(session.download(remotePath('huge.bin'), sink, 0), BackupError);
    assert.ok(sink.destroyed);
  });

  it('rejects a download whose connection is cut, and another session works', async () => {
    const session = await open();
    let cutting: Promise<void> | undefined;
    const sink = new Collector(() => (cutting = fixture().cut()));
    try {
      await assert.rejects(session.download(remotePath('huge.bin'), sink, 0), (error: unknown) => {
        assert.ok(error instanceof BackupError, inspect(error));
        assert.ok(error.isRetried, `${error.code} would not be tried again`);
        return true;
      });
      assert.ok(sink.destroyed);
    } finally {
      session.close();
      await cutting;
    }
    const next = await open();
    try {
      assert.equal(await contentOf(next, remotePath('index.html')), 'hello');
    } finally {
      next.close();
    }
  });
}

/** Keeps what it gets; `onFirst` is waited for before the second chunk. */
class Collector extends Writable {
  readonly #chunks: Buffer[] = [];
  #onFirst: (() => unknown) | undefined;

  constructor(onFirst?: () => unknown) {
    super();
    this.#onFirst = onFirst;
  }

  content(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#chunks.push(chunk);
    const onFirst = this.#onFirst;
    this.#onFirst = undefined;
    Promise.resolve(onFirst?.()).then(() => {
      done();
    }, done);
  }
}

async function listAll(
  session: RemoteSession,
  folder: RemotePath,
): Promise<{ entries: Map<string, RemoteEntry>; listing: FolderListing }> {
  const entries = new Map<string, RemoteEntry>();
  const listing = await session.list(folder, (batch) => {
    for (const entry of batch) entries.set(entry.name, entry);
  });
  assert.equal(listing.entryCount, entries.size);
  return { entries, listing };
}

async function contentOf(session: RemoteSession, path: RemotePath): Promise<string> {
  const sink = new Collector();
  const sizeBytes = await session.download(path, sink, 0);
  assert.equal(sizeBytes, sink.content().length);
  return sink.content().toString('latin1');
}

function expected(scope: string, code?: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BackupError, inspect(error));
    assert.deepEqual([error.scope, error.code], [scope, code ?? error.code]);
    return true;
  };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
