import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { passivePort } from '../../src/remote/ftp/ftp-data-connection.ts';
import { closingError, isBusy, loginError, networkError } from '../../src/remote/ftp/ftp-errors.ts';
import { quotedPath } from '../../src/remote/ftp/ftp-folder.ts';
import { FtpLineSplitter, LINE_BYTES_MAX } from '../../src/remote/ftp/ftp-line-splitter.ts';
import { ListingCollector } from '../../src/remote/ftp/ftp-listing.ts';
import { FtpNameSet } from '../../src/remote/ftp/ftp-name-set.ts';

describe('A listing is cut into lines', () => {
  it('the same however its bytes are spread over packets', () => {
    const text = fc.array(fc.constantFrom('a', 'b c', '\n', '\r\n', '\r', '\u00e9', ''), { maxLength: 30 });
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 5 }), { maxLength: 40 }), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''), 'latin1');
        const lines: string[] = [];
        const splitter = new FtpLineSplitter(
          (line) => lines.push(line),
          () => lines.push('overlong'),
        );
        let at = 0;
        for (const cut of cuts) {
          splitter.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        splitter.push(bytes.subarray(at));
        const whole = bytes.toString('latin1').split('\n');
        const rest = whole.pop();
        assert.deepEqual(
          lines,
          whole.map((line) => line.replace(/\r$/, '')),
        );
        assert.equal(splitter.remainder ?? '', rest);
      }),
    );
  });

  it('and a line without end costs no more memory than the bound', () => {
    const overlong: string[] = [];
    const lines: string[] = [];
    const splitter = new FtpLineSplitter(
      (line) => lines.push(line),
      (beginning) => overlong.push(beginning),
    );
    for (let i = 0; i < 50; i++) splitter.push(Buffer.alloc(1000, 0x61));
    assert.equal(splitter.remainder?.length, LINE_BYTES_MAX);
    splitter.push(Buffer.from('\nnext\n'));
    assert.deepEqual(lines, ['next']);
    assert.deepEqual(
      overlong.map((line) => line.length),
      [LINE_BYTES_MAX],
    );
  });
});

describe('Every line of a listing is accounted for', () => {
  it('lines = entries + dots + ignored + rejected, whatever bytes come', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'type=file;size=1; a\r\n',
        'type=cdir; .\r\n',
        '\r\n',
        '-rw-r--r-- 1 a b 5 Nov 21 00:43 x\n',
        'total 1\n',
        'cut',
      ),
      fc.string({ unit: 'binary', maxLength: 30 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.boolean(), (pieces, isMlsd) => {
        let handedOver = 0;
        const collector = new ListingCollector(isMlsd, Date.UTC(2026, 10, 21), (batch) => (handedOver += batch.length));
        const bytes = Buffer.from(pieces.join(''), 'latin1');
        collector.push(bytes);
        const raw = collector.finish({ code: 226, text: '226 Fine.' });
        const text = bytes.toString('latin1');
        assert.equal(raw.lines, text.split('\n').length - (text === '' || text.endsWith('\n') ? 1 : 0));
        assert.equal(raw.lines, raw.entries + raw.dots + raw.ignored + raw.rejectedCount);
        assert.equal(raw.entries, handedOver);
      }),
    );
  });
});

describe('The names of a listing', () => {
  it('are told apart, and found again', () => {
    const names = new FtpNameSet();
    for (let i = 0; i < 50_000; i++) assert.equal(names.add(`file-${i}.jpg`), true);
    for (let i = 0; i < 50_000; i += 997) assert.equal(names.add(`file-${i}.jpg`), false);
  });

  it('are the same contents in any order, and another order is seen', () => {
    const make = (list: readonly string[]): FtpNameSet => {
      const names = new FtpNameSet();
      for (const name of list) names.add(name);
      return names;
    };
    const list = Array.from({ length: 1000 }, (_, i) => `f${i}`);
    assert.equal(make(list).contents, make(list.toReversed()).contents);
    assert.notEqual(make(list).order, make(list.toReversed()).order);
    assert.notEqual(make(list).contents, make([...list.slice(1), 'other']).contents);
  });
});

describe('The port for data', () => {
  for (const [text, port] of [
    ['229 Entering Extended Passive Mode (|||45788|)', 45788],
    ['229 Extended Passive Mode Entered (!!!6446!)', 6446],
    ['227 Entering Passive Mode (192,168,1,2,178,220)', 45788],
    ['227 Entering Passive Mode 127,0,0,1,0,21', 21],
    ['229 Mode (|||0|)', undefined],
    ['229 Mode (|||99999|)', undefined],
    ['227 Entering Passive Mode (1,2,3,4,999,999)', undefined],
    ['229 fine', undefined],
  ] as const) {
    it(`in "${text}" is ${port ?? 'none'}`, () => {
      assert.equal(passivePort(text), port);
    });
  }
});

describe('The current folder in the answer to PWD', () => {
  for (const [text, path] of [
    ['257 "/home/u" is the current directory', '/home/u'],
    ['257 "/a ""quoted"" name"', '/a "quoted" name'],
    ['257 "/home/u/"', '/home/u'],
    ['257 "/"', '/'],
    ['257 "C:\\site"', undefined],
    ['550 no', undefined],
  ] as const) {
    it(`${text} is ${path ?? 'unknown'}`, () => {
      assert.equal(quotedPath(text), path);
    });
  }
});

describe('The words of a refused log-in', () => {
  for (const text of [
    '530 maximum number of clients (3) for this user',
    '530 Sorry, the maximum number of allowed clients (10) are already connected.',
    '421 Too many connections (8) from this IP',
    '421 25 users (the maximum) are already logged in, sorry',
    "421 I can't accept more than 3 connections as the same user",
    '421 Trop de connexions (8) depuis cette IP',
    '421 Je ne peux pas accepter plus de 3 connexions du meme utilisateur',
    '421 Zuviele Verbindungen (3) von dieser IP-Adresse.',
    '421 Demasiadas conexiones (3) desde esta IP',
    '421 Teveel verbindingen (3) vanaf dit IP',
    '421 There are too many connected users, please try later.',
    '530 User limit reached',
    '530 Connection limit exceeded, try again later',
  ]) {
    it(`mean a full server: ${text}`, () => {
      assert.equal(isBusy(text), true);
    });
  }

  for (const text of [
    '530 Login incorrect.',
    '530 Login authentication failed',
    '530 Too many login failures.',
    '530 Too many failed attempts, you are banned.',
    '530 User cannot log in.',
    '530 Mot de passe incorrect, trop de tentatives',
    '530 Permission denied.',
  ]) {
    it(`mean that trying again would do harm: ${text}`, () => {
      assert.equal(isBusy(text), false);
      assert.equal(loginError({ code: 530, text }, {}).code, 'login-rejected');
    });
  }

  for (const text of [
    '530 Non-anonymous sessions must use encryption.',
    '421 Sorry, cleartext sessions are not accepted on this server.',
    '550 SSL/TLS required on the control channel',
    '503 Use AUTH first.',
  ]) {
    it(`mean that TLS must come first: ${text}`, () => {
      assert.equal(loginError({ code: Number(text.slice(0, 3)), text }, {}).facts['hint'], 'tls-required');
    });
  }

  it('430 is a wrong password, any other 4xx a passing trouble', () => {
    assert.equal(loginError({ code: 430, text: '430 No.' }, {}).code, 'login-rejected');
    assert.equal(loginError({ code: 451, text: '451 No.' }, {}).code, 'server-busy');
  });
});

describe('An error of the network', () => {
  for (const [errno, isConnecting, code] of [
    ['ENOTFOUND', true, 'host-unknown'],
    ['EAI_AGAIN', true, 'host-unknown'],
    ['ECONNREFUSED', true, 'connection-refused'],
    ['EHOSTUNREACH', true, 'connection-refused'],
    ['ETIMEDOUT', true, 'timed-out'],
    ['ECONNRESET', true, 'connection-lost'],
    ['EPIPE', false, 'connection-lost'],
    ['EHOSTUNREACH', false, 'connection-lost'],
  ] as const) {
    it(`${errno} ${isConnecting ? 'while connecting' : 'later'} is ${code}`, () => {
      assert.equal(networkError(Object.assign(new Error(errno), { code: errno }), {}, isConnecting).code, code);
    });
  }

  it('421 for idleness after the log-in is a lost connection, any other a busy server', () => {
    const idle = { code: 421, text: '421 Timeout (no operation for 900 seconds)' };
    assert.equal(closingError(idle, {}, true).code, 'connection-lost');
    assert.equal(closingError(idle, {}, false).code, 'server-busy');
    assert.equal(closingError({ code: 421, text: '421 Service closing.' }, {}, true).code, 'server-busy');
  });
});
