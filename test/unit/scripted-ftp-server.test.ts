import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTlsServer, connect as connectTls } from 'node:tls';
import { connect, type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import { Client } from 'basic-ftp';
import { RawFtpClient, readData } from '../support/raw-ftp-client.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER, type ScriptedServerOptions } from '../support/scripted-ftp-options.ts';
import { startScriptedServer, type ScriptedServer } from '../support/scripted-ftp-server.ts';
import { utf8Name } from '../support/scripted-ftp-tree.ts';
import { makeSelfSignedCertificate, makeSignedCertificate } from '../support/self-signed-certificate.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
const CREDENTIALS = [SCRIPTED_USER, SCRIPTED_PASSWORD] as const;

const opened: { close(): void }[] = [];
const servers: ScriptedServer[] = [];

async function start(options: Partial<ScriptedServerOptions> = {}): Promise<ScriptedServer> {
  const server = await startScriptedServer({ nowMs: NOW_MS, ...options });
  servers.push(server);
  return server;
}

async function open(server: ScriptedServer): Promise<RawFtpClient> {
  const client = await RawFtpClient.open(server.address.port);
  opened.push(client);
  return client;
}

async function logIn(server: ScriptedServer): Promise<RawFtpClient> {
  const client = await open(server);
  await client.logIn(...CREDENTIALS);
  return client;
}

function fillWithSamples(server: ScriptedServer): void {
  const { tree } = server;
  tree.writeFile('/a.txt', 'hello', { mtimeMs: Date.UTC(2026, 10, 21, 0, 43, 5) });
  tree.writeFile('/.htaccess', 'Deny', { mtimeMs: Date.UTC(2025, 1, 3, 15, 7, 59), mode: 0o600 });
  tree.makeFolder('/sub', { mtimeMs: Date.UTC(2026, 7, 9, 13, 5, 0) });
}

afterEach(async () => {
  for (const client of opened.splice(0)) client.close();
  for (const server of servers.splice(0)) await server.stop();
});

describe('the scripted server, as an honest one', () => {
  it('answers commands that come at once one after the other, in their order', async () => {
    const server = await start();
    server.tree.writeFile('/x', 'abc');
    const client = await open(server);
    client.send('USER site', 'PASS correct horse', 'TYPE I', 'PWD', 'SIZE /x', 'NOPE', 'QUIT');
    const codes: string[] = [];
    for (;;) {
      const reply = await client.reply();
      codes.push(reply.slice(0, 3));
      if (reply === 'closed') break;
    }
    assert.deepEqual(codes, ['220', '331', '230', '200', '257', '213', '500', '221', 'clo']);
    assert.deepEqual(server.log[1], {
      connection: 1,
      command: 'PASS',
      argument: SCRIPTED_PASSWORD,
      isEncrypted: false,
    });
  });

  it('lists by MLSD with type, size, time, mode and identity', async () => {
    const server = await start();
    fillWithSamples(server);
    server.tree.addLink('/link', 'a.txt');
    const client = await logIn(server);
    const { text, opening, closing } = await client.fetch('MLSD');
    const lines = text.replace(/(unique=801U)[0-9a-f]+/g, '$1#').split('\r\n');
    assert.deepEqual(lines.slice(2), [
      'type=file;size=5;modify=20261121004305;UNIX.mode=0644;unique=801U#; a.txt',
      'type=file;size=4;modify=20250203150759;UNIX.mode=0600;unique=801U#; .htaccess',
      'type=dir;modify=20260809130500;UNIX.mode=0755;unique=801U#; sub',
      'type=OS.unix=slink:a.txt;modify=20261022120000;UNIX.mode=0777;unique=801U#; link',
      '',
    ]);
    assert.match(lines[0] ?? '', /^type=cdir;.* \.$/);
    assert.match(lines[1] ?? '', /^type=pdir;.* \.\.$/);
    assert.match(opening, /^150 /);
    assert.equal(closing, '226 Directory send OK.');
    await client.ask('OPTS MLST type;modify;');
    assert.match(await client.ask('MLST /a.txt'), /^250-.*\n type=file;modify=20261121004305; \/a\.txt\n250 /);
  });

  for (const [listStyle, lines] of [
    [
      'unix',
      [
        '-rw-r--r--    1 1000     1000                5 Nov 21 00:43 a.txt',
        'drwxr-xr-x    2 1000     1000             4096 Aug 09 13:05 sub',
      ],
    ],
    [
      'unix-fr',
      [
        '-rw-r--r--    1 1000     1000                5 nov. 21 00:43 a.txt',
        `drwxr-xr-x    2 1000     1000             4096 ${utf8Name('août')}  9 13:05 sub`,
      ],
    ],
    [
      'unix-fr-day-first',
      [
        '-rw-r--r--    1 1000     1000                5 21 nov. 00:43 a.txt',
        `drwxr-xr-x    2 1000     1000             4096  9 ${utf8Name('août')} 13:05 sub`,
      ],
    ],
    [
      'unix-iso',
      [
        '-rw-r--r--    1 1000     1000                5 2026-11-21 00:43 a.txt',
        'drwxr-xr-x    2 1000     1000             4096 2026-08-09 13:05 sub',
      ],
    ],
    ['dos', ['11-21-26  12:43AM                    5 a.txt', '08-09-26  01:05PM       <DIR>          sub']],
  ] as const) {
    it(`lists by LIST in the ${listStyle} style`, async () => {
      const server = await start({ listStyle });
      fillWithSamples(server);
      const client = await logIn(server);
      const { text } = await client.fetch('LIST');
      assert.deepEqual(text.split('\r\n'), [...lines, '']);
    });
  }

  it('shows hidden names, dots, years of old files, reversed and deep listings when asked', async () => {
    const server = await start({ showsTotal: true, matchesText: true });
    fillWithSamples(server);
    server.tree.writeFile('/sub/deep', 'x');
    const client = await logIn(server);
    const all = await client.fetch('LIST -la');
    assert.match(all.text, /^total 20\r\ndrwx.* \.\r\ndrwx.* \.\.\r\n-rw-------.* 4 Feb 03 {2}2025 \.htaccess\r\n/);
    assert.equal(all.closing, '226-Options: -a -l \n226 6 matches total');
    assert.deepEqual((await client.fetch('NLST -r')).text.split('\r\n'), ['sub', 'a.txt', '']);
    assert.deepEqual((await client.fetch('NLST -t')).text.split('\r\n'), ['a.txt', 'sub', '']);
    assert.match((await client.fetch('LIST -R')).text, / sub\r\n\r\nsub:\r\ntotal 4\r\n.* deep\r\n$/);
    assert.match(await client.ask('STAT -a /sub'), /^213-.*\n.* \.\n.* \.\.\n.* deep\n213 /s);
  });

  it('keeps the bytes of names: UTF-8, Latin-1, spaces at both ends, brackets and line ends', async () => {
    const server = await start();
    const names = [utf8Name('é'), '\xe9', ' both ', '[x]', '-a', 'new\nline', '\xff\xf4'];
    for (const name of names) server.tree.writeFile(`/${name}`, name);
    server.tree.writeOddName('/', '../../x', 'evil');
    const client = await logIn(server);
    const { text } = await client.fetch('MLSD');
    for (const name of [...names, '../../x']) assert.ok(text.includes(`; ${name}\r\n`), name);
    for (const name of names.filter((one) => !one.includes('\n'))) {
      assert.equal((await client.fetch(`RETR ${name}`)).text, utf8Name(name), name);
    }
  });

  it('sends a file from any place, and text with CRLF where the client forgot TYPE I', async () => {
    const server = await start();
    server.tree.writeFile('/x', 'a\nbc');
    const client = await logIn(server);
    assert.equal((await client.fetch('RETR /x')).text, 'a\nbc');
    assert.match(await client.ask('REST 2'), /^350 /);
    assert.equal((await client.fetch('RETR /x')).text, 'bc');
    assert.equal((await client.fetch('RETR /x')).text, 'a\nbc', 'a restart serves one transfer');
    await client.ask('REST 5');
    assert.match((await client.fetch('RETR /x')).opening, /^554 /);
    await client.ask('TYPE A');
    assert.equal((await client.fetch('RETR /x')).text, 'a\r\nbc');
    assert.equal(server.bytesSent.get('/x'), 4 + 2 + 4 + 5);
  });

  it('makes the same noise for one seed, wherever reading begins', async () => {
    const server = await start();
    server.tree.writeFile('/n', { sizeBytes: 200_000, seed: 7 });
    server.tree.writeFile('/m', { sizeBytes: 200_000, seed: 8 });
    const [n, m] = [...server.tree.files()].map((file) => file.read());
    assert.ok(n !== undefined && m !== undefined);
    assert.equal(n.length, 200_000);
    assert.notDeepEqual(n, m);
    const client = await logIn(server);
    for (const from of [0, 1, 65_535, 65_536, 131_073, 199_999, 200_000]) {
      await client.ask(`REST ${from}`);
      assert.equal((await client.fetch('RETR /n')).text, n.subarray(from).toString('latin1'), `from ${from}`);
    }
  });

  it('refuses what is missing, unreadable or a folder, and every command that writes', async () => {
    const server = await start();
    server.tree.writeFile('/closed/x', 'x');
    server.tree.writeFile('/secret', 'x', { mode: 0o000 });
    server.tree.makeFolder('/unlisted', { mode: 0o311 });
    server.tree.setMode('/closed', 0o600);
    const client = await logIn(server);
    for (const line of [
      'CWD /closed',
      'CWD /none',
      'CWD /secret',
      'SIZE /closed/x',
      'MDTM /',
      'STOR /y',
      'DELE /secret',
    ]) {
      assert.match(await client.ask(line), /^550 /, line);
    }
    for (const line of ['RETR /secret', 'RETR /none', 'RETR /closed', 'MLSD /none', 'MLSD /unlisted']) {
      assert.match((await client.fetch(line)).opening, /^550 /, line);
    }
    assert.match(await client.ask('RETR /secret'), /^550 /);
    const lie = await client.fetch('LIST /none');
    assert.deepEqual([lie.text, lie.closing], ['', '226 Directory send OK.']);
    server.options.missingListing = 'refused';
    assert.match((await client.fetch('LIST /none')).opening, /^450 /);
  });

  it('offers only what its personality has', async () => {
    const server = await start({
      hasMlsd: false,
      hasMlst: false,
      hasEpsv: false,
      hasMdtm: false,
      pasvHost: '10.0.0.9',
    });
    const client = await logIn(server);
    for (const line of ['MLSD', 'MLST', 'EPSV', 'MDTM /x']) assert.match(await client.ask(line), /^500 /, line);
    assert.equal(await client.ask('FEAT'), '211-Features:\n PASV\n REST STREAM\n SIZE\n TVFS\n UTF8\n211 End');
    assert.match(await client.ask('PASV'), /^227 .*\(10,0,0,9,\d+,\d+\)/);
  });

  it('shows one folder at two places with one identity, and follows links as far as they lead', async () => {
    const server = await start();
    server.tree.writeFile('/www/x', 'one');
    server.tree.addAlias('/domain', '/www');
    server.tree.addAlias('/www/self', '/');
    server.tree.addLink('/short', 'www');
    server.tree.addLink('/loop', 'loop');
    const client = await logIn(server);
    const { text } = await client.fetch('MLSD');
    const unique = (name: string): string | undefined => new RegExp(`unique=(\\S+); ${name}\r`).exec(text)?.[1];
    assert.ok(unique('www') !== undefined);
    assert.equal(unique('domain'), unique('www'));
    assert.equal((await client.fetch('RETR /www/self/domain/x')).text, 'one');
    assert.match(await client.ask('CWD /short'), /^250 /);
    assert.match(await client.ask('PWD'), /^257 "\/www" /);
    assert.match(await client.ask('CWD /loop'), /^550 /);
    assert.deepEqual(
      [...server.tree.files()].map((file) => file.path),
      ['/www/x'],
    );
  });

  it('tells edits, replacements and renames apart as a disk does', async () => {
    const server = await start();
    const { tree } = server;
    const look = (path: string): { inode: number; mtimeMs: number } => {
      const node = tree.find(path)?.node;
      assert.ok(node !== undefined, path);
      return { inode: node.inode, mtimeMs: node.mtimeMs };
    };
    tree.writeFile('/d/x', 'one');
    const [before, folderBefore] = [look('/d/x'), look('/d')];
    tree.writeFile('/d/x', 'two');
    assert.equal(look('/d/x').inode, before.inode);
    assert.ok(look('/d/x').mtimeMs > before.mtimeMs);
    assert.equal(look('/d').mtimeMs, folderBefore.mtimeMs, 'an edit in place leaves the folder its time');
    tree.writeFile('/d/x', 'six', { isReplaced: true, mtimeMs: before.mtimeMs });
    assert.notEqual(look('/d/x').inode, before.inode);
    const replaced = look('/d/x');
    tree.rename('/d/x', '/e/y');
    assert.deepEqual(look('/e/y'), replaced);
    assert.equal(tree.find('/d/x'), undefined);
    assert.ok(look('/d').mtimeMs > folderBefore.mtimeMs);
    assert.throws(() => {
      tree.writeFile('/日本', 'x');
    }, /utf8Name/);
  });

  it('counts connections and turns away one too many, at the greeting or at log-in', async () => {
    const server = await start({ maxConnections: 1 });
    const first = await logIn(server);
    assert.match(await (await open(server)).reply(), /^421 /);
    Object.assign(server.options, {
      maxConnectionsAt: 'login',
      maxConnectionsReply: '530 Sorry, the maximum number of clients (1) for this user are already connected.',
    });
    const third = await open(server);
    await third.reply();
    await third.ask('USER site');
    assert.match(await third.ask(`PASS ${SCRIPTED_PASSWORD}`), /^530 Sorry/);
    assert.equal(await third.reply(), 'closed');
    assert.match(await first.ask('NOOP'), /^200 /);
    assert.deepEqual([server.connectionsPeak, server.connectionsTotal], [2, 3]);
  });

  it('never takes the data connection of a refused transfer for that of the next', async () => {
    const server = await start();
    server.tree.writeFile('/x', 'abc');
    const client = await logIn(server);
    for (let i = 0; i < 6; i++) {
      const stale = await client.openData();
      client.send('RETR /none', 'EPSV');
      assert.match(await client.reply(), /^550 /);
      const port = Number(/\|(\d+)\|/.exec(await client.reply())?.[1]);
      const data = readData(connect(port, '127.0.0.1'));
      assert.match(await client.ask('RETR /x'), /^150 /);
      assert.deepEqual(await data, { text: 'abc', ending: 'end' });
      assert.match(await client.reply(), /^226 /);
      stale.destroy();
    }
    assert.match(await client.ask('RETR /x'), /^425 /, 'each transfer needs its own EPSV');
  });

  it('ends a transfer on ABOR, and an idle connection after its time', async () => {
    const server = await start();
    server.tree.writeFile('/big', { sizeBytes: 200 * 1024 * 1024, seed: 1 });
    const client = await logIn(server);
    const socket = await client.openData();
    socket.on('error', () => undefined);
    assert.match(await client.ask('RETR /big'), /^150 /);
    assert.match(await client.ask('\xff\xf4\xff\xf2ABOR'), /^426 /);
    assert.match(await client.reply(), /^226 /);
    socket.destroy();
    server.options.idleTimeoutMs = 20;
    await client.ask('NOOP');
    assert.match(await client.reply(), /^421 /);
    assert.equal(await client.reply(), 'closed');
  });

  it('leaves nothing open when it stops, whatever is under way', async () => {
    const server = await start();
    server.addFault({ command: 'NOOP' }, { hang: true });
    server.tree.writeFile('/big', { sizeBytes: 200 * 1024 * 1024, seed: 1 });
    const [hung, loading, idle] = [await logIn(server), await logIn(server), await logIn(server)];
    hung.send('NOOP');
    const data = readData(await loading.openData());
    assert.match(await loading.ask('RETR /big'), /^150 /);
    await idle.ask('EPSV');
    const { port } = server.address;
    servers.splice(0);
    await server.stop();
    await data;
    assert.deepEqual(await Promise.all([hung.reply(), idle.reply()]), ['closed', 'closed']);
    const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
  });
});

describe('the scripted server over TLS', () => {
  for (const tls of ['explicit', 'implicit'] as const) {
    for (const tlsVersionMax of ['TLSv1.2', 'TLSv1.3'] as const) {
      it(`serves basic-ftp by ${tls} ${tlsVersionMax}, data on the session of the control connection`, async () => {
        const server = await start({ tls, tlsVersionMax, requireTlsSessionReuse: true, tlsRequired: true });
        server.tree.writeFile('/x', { sizeBytes: 300_000, seed: 3 });
        const client = new Client(5000);
        opened.push(client);
        const [user, password] = CREDENTIALS;
        await client.access({
          ...server.address,
          user,
          password,
          secure: tls === 'explicit' ? true : 'implicit',
          secureOptions: { rejectUnauthorized: false },
        });
        assert.deepEqual(
          (await client.list()).map((entry) => entry.name),
          ['x'],
        );
        const chunks: Buffer[] = [];
        const sink = new Writable({
          write(chunk: Buffer, _encoding, done) {
            chunks.push(chunk);
            done();
          },
        });
        await client.downloadTo(sink, '/x');
        assert.deepEqual(Buffer.concat(chunks), [...server.tree.files()][0]?.read());
        assert.ok(server.log.every((line) => line.isEncrypted || line.command === 'AUTH'));
      });
    }
  }

  it('refuses a log-in and data in plain, data without session reuse, and commands smuggled in before TLS', async () => {
    const server = await start({ tls: 'explicit', tlsRequired: true, requireTlsSessionReuse: true });
    const client = await open(server);
    await client.reply();
    assert.match(await client.ask('USER site'), /^530 /);
    client.send('AUTH TLS', 'NOOP');
    assert.match(await client.reply(), /^234 /);
    await client.startTls();
    await client.ask('USER site');
    assert.match(await client.ask(`PASS ${SCRIPTED_PASSWORD}`), /^230 /, 'the smuggled NOOP got no answer');
    assert.match((await client.fetch('MLSD')).opening, /^522 /);
    await client.ask('PBSZ 0');
    await client.ask('PROT P');
    const raw = await client.openData();
    client.send('MLSD');
    assert.match(await client.reply(), /^150 /);
    const secure = connectTls({ socket: raw, rejectUnauthorized: false });
    secure.on('error', () => undefined);
    assert.match(await client.reply(), /^522 .*reuse/);
  });

  it('has certificates that tell their fingerprint, and ones that an authority signed', async () => {
    const [own, signed] = await Promise.all([makeSelfSignedCertificate(), makeSignedCertificate()]);
    for (const certificate of [own, signed]) {
      const server = createTlsServer({ key: certificate.key, cert: certificate.cert });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const socket = connectTls({ host: 'localhost', port, ca: certificate.ca });
      await once(socket, 'secureConnect');
      const told = socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase();
      assert.equal(told, certificate.fingerprint);
      socket.destroy();
      server.close();
      await certificate.remove();
    }
    assert.notEqual(own.fingerprint, signed.fingerprint);
  });
});

describe('the scripted server, as a liar', () => {
  it('acts on the command, path, connection and number of its rule, and as often as told', async () => {
    const server = await start();
    const [first, second] = [await logIn(server), await logIn(server)];
    const rule = server.addFault({ command: ['NOOP', 'PWD'], nth: 2, times: 2 }, { reply: '450 Not now.' });
    const codes: string[] = [];
    for (const line of ['NOOP', 'PWD', 'NOOP', 'NOOP']) codes.push((await first.ask(line)).slice(0, 3));
    assert.deepEqual(codes, ['200', '450', '450', '200']);
    assert.equal(server.faultBook.timesActed(rule), 2);
    server.tree.makeFolder('/a/b');
    server.faults.push({ on: { command: 'CWD', path: '/a/b', connection: 2 }, action: { reply: '550 No.' } });
    assert.match(await first.ask('CWD /a/b'), /^250 /);
    assert.match(await second.ask('CWD a'), /^250 /);
    assert.match(await second.ask('CWD b'), /^550 /);
    server.faults.length = 0;
    assert.match(await second.ask('CWD b'), /^250 /);
  });

  it('refuses, drops, hangs, and closes after a 421', async () => {
    const server = await start();
    server.addFault({ command: 'CONNECT', connection: 1 }, { reply: '421 Too many connections.' });
    server.addFault({ command: 'CONNECT', connection: 2 }, { drop: true });
    server.addFault({ command: 'CONNECT', connection: 3 }, { reply: 'SSH-2.0-OpenSSH_9.2' });
    server.addFault({ command: 'PASS', connection: 4 }, { reply: '530 Maximum number of clients reached.' });
    server.addFault({ command: 'NOOP', connection: 5, nth: 1 }, { drop: true });
    const [one, two, three] = [await open(server), await open(server), await open(server)];
    assert.match(await one.reply(), /^421 /);
    assert.equal(await one.reply(), 'closed');
    assert.equal(await two.reply(), 'closed');
    assert.equal(await three.reply(), 'closed', 'no reply of FTP');
    const four = await open(server);
    await four.reply();
    await four.ask('USER site');
    assert.match(await four.ask('PASS x'), /^530 Maximum/);
    const five = await logIn(server);
    assert.equal(await five.ask('NOOP'), 'closed');
    assert.equal(server.count('NOOP'), 1);
  });

  it('lies in listings: cut in lines, in a line, empty, changed, or other bytes altogether', async () => {
    const server = await start({ matchesText: true });
    for (let i = 0; i < 5; i++) server.tree.writeFile(`/f${i}`, 'x');
    const client = await logIn(server);
    const names = async (action: Parameters<ScriptedServer['addFault']>[1]): Promise<[string, string]> => {
      const rule = server.addFault({ command: ['NLST', 'MLSD', 'LIST'], path: '/' }, action);
      const { text, closing } = await client.fetch('NLST');
      server.faults.splice(server.faults.indexOf(rule), 1);
      return [text, closing.split('\n').pop() ?? ''];
    };
    assert.deepEqual(await names({ truncateListing: { lines: 2, reply: '226 Output truncated to 2 matches' } }), [
      'f0\r\nf1\r\n',
      '226 Output truncated to 2 matches',
    ]);
    assert.deepEqual(await names({ truncateListing: { lines: 1 } }), ['f0\r\n', '226 5 matches total']);
    assert.deepEqual(await names({ sendBytes: 5 }), ['f0\r\nf', '226 5 matches total']);
    assert.deepEqual(await names({ emptyListing: true }), ['', '226 0 matches total']);
    assert.deepEqual(await names({ mapListing: (lines) => ['../x', ...lines.slice(4)] }), [
      '../x\r\nf4\r\n',
      '226 2 matches total',
    ]);
    assert.equal((await names({ rawListing: 'caf\xe9' }))[0], 'caf\xe9');
  });

  it('lies in files: too few bytes, too many, others, or from the wrong place', async () => {
    const server = await start();
    server.tree.writeFile('/x', 'a'.repeat(100));
    const client = await logIn(server);
    server.addFault({ command: 'RETR', nth: 1 }, { sendBytes: 40 });
    server.addFault({ command: 'RETR', nth: 2 }, { extraBytes: 7 });
    server.addFault({ command: 'RETR', nth: 3 }, { content: 'other' });
    server.addFault({ command: 'RETR', nth: 4 }, { ignoreRest: true });
    const lengths: number[] = [];
    for (let i = 0; i < 5; i++) {
      await client.ask(`REST ${i === 3 ? 60 : 0}`);
      const { text, closing } = await client.fetch('RETR /x');
      assert.equal(closing, '226 Transfer complete.');
      lengths.push(text.length);
    }
    assert.deepEqual(lengths, [40, 107, 5, 100, 100]);
  });

  for (const isEncrypted of [false, true]) {
    it(`breaks transfers off ${isEncrypted ? 'under TLS' : 'in plain'}: reset, stalled, without a last word`, async () => {
      const server = await start({ tls: isEncrypted ? 'explicit' : 'none' });
      server.tree.writeFile('/x', 'a'.repeat(100_000));
      const fetch = async (client: RawFtpClient): Promise<string> => {
        const raw = await client.openData();
        assert.match(await client.ask('RETR /x'), /^150 /);
        const socket = isEncrypted ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
        if (isEncrypted) raw.on('error', () => undefined);
        const { text, ending } = await readData(socket);
        return `${text.length} ${ending} ${(await client.reply()).slice(0, 3)}`;
      };
      const logInHere = async (): Promise<RawFtpClient> => {
        if (!isEncrypted) return logIn(server);
        const client = await open(server);
        await client.reply();
        await client.ask('AUTH TLS');
        await client.startTls();
        for (const line of ['USER site', `PASS ${SCRIPTED_PASSWORD}`, 'PROT P', 'TYPE I']) await client.ask(line);
        return client;
      };
      const client = await logInHere();
      server.addFault({ command: 'RETR', nth: 1 }, { resetAfterBytes: 5000 });
      server.addFault({ command: 'RETR', nth: 2 }, { resetAfterBytes: 0, finalReply: '226 Transfer complete.' });
      server.addFault({ command: 'RETR', nth: 3 }, { sendBytes: 10, finalReply: '451 Local error.' });
      server.addFault({ command: 'RETR', nth: 4 }, { sendBytes: 20, endAbruptly: true });
      server.addFault({ command: 'RETR', nth: 5 }, { finalReply: 'none' });
      server.addFault({ command: 'RETR', nth: 6 }, { dropAfterData: true });
      assert.equal(await fetch(client), '5000 reset 426');
      assert.equal(await fetch(client), '0 reset 226');
      assert.equal(await fetch(client), '10 end 451');
      assert.match(await fetch(client), /^20 (end|reset) 226$/);
      const silent = fetch(client);
      setTimeout(() => {
        client.send('NOOP');
      }, 50);
      assert.equal(await silent, '100000 end 200', 'the next reply is that of NOOP');
      assert.equal(await fetch(client), '100000 end clo');

      const other = await logInHere();
      server.addFault({ command: 'RETR', connection: 2 }, { stallAfterBytes: 30 });
      const raw = await other.openData();
      await other.ask('RETR /x');
      const socket = isEncrypted ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      assert.equal(bytes.length, 30);
      socket.on('error', () => undefined);
      socket.destroy();
      assert.match(await other.reply(), /^426 /);
    });
  }

  it('changes the site between two commands', async () => {
    const server = await start();
    server.tree.writeFile('/x', 'one');
    server.addFault(
      { command: 'RETR', nth: 1 },
      {
        run: () => {
          server.tree.remove('/x');
        },
      },
    );
    const client = await logIn(server);
    assert.match(await client.ask('SIZE /x'), /^213 3/);
    assert.match((await client.fetch('RETR /x')).opening, /^550 /);
  });

  it('cuts every connection at once, and takes new ones', async () => {
    const server = await start();
    const client = await logIn(server);
    server.dropConnections();
    assert.equal(await client.reply(), 'closed');
    assert.match(await (await logIn(server)).ask('NOOP'), /^200 /);
  });
});
