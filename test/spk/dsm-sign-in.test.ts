/** Who may enter the pages on a DSM: through its web server, by the session that a browser has there. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Request, Response } from 'express';
import { dsmGateSecret } from '../../src/web/access/dsm-gate.ts';
import { BELIEVED_MS, DsmLogin, UNANSWERED_MS_MAX } from '../../src/web/access/dsm-login.ts';
import { until } from '../support/browser-fixture.ts';
import { FakeDsm } from '../support/fake-dsm.ts';
import type { FakeDsmSession } from '../support/fake-dsm.ts';
import { locationFor, nginxFaults, startDsmNginx, whyNginxIsMissing } from '../support/dsm-nginx.ts';
import type { DsmNginx } from '../support/dsm-nginx.ts';
import { Visitor, startWebApp, tokenIn } from '../support/web-app.ts';
import type { Answer, WebApp } from '../support/web-app.ts';

const BASE = '/sitebackup/';
/** Long: a machine that is busy with other tests takes its time. */
const MOMENT_MS = 60_000;
const skip = whyNginxIsMissing() ?? false;

function located(answer: Answer): string {
  return `${answer.status} ${String(answer.headers.location)}`;
}

/** Numbers of the processes that work in this folder. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readlinkSync(`/proc/${name}/cwd`) === folder;
    } catch {
      return false;
    }
  });
}

describe('the location file for DSM’s nginx', { skip }, () => {
  it('passes the check of nginx, with the secret and before there is one', () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'site-backup-gate-'));
    try {
      const location = locationFor({ servicePort: 8377, stateDir });
      assert.equal(nginxFaults(location), '');
      dsmGateSecret(stateDir);
      assert.equal(nginxFaults(location), '');
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});

describe('the secret between DSM’s web server and the service', () => {
  it('is for its owner only, and stays the same over restarts: nobody reads it again by himself', () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'site-backup-gate-'));
    try {
      const secret = dsmGateSecret(stateDir);
      assert.match(secret, /^[\w-]{43}$/);
      assert.equal(dsmGateSecret(stateDir), secret);
      assert.equal(statSync(join(stateDir, 'dsm-gate.conf')).mode & 0o777, 0o600);
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});

describe('the sign-in by DSM', { skip }, () => {
  let dsm: FakeDsm;
  let app: WebApp;
  let nginx: DsmNginx;
  const gateDir = mkdtempSync(join(tmpdir(), 'site-backup-gate-'));
  before(async () => {
    dsm = new FakeDsm();
    const gate = dsmGateSecret(gateDir);
    app = await startWebApp({ basePath: BASE, dsm: { gate, programs: dsm.programs } });
    nginx = await startDsmNginx({ servicePort: app.port, stateDir: gateDir, dsmPort: await dsm.listen() });
  });
  after(async () => {
    await nginx.stop();
    await app.close();
    await dsm.stop();
    rmSync(gateDir, { recursive: true, force: true });
  });

  /** A browser that has this session in DSM. */
  const browser = (session: FakeDsmSession | undefined, from?: string): Visitor => {
    const visitor = new Visitor(nginx.port, from);
    if (session !== undefined) visitor.cookies.set('id', session.id);
    return visitor;
  };
  /** What the script of the sign-in page does. */
  const enter = (visitor: Visitor, synoToken: string, next = '/tasks'): Promise<Answer> =>
    visitor.send(`${BASE}login`, { synoToken, next });
  const isIn = async (visitor: Visitor): Promise<boolean> => (await visitor.ask(`${BASE}tasks`)).status === 200;

  it('lets an administrator in, and leads to what was asked for', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    const first = await visitor.ask(`${BASE}runs?state=failed`);
    assert.equal(located(first), `303 ${BASE}login?next=${encodeURIComponent('/runs?state=failed')}`);
    assert.equal(located(await enter(visitor, session.token, '/runs?state=failed')), `303 ${BASE}runs?state=failed`);
    const page = await visitor.ask(`${BASE}tasks`);
    assert.equal(page.status, 200);
    assert.match(page.text, /boss/);
    const cookie = visitor.setCookies.find((text) => text.startsWith('sitebackup_session=')) ?? '';
    assert.match(cookie, /HttpOnly/);
    assert.match(cookie, /SameSite=Strict/);
    assert.match(cookie, /Path=\/sitebackup\//);
    assert.doesNotMatch(page.text + cookie, new RegExp(session.token));
  });

  it('takes an administrator of a Windows domain', async () => {
    const session = dsm.signIn('DOMAIN\\chief');
    assert.equal(located(await enter(browser(session), session.token)), `303 ${BASE}tasks`);
  });

  for (const [user, why] of [
    ['anna', 'a user who is no administrator'],
    ['mallory', 'a member of a group with “administrators” in its name'],
    ['nobody-knows', 'a user whom the system does not know'],
  ] as const) {
    it(`refuses ${why}, by name`, async () => {
      const session = dsm.signIn(user);
      const visitor = browser(session);
      const answer = await enter(visitor, session.token);
      assert.equal(answer.status, 403);
      assert.match(answer.text, new RegExp(`${user} may not enter`));
      assert.equal(await isIn(visitor), false);
    });
  }

  it('refuses without a token, with a wrong one, and with that of another session', async () => {
    const session = dsm.signIn('boss');
    const other = dsm.signIn('boss');
    for (const token of ['', 'wrong', other.token, 'a b', 'x'.repeat(5000), 'é']) {
      const visitor = browser(session);
      assert.equal((await enter(visitor, token)).status, 403, `token ${token.slice(0, 20)}`);
      assert.equal(await isIn(visitor), false);
    }
  });

  it('refuses a browser without a session in DSM, without starting a program for it', async () => {
    const before = dsm.calls;
    for (const visitor of [browser(undefined), browser({ id: '', token: '', user: '', address: '' })]) {
      assert.equal((await enter(visitor, 'token')).status, 403);
    }
    assert.equal(dsm.calls, before);
  });

  it('refuses a session from another address than the one that DSM knows, whatever the headers say', async () => {
    const session = dsm.signIn('boss', '127.0.0.1');
    const visitor = browser(session, '127.0.0.9');
    const forged = { 'X-Forwarded-For': '127.0.0.1', 'X-Real-IP': '127.0.0.1', Forwarded: 'for=127.0.0.1' };
    const token = tokenIn((await visitor.ask(`${BASE}login`, { headers: forged })).text);
    const form = { _csrf: token, synoToken: session.token, next: '/' };
    const answer = await visitor.ask(`${BASE}login`, { form, headers: forged });
    assert.equal(answer.status, 403);
    assert.equal(await isIn(visitor), false);
  });

  it('refuses the cookie of a signed-in browser from another address, and the first one stays in', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    const thief = new Visitor(nginx.port, '127.0.0.8');
    for (const [name, value] of visitor.cookies) thief.cookies.set(name, value);
    assert.equal(await isIn(thief), false);
    assert.equal(await isIn(visitor), true);
  });

  it('refuses our cookie beside another session of DSM', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    visitor.cookies.set('id', dsm.signIn('anna').id);
    assert.equal(await isIn(visitor), false);
    visitor.cookies.delete('id');
    assert.equal(await isIn(visitor), false);
  });

  it('refuses whoever goes to the port past the web server, with or without a guess of the secret', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    const local = new Visitor(app.port);
    for (const [name, value] of visitor.cookies) local.cookies.set(name, value);
    for (const headers of [{}, { 'X-Site-Backup-Gate': '' }, { 'X-Site-Backup-Gate': 'A'.repeat(43) }]) {
      for (const path of ['/', BASE, `${BASE}tasks`, `${BASE}login`, `${BASE}static/x/app.js`]) {
        assert.equal((await local.ask(path, { headers })).status, 403, path);
      }
    }
    // And the web server does not take a secret from a client: it puts its own there.
    assert.equal((await visitor.ask(`${BASE}tasks`, { headers: { 'X-Site-Backup-Gate': 'wrong' } })).status, 200);
  });

  it('refuses a change without the token of its own form', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    const form = { idleMinutes: '1' };
    assert.equal((await visitor.ask(`${BASE}settings/security`, { form })).status, 403);
    assert.equal((await visitor.send(`${BASE}settings/security`, { idleMinutes: '60' })).status, 303);
  });

  it('asks DSM seldom for looking, and anew before a change', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    const atEntry = dsm.calls;
    for (let look = 0; look < 5; look++) assert.equal(await isIn(visitor), true);
    assert.equal(dsm.calls, atEntry);
    app.clock.advance(BELIEVED_MS.changing);
    assert.equal(await isIn(visitor), true);
    assert.equal(dsm.calls, atEntry);
    await visitor.send(`${BASE}settings/security`, { idleMinutes: '60' });
    assert.equal(dsm.calls, atEntry + 1);
    app.clock.advance(BELIEVED_MS.reading);
    await Promise.all([isIn(visitor), isIn(visitor), isIn(visitor)]);
    assert.equal(dsm.calls, atEntry + 2);
  });

  it('ends with the session in DSM: at once for a change, within a minute for looking', async () => {
    const session = dsm.signIn('boss');
    const [changer, looker] = [browser(session), browser(session)];
    await enter(changer, session.token);
    await enter(looker, session.token);
    const token = tokenIn((await changer.ask(`${BASE}settings/security`)).text);
    dsm.signOut(session.id);
    app.clock.advance(BELIEVED_MS.changing);
    const answer = await changer.ask(`${BASE}settings/security`, { form: { _csrf: token, idleMinutes: '7' } });
    assert.equal(answer.status, 403);
    assert.notEqual(app.services.settings.read().idleMinutes, 7);
    app.clock.advance(BELIEVED_MS.reading);
    assert.equal(await isIn(looker), false);
  });

  it('ends what a page asks by itself with the session in DSM', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    assert.equal((await visitor.ask(`${BASE}tasks/live.json`)).status, 200);
    dsm.signOut(session.id);
    app.clock.advance(BELIEVED_MS.reading);
    assert.equal((await visitor.ask(`${BASE}tasks/live.json`)).status, 401);
  });

  it('ends a stream that nobody asks anything beside, once DSM has said that the session is over', async () => {
    const login = new DsmLogin(app.services, dsm.programs);
    const session = dsm.signIn('boss');
    const headers = { cookie: `id=${session.id}` };
    const req = { ip: '127.0.0.1', method: 'POST', headers, get: () => undefined } as unknown as Request;
    const set: string[] = [];
    const res = {
      locals: { page: { basePath: BASE } },
      append: (_name: string, value: string) => set.push(value),
    } as unknown as Response;
    assert.equal((await login.enter(req, res, session.token)).kind, 'in');
    const ours = /^[^;]+/.exec(set[0] ?? '')?.[0] ?? '';
    const signedIn = await login.identify(
      { ...req, headers: { cookie: `${headers.cookie}; ${ours}` } } as unknown as Request,
      true,
    );
    assert.ok(signedIn !== undefined);
    dsm.signOut(session.id);
    assert.equal(login.isValid(signedIn), true);
    app.clock.advance(BELIEVED_MS.reading);
    await until(() => !login.isValid(signedIn), MOMENT_MS, 'the end of the session');
  });

  it('lives on while DSM does not answer for a moment, and not for long', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    dsm.loseProgram(true);
    try {
      app.clock.advance(BELIEVED_MS.reading);
      assert.equal(await isIn(visitor), true);
      app.clock.advance(UNANSWERED_MS_MAX);
      assert.equal(await isIn(visitor), false);
      const answer = await enter(visitor, session.token);
      assert.equal(answer.status, 503);
      assert.match(answer.text, /passwords of Site Backup’s own/);
    } finally {
      dsm.loseProgram(false);
    }
    assert.equal((await enter(visitor, session.token)).status, 303);
  });

  it('ends within its time where DSM’s program hangs, says so, and leaves no process behind', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    const { timeoutMs } = dsm.programs;
    Object.assign(dsm.programs, { timeoutMs: 300 });
    dsm.hang(true);
    try {
      const answer = await enter(visitor, session.token);
      assert.equal(answer.status, 503);
      assert.match(answer.text, /DSM does not answer/);
      await until(
        () => processesIn(dsm.folder).length === 0,
        MOMENT_MS,
        'the end of the program and of what it has started',
      );
    } finally {
      dsm.hang(false);
      Object.assign(dsm.programs, { timeoutMs });
    }
    assert.equal((await enter(visitor, session.token)).status, 303);
  });

  it('is over after the idle time, whatever DSM says', async () => {
    const session = dsm.signIn('boss');
    const visitor = browser(session);
    await enter(visitor, session.token);
    app.clock.advance(app.services.settings.read().idleMinutes * 60_000);
    assert.equal(await isIn(visitor), false);
  });

  it('signs out for good until asked again, here and everywhere', async () => {
    const session = dsm.signIn('boss');
    const [visitor, other] = [browser(session), browser(session)];
    await enter(visitor, session.token);
    await enter(other, session.token);
    const out = await visitor.send(`${BASE}logout`, {}, `${BASE}settings/security`);
    assert.equal(located(out), `303 ${BASE}login?left=yes`);
    const page = (await visitor.ask(`${BASE}login?left=yes`)).text;
    assert.doesNotMatch(page, /id="dsm-login"/);
    assert.equal(await isIn(visitor), false);
    assert.equal(await isIn(other), true);
    await enter(visitor, session.token);
    await visitor.send(`${BASE}logout`, { everywhere: 'yes' }, `${BASE}settings/security`);
    assert.equal(await isIn(other), false);
  });

  it('shows who is signed in where, and no password to change', async () => {
    const session = dsm.signIn('DOMAIN\\chief');
    const visitor = browser(session);
    await enter(visitor, session.token);
    const page = (await visitor.ask(`${BASE}settings/security`)).text;
    assert.match(page, /127\.0\.0\.1/);
    assert.doesNotMatch(page, /type="password"/);
    const form = { current: 'a', password: 'b', again: 'b' };
    const answer = await visitor.send(`${BASE}settings/security/password`, form, `${BASE}settings/security`);
    assert.equal(answer.status, 404);
    assert.equal((await visitor.ask(`${BASE}setup`)).status, 404);
  });

  it('makes an address wait that is refused again and again', async () => {
    const from = '127.0.0.77';
    const session = dsm.signIn('anna', from);
    const visitor = browser(session, from);
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 25; attempt++) statuses.push((await enter(visitor, session.token)).status);
    assert.equal(statuses.at(0), 403);
    assert.equal(statuses.at(-1), 429);
    const boss = dsm.signIn('boss');
    assert.equal((await enter(browser(boss), boss.token)).status, 303);
  });

  it('says of its own cookies, over HTTPS, that they are for HTTPS', async () => {
    const cookies = await new Promise<readonly string[]>((resolve, reject) => {
      const gate = dsmGateSecret(gateDir);
      const headers = { 'X-Site-Backup-Gate': gate, 'X-Forwarded-For': '10.0.0.5', 'X-Forwarded-Proto': 'https' };
      request({ host: '127.0.0.1', port: app.port, path: `${BASE}login`, headers }, (answer) => {
        answer.resume();
        resolve(answer.headers['set-cookie'] ?? []);
      })
        .on('error', reject)
        .end();
    });
    assert.ok(cookies.length > 0);
    for (const cookie of cookies) assert.match(cookie, /; Secure/);
  });

  it('gives nginx nothing to complain about', () => {
    assert.equal(nginx.complaints(), '');
  });
});
