/** The parts of the access to the pages, each by itself. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { AccountStore } from '../../src/state/account-store.ts';
import type { StoredSession } from '../../src/state/account-store.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { isSameToken, isToken, newToken } from '../../src/web/access/csrf.ts';
import {
  HASHES_WAITING_MAX,
  PasswordQueueFull,
  hashPassword,
  verifyPassword,
} from '../../src/web/access/password-hash.ts';
import { ACCOUNT_RULE, ADDRESS_RULE, RateLimit, addressKey } from '../../src/web/access/rate-limit.ts';
import { SETUP_CODE_MS, SetupCode } from '../../src/web/access/setup-code.ts';
import { ownPath } from '../../src/web/redirect.ts';
import { FakeClock } from '../support/fake-clock.ts';

const MINUTE_MS = 60_000;
/** Checked in a blink; the real cost is for people who steal a database. */
const CHEAP = { N: 1024, r: 8, p: 1 };

describe('the limit on attempts', () => {
  it('gives the free ones, then waits of one minute, two, four, up to an hour', () => {
    let nowMs = 0;
    const limit = new RateLimit(ADDRESS_RULE, () => nowMs);
    for (let attempt = 1; attempt <= ADDRESS_RULE.freeAttempts; attempt++) assert.equal(limit.begin('a'), 0);
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      const waitMs = limit.begin('a');
      waits.push(waitMs / MINUTE_MS);
      nowMs += waitMs;
      assert.equal(limit.begin('a'), 0, 'after the wait');
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('does not lengthen a wait by attempts that are made during it', () => {
    let nowMs = 0;
    const limit = new RateLimit(ADDRESS_RULE, () => nowMs);
    for (let attempt = 0; attempt < 1000; attempt++) limit.begin('a');
    assert.equal(limit.waitMs('a'), MINUTE_MS);
    nowMs = MINUTE_MS;
    assert.equal(limit.waitMs('a'), 0);
  });

  it('forgets after a right attempt, and after a quiet day', () => {
    let nowMs = 0;
    const limit = new RateLimit(ADDRESS_RULE, () => nowMs);
    for (let attempt = 0; attempt < 5; attempt++) limit.begin('a');
    limit.succeed('a');
    for (let attempt = 0; attempt < 5; attempt++) assert.equal(limit.begin('a'), 0);
    nowMs += ADDRESS_RULE.forgetMs;
    for (let attempt = 0; attempt < 5; attempt++) assert.equal(limit.begin('a'), 0);
  });

  it('lets nobody wait because of somebody else', () => {
    const limit = new RateLimit(ADDRESS_RULE, () => 0);
    for (let attempt = 0; attempt < 100; attempt++) limit.begin('a');
    assert.equal(limit.begin('b'), 0);
  });

  it('remembers a bounded number of keys, and keeps those that go on trying', () => {
    const limit = new RateLimit({ ...ADDRESS_RULE, keysMax: 100 }, () => 0);
    for (let attempt = 0; attempt < 5; attempt++) limit.begin('attacker');
    for (let key = 0; key < 99; key++) limit.begin(`other ${key}`);
    assert.equal(limit.size, 100);
    assert.equal(limit.waitMs('attacker'), MINUTE_MS);
    for (let key = 0; key < 1000; key++) limit.begin(`flood ${key}`);
    assert.equal(limit.size, 100);
  });

  it('never lets more through in a day than the free attempts and one for each hour, whatever the rhythm', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 * MINUTE_MS }), { maxLength: 300 }), (pauses) => {
        let nowMs = 0;
        let through = 0;
        const limit = new RateLimit(ADDRESS_RULE, () => nowMs);
        for (const pauseMs of pauses) {
          nowMs += pauseMs;
          if (limit.begin('a') === 0) through++;
        }
        const bound = ADDRESS_RULE.freeAttempts + 6 + Math.ceil(nowMs / ADDRESS_RULE.waitMsMax);
        assert.ok(through <= bound, `${through} of ${pauses.length}`);
      }),
    );
  });

  it('is milder on an account than on an address: a stranger cannot keep its owner out for long', () => {
    assert.ok(ACCOUNT_RULE.waitMsMax <= 15 * MINUTE_MS);
    assert.ok(ACCOUNT_RULE.freeAttempts > ADDRESS_RULE.freeAttempts);
  });

  it('takes what one customer of IPv6 has as one address', () => {
    assert.equal(addressKey('192.0.2.7'), '192.0.2.7');
    assert.equal(addressKey('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
    assert.equal(addressKey('2001:0db8:1:2::'), '2001:db8:1:2::/64');
    assert.equal(addressKey('2001:db8::1'), '2001:db8:0:0::/64');
    assert.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
    assert.equal(addressKey('::1'), '0:0:0:0::/64');
    assert.equal(addressKey(''), '');
  });
});

describe('a form token', () => {
  it('is another one each time, and recognised by its shape', () => {
    const tokens = Array.from({ length: 100 }, newToken);
    assert.equal(new Set(tokens).size, 100);
    assert.ok(tokens.every(isToken));
    for (const wrong of [undefined, '', 'A'.repeat(42), `${'A'.repeat(42)}+`, `${'A'.repeat(43)}\n`]) {
      assert.equal(isToken(wrong), false);
    }
  });

  it('is equal to itself alone', () => {
    const token = newToken();
    assert.equal(isSameToken(token, token), true);
    assert.equal(isSameToken('', token), false);
    assert.equal(isSameToken(token.slice(1), token), false);
  });
});

describe('a path to go on to', () => {
  it('keeps the browser on this host, whatever was asked for', () => {
    const nasty = fc.array(
      fc.constantFrom('/', '\\', '.', '..', '@', ':', '\t', '\n', 'evil.example', 'https:', '?', '#'),
      {
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          nasty.map((parts) => parts.join('')),
          nasty.map((parts) => `/${parts.join('')}`),
        ),
        (value) => {
          const path = ownPath(value);
          assert.match(path, /^\//);
          assert.equal(new URL(path, 'http://nas.example:8377/').host, 'nas.example:8377');
        },
      ),
    );
  });

  it('is kept as it is where it is one of ours', () => {
    for (const path of ['/', '/tasks', '/runs/214?tab=log&q=a%2Fb', '/tasks/7-café']) assert.equal(ownPath(path), path);
    assert.equal(ownPath(undefined), '/');
    assert.equal(ownPath(['/tasks']), '/');
  });
});

describe('a stored password', () => {
  it('is recognised, in any way that its letters are composed, and no other is', async () => {
    const hash = await hashPassword('café au lait', CHEAP);
    assert.equal(await verifyPassword('café au lait'.normalize('NFD'), hash), true);
    assert.equal(await verifyPassword('cafe au lait', hash), false);
    assert.doesNotMatch(hash, /caf/);
    assert.notEqual(hash, await hashPassword('café au lait', CHEAP), 'each has its own salt');
  });

  it('costs as long for an account that does not exist', async () => {
    assert.equal(await verifyPassword('anything', undefined), false);
    assert.equal(await verifyPassword('anything', 'damaged'), false);
  });

  it('is not checked while too many others are', async () => {
    const hash = await hashPassword('right', CHEAP);
    const results = await Promise.allSettled(
      Array.from({ length: HASHES_WAITING_MAX + 10 }, () => verifyPassword('right', hash)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    assert.ok(refused.length > 0 && refused.length < 10);
    assert.ok(refused.every((result) => result.reason instanceof PasswordQueueFull));
    assert.equal(await verifyPassword('right', hash), true, 'afterwards all is as before');
  });
});

describe('the set-up code', () => {
  it('is good once, in any case and with or without hyphens', () => {
    const clock = new FakeClock();
    const { code, setupCode } = SetupCode.create(clock);
    assert.match(code, /^[A-Z2-9]{4}(-[A-Z2-9]{4}){3}$/);
    assert.equal(setupCode.spend(`${code}A`), false);
    assert.equal(setupCode.spend(''), false);
    assert.equal(setupCode.spend(` ${code.toLowerCase().replaceAll('-', '')} `), true);
    assert.equal(setupCode.spend(code), false);
    assert.equal(setupCode.isOver, true);
  });

  it('ends after an hour, whatever the clock of the NAS is set to', () => {
    const clock = new FakeClock();
    const { code, setupCode } = SetupCode.create(clock);
    clock.advance(SETUP_CODE_MS - 1);
    assert.equal(setupCode.matches(code), true);
    clock.advance(1);
    assert.equal(setupCode.matches(code), false);
    assert.equal(setupCode.isOver, true);
  });

  it('is never the same twice, nor kept where it can be read', () => {
    const made = Array.from({ length: 50 }, () => SetupCode.create(new FakeClock()));
    assert.equal(new Set(made.map(({ code }) => code)).size, 50);
    assert.ok(made.every(({ code, setupCode }) => !JSON.stringify(setupCode).includes(code)));
  });
});

describe('the accounts', () => {
  let dir: string;
  let db: Database.Database;
  let accounts: AccountStore;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'site-backup-accounts-'));
    db = openAppDatabase(dir);
  });
  beforeEach(() => {
    db.exec('DELETE FROM account; DELETE FROM session');
    accounts = new AccountStore(db);
  });
  after(() => {
    db.close();
    rmSync(dir, { recursive: true });
  });
  const session = (number: number, changes: Partial<StoredSession> = {}): StoredSession => ({
    tokenHash: Buffer.alloc(32, number),
    account: 'admin',
    csrfToken: `csrf ${number}`,
    address: '192.0.2.7',
    browser: 'Firefox',
    createdMs: 1000,
    seenMs: 1000 + number,
    ...changes,
  });

  it('have one first, and no second by the same way', () => {
    assert.equal(accounts.hasAccount(), false);
    assert.equal(accounts.addFirst('Admin', 'hash 1', 5), true);
    assert.equal(accounts.hasAccount(), true);
    assert.equal(accounts.addFirst('mallory', 'hash 2', 6), false);
    assert.deepEqual(accounts.find('aDMIN'), { name: 'Admin', passwordHash: 'hash 1' });
    assert.equal(accounts.find('mallory'), undefined);
    accounts.setPasswordHash('Admin', 'hash 3', 7);
    assert.equal(accounts.find('Admin')?.passwordHash, 'hash 3');
  });

  it('know their sessions by the hash of the token, the last seen first', () => {
    for (const number of [1, 2, 3]) accounts.addSession(session(number));
    assert.deepEqual(accounts.session(Buffer.alloc(32, 2)), session(2));
    assert.equal(accounts.session(Buffer.alloc(32, 9)), undefined);
    accounts.setSeen(Buffer.alloc(32, 1), 9000);
    assert.deepEqual(
      accounts.sessions('admin').map((stored) => stored.tokenHash[0]),
      [1, 3, 2],
    );
    assert.deepEqual(accounts.sessions('other'), []);
    assert.equal(accounts.isKnownAddress('admin', '192.0.2.7'), true);
    assert.equal(accounts.isKnownAddress('admin', '192.0.2.8'), false);
    assert.equal(accounts.isKnownAddress('other', '192.0.2.7'), false);
  });

  it('end one session, all but one, all, or those that are too old', () => {
    for (const number of [1, 2, 3]) accounts.addSession(session(number));
    accounts.addSession(session(4, { account: 'other' }));
    accounts.removeSession(Buffer.alloc(32, 1));
    assert.equal(accounts.removeSessions('admin', Buffer.alloc(32, 2)), 1);
    assert.deepEqual(
      accounts.sessions('admin').map((stored) => stored.tokenHash[0]),
      [2],
    );
    assert.equal(accounts.removeSessions('admin'), 1);
    assert.equal(accounts.sessions('other').length, 1);
    accounts.addSession(session(5, { createdMs: 10, seenMs: 5000 }));
    accounts.removeSessionsBefore(11, 0);
    assert.equal(accounts.session(Buffer.alloc(32, 5)), undefined);
    accounts.removeSessionsBefore(0, 1005);
    assert.equal(accounts.sessions('other').length, 0);
  });
});
