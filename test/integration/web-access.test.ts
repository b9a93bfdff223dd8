/** Who may enter the pages, over real HTTP. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Request, Response } from 'express';
import { PasswordLogin, SESSION_MS_MAX } from '../../src/web/access/password-login.ts';
import { SETUP_CODE_MS } from '../../src/web/access/setup-code.ts';
import type { Services } from '../../src/web/services.ts';
import { FORM_BYTES_MAX, OPEN_FORM_BYTES_MAX } from '../../src/web/create-app.ts';
import { OWNER_PASSWORD, routesOf, startWebApp, tokenIn } from '../support/web-app.ts';
import type { Answer, Visitor, WebApp } from '../support/web-app.ts';

const setup = (code: string, changes: Record<string, string> = {}): Record<string, string> => ({
  code,
  language: 'en',
  name: 'admin',
  password: OWNER_PASSWORD,
  again: OWNER_PASSWORD,
  ...changes,
});
const login = (password = OWNER_PASSWORD, name = 'admin'): Record<string, string> => ({ name, password });

async function withApp(
  use: (app: WebApp) => Promise<void>,
  options: Parameters<typeof startWebApp>[0] = {},
): Promise<void> {
  const app = await startWebApp(options);
  try {
    await use(app);
  } finally {
    await app.close();
  }
}

async function isIn(visitor: Visitor, basePath = '/'): Promise<boolean> {
  return (await visitor.ask(`${basePath}login`)).headers.location === basePath;
}

function located(answer: Answer): string {
  return `${answer.status} ${String(answer.headers.location)}`;
}

describe('the first set-up', () => {
  it('lets nobody see or do anything before it', async () => {
    await withApp(async (app) => {
      for (const { method, path } of routesOf(app.app).filter((route) => route.path !== '/setup')) {
        const visitor = app.visitor();
        const answer = await visitor.ask(path, { method });
        const isBackground = path === '/events' || path.endsWith('.json');
        if (isBackground) assert.equal(answer.status, 401, `${method} ${path}`);
        else if (method === 'POST' && ['/login', '/language', '/theme', '/settings/web/keep'].includes(path))
          assert.equal(answer.status, 403);
        else if (path === '/settings/web/keep') assert.equal(answer.status, 404);
        else assert.equal(located(answer), '303 /setup', `${method} ${path}`);
      }
      assert.equal((await app.visitor().ask('/setup')).status, 200);
    });
  });

  it('takes its code once, signs in with it, and is gone afterwards', async () => {
    await withApp(async (app) => {
      const owner = app.visitor();
      assert.equal(located(await owner.send('/setup', setup(app.code.toLowerCase().replaceAll('-', ' ')))), '303 /');
      assert.equal(await isIn(owner), true);
      const second = app.visitor();
      assert.equal(located(await second.ask('/setup')), '303 /');
      const answer = await second.send('/setup', setup(app.code, { name: 'mallory' }), '/login');
      assert.equal(located(answer), '303 /');
      assert.equal(await isIn(second), false);
      assert.equal(app.services.accounts.find('mallory'), undefined);
    });
  });

  it('lets one of two enter who send the right code at the same moment', async () => {
    await withApp(async (app) => {
      const visitors = [app.visitor('127.0.0.5'), app.visitor('127.0.0.6')];
      const answers = await Promise.all(
        visitors.map((visitor, index) => visitor.send('/setup', setup(app.code, { name: `person${index}` }))),
      );
      assert.deepEqual(answers.map((answer) => answer.status).sort(), [303, 422]);
      assert.equal((await Promise.all(visitors.map((visitor) => isIn(visitor)))).filter(Boolean).length, 1);
    });
  });

  it('makes who guesses the code wait, and does not spend it', async () => {
    await withApp(async (app) => {
      const guesser = app.visitor('127.0.0.9');
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 7; attempt++) {
        statuses.push((await guesser.send('/setup', setup('AAAA-BBBB-CCCC-DDDD'))).status);
      }
      assert.deepEqual(statuses, [422, 422, 422, 422, 429, 429, 429]);
      assert.equal((await guesser.send('/setup', setup(app.code))).status, 429);
      assert.equal(located(await app.visitor('127.0.0.10').send('/setup', setup(app.code))), '303 /');
    });
  });

  it('does not take a code that is older than an hour, and says what to do', async () => {
    await withApp(async (app) => {
      const visitor = app.visitor();
      const token = tokenIn((await visitor.ask('/setup')).text);
      app.clock.advance(SETUP_CODE_MS);
      const answer = await visitor.ask('/setup', { form: { _csrf: token, ...setup(app.code) } });
      assert.equal(answer.status, 422);
      assert.match(answer.text, /Restart Site Backup/);
      assert.equal(app.services.accounts.hasAccount(), false);
    });
  });

  it('names every wrong field, keeps what was typed, and never sends a password back', async () => {
    await withApp(async (app) => {
      const fields = setup(app.code, { name: 'Zoë <b>', password: 'too short', again: 'different' });
      const answer = await app.visitor().send('/setup', fields);
      assert.equal(answer.status, 422);
      assert.match(answer.text, /<title>Error: /);
      assert.match(answer.text, /Choose a password of at least 10 characters/);
      assert.match(answer.text, /value="Zoë &lt;b&gt;"/);
      assert.doesNotMatch(answer.text, /too short|different/);
      assert.doesNotMatch(answer.text, new RegExp(app.code));
      assert.equal((await app.visitor().send('/setup', setup(app.code))).status, 303, 'the code is not spent');
    });
  });
});

describe('the sign-in', () => {
  let app: WebApp;
  before(async () => {
    app = await startWebApp();
    await app.owner();
  });
  after(() => app.close());

  it('lets the right password in and leads to where the visitor wanted to go', async () => {
    const visitor = app.visitor();
    const asked = await visitor.ask('/runs/214?tab=log');
    assert.equal(located(asked), '303 /login?next=%2Fruns%2F214%3Ftab%3Dlog');
    const page = await visitor.ask(asked.headers.location ?? '');
    assert.match(page.text, /name="next" value="\/runs\/214\?tab=log"/);
    const answer = await visitor.send('/login', { ...login(), next: '/runs/214?tab=log' });
    assert.equal(located(answer), '303 /runs/214?tab=log');
    assert.equal(await isIn(visitor), true);
  });

  it('takes the name in any case of letters, and the password in no other than its own', async () => {
    assert.equal((await app.visitor().send('/login', login(OWNER_PASSWORD, 'ADMIN'))).status, 303);
    assert.equal((await app.visitor().send('/login', login(OWNER_PASSWORD.toUpperCase()))).status, 422);
  });

  it('says the same of a wrong name and of a wrong password, and sends neither password back', async () => {
    const wrongName = await app.visitor('127.0.0.20').send('/login', login('wrong password', 'nobody'));
    const wrongPassword = await app.visitor('127.0.0.21').send('/login', login('wrong password'));
    const words = (answer: Answer): string => /role="alert">([^<]+)/.exec(answer.text)?.[1] ?? '';
    assert.equal(words(wrongName), 'The user name or password is wrong');
    assert.equal(words(wrongPassword), words(wrongName));
    assert.doesNotMatch(wrongName.text + wrongPassword.text, /wrong password/);
  });

  it('leads to no other site, whatever the address bar says', async () => {
    for (const next of [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example',
      '/\t/evil.example',
      '\\\\evil',
    ]) {
      const answer = await app.visitor().send('/login', { ...login(), next });
      assert.equal(located(answer), '303 /', next);
    }
  });

  it('gives a new token each time: one planted before opens nothing', async () => {
    const visitor = app.visitor();
    const planted = 'A'.repeat(43);
    visitor.cookies.set('sitebackup_session', planted);
    await visitor.send('/login', login());
    const first = visitor.cookies.get('sitebackup_session');
    assert.notEqual(first, planted);
    const thief = app.visitor();
    thief.cookies.set('sitebackup_session', planted);
    assert.equal(await isIn(thief), false);
    await visitor.send('/logout', {}, '/nothing');
    await visitor.send('/login', login());
    assert.notEqual(visitor.cookies.get('sitebackup_session'), first);
    thief.cookies.set('sitebackup_session', first ?? '');
    assert.equal(await isIn(thief), false);
  });

  it('keeps no token in the database, only its hash', async () => {
    const visitor = app.visitor();
    await visitor.send('/login', login());
    const token = visitor.cookies.get('sitebackup_session') ?? '';
    const stored = JSON.stringify(app.services.accounts.sessions('admin'));
    assert.equal(stored.includes(token), false);
  });

  it('ends when it is not used, and at last also when it is', async () => {
    const visitor = app.visitor();
    await visitor.send('/login', login());
    const idleMs = app.services.settings.read().idleMinutes * 60_000;
    for (let passedMs = 0; passedMs + idleMs / 2 < SESSION_MS_MAX; passedMs += idleMs / 2) {
      app.clock.advance(idleMs / 2);
      if (passedMs < 3 * idleMs) assert.equal(await isIn(visitor), true, `after ${passedMs} ms`);
      else
        app.services.accounts.sessions('admin').forEach((s) => {
          app.services.accounts.setSeen(s.tokenHash, app.clock.nowMs());
        });
    }
    app.clock.advance(idleMs / 2);
    assert.equal(await isIn(visitor), false, 'seven days');
    await visitor.send('/login', login());
    app.clock.advance(idleMs);
    assert.equal(await isIn(visitor), false, 'idle');
  });

  it('is not kept alive by what an open page asks by itself', async () => {
    const visitor = app.visitor();
    await visitor.send('/login', login());
    const idleMs = app.services.settings.read().idleMinutes * 60_000;
    app.clock.advance(idleMs / 2);
    assert.notEqual((await visitor.ask('/tasks/live.json')).status, 401);
    app.clock.advance(idleMs / 2);
    assert.equal((await visitor.ask('/tasks/live.json')).status, 401);
  });

  it('can be ended here, and everywhere', async () => {
    const [here, there] = [app.visitor(), app.visitor()];
    for (const visitor of [here, there]) await visitor.send('/login', login());
    assert.equal(located(await here.send('/logout', {}, '/nothing')), '303 /login');
    assert.deepEqual([await isIn(here), await isIn(there)], [false, true]);
    await here.send('/login', login());
    await here.send('/logout', { everywhere: '1' }, '/nothing');
    assert.deepEqual([await isIn(here), await isIn(there)], [false, false]);
  });

  it('sets its cookie for this product alone, out of the reach of scripts', async () => {
    const visitor = app.visitor();
    await visitor.send('/login', login());
    const cookie = visitor.setCookies.findLast((text) => text.startsWith('sitebackup_session=')) ?? '';
    assert.match(cookie, /; Path=\/;/);
    assert.match(cookie, /HttpOnly/);
    assert.match(cookie, /SameSite=Lax/);
    assert.doesNotMatch(cookie, /Secure|Domain|Max-Age/);
  });

  it('tells somebody whose session has ended, and leads back to the page', async () => {
    const visitor = app.visitor();
    const headers = { Referer: `http://127.0.0.1:${app.port}/tasks/7/edit?x=1` };
    const answer = await visitor.ask('/tasks/7/edit', { form: { name: 'typed' }, headers });
    assert.equal(answer.status, 403);
    assert.match(answer.text, /Your session has ended/);
    assert.match(answer.text, /href="\/login\?next=%2Ftasks%2F7%2Fedit%3Fx%3D1"/);
  });
});

describe('attempts to guess a password', () => {
  it('stay limited over HTTP, answer fast, and shut nobody else out', async () => {
    let tried = 0;
    const countTries = (services: Services): Services => ({
      ...services,
      log: {
        ...services.log,
        warn: () => {
          tried++;
        },
      },
    });
    const app = await startWebApp({}, countTries);
    try {
      await app.owner();
      const attacker = app.visitor('127.0.0.66');
      const token = tokenIn((await attacker.ask('/login')).text);
      const form = { _csrf: token, ...login('guess number one') };
      const statuses = (
        await Promise.all(
          Array.from({ length: 10 }, async () => {
            const own: number[] = [];
            while (own.length < 50) own.push((await attacker.ask('/login', { form })).status);
            return own;
          }),
        )
      ).flat();
      assert.ok(statuses.every((status) => status === 422 || status === 429));
      assert.equal(tried, 5, 'passwords that were looked at');
      assert.equal((await attacker.ask('/login', { form: { ...form, ...login() } })).status, 429, 'the right one too');
      assert.equal((await app.visitor('127.0.0.67').send('/login', login())).status, 303, 'from elsewhere');
    } finally {
      await app.close();
    }
  });

  it('stay limited 10,000 times over, a day and a night long', async () => {
    await withApp(async (app) => {
      await app.owner();
      let tried = 0;
      const log = {
        ...app.services.log,
        warn: () => {
          tried++;
        },
      };
      const access = new PasswordLogin({ ...app.services, log }, undefined);
      const req = { ip: '203.0.113.9', headers: {}, get: () => undefined } as unknown as Request;
      for (let attempt = 0; attempt < 10_000; attempt++) {
        app.clock.advance(10_000);
        const entry = await access.enter(req, undefined as unknown as Response, 'admin', 'guess');
        assert.notEqual(entry.kind, 'in');
      }
      assert.ok(tried > 5 && tried < 50, `${tried} passwords were tried`);
      assert.ok(app.services.activity.list(undefined, 100).length < 50);
    });
  });

  it('make wait longer each time, and say how long', async () => {
    await withApp(async (app) => {
      await app.owner();
      const attacker = app.visitor('127.0.0.66');
      const waits: (string | undefined)[] = [];
      for (let attempt = 0; attempt < 7; attempt++) {
        const answer = await attacker.send('/login', login('wrong guess'));
        if (attempt < 4) continue;
        assert.equal(answer.status, 429);
        const retryAfter = Number(answer.headers['retry-after']);
        waits.push(/Try again in \d+ minutes?/.exec(answer.text)?.[0]);
        app.clock.advance(retryAfter * 1000);
      }
      assert.deepEqual(waits, ['Try again in 1 minute', 'Try again in 2 minutes', 'Try again in 4 minutes']);
    });
  });

  it('from many addresses lock the account for strangers, not for who has entered from here before', async () => {
    await withApp(async (app) => {
      await app.owner();
      for (let address = 100; address < 105; address++) {
        const attacker = app.visitor(`127.0.0.${address}`);
        for (let attempt = 0; attempt < 4; attempt++) await attacker.send('/login', login('wrong guess'));
      }
      assert.equal((await app.visitor('127.0.0.120').send('/login', login())).status, 429);
      assert.equal((await app.visitor().send('/login', login())).status, 303);
    });
  });
});

describe('forms from elsewhere', () => {
  it('change nothing: every POST asks for the token of its session', async () => {
    await withApp(async (app) => {
      const owner = await app.owner();
      const stranger = app.visitor('127.0.0.30');
      await stranger.send('/login', login());
      const foreignToken = tokenIn((await stranger.ask('/nothing')).text);
      const ownToken = tokenIn((await owner.ask('/nothing')).text);
      const posts = routesOf(app.app).filter((route) => route.method === 'POST');
      assert.ok(posts.length >= 5);
      for (const { path } of posts) {
        for (const form of ['', '_csrf=', `_csrf=${'A'.repeat(43)}`, `_csrf=${foreignToken}`, `_csrf[]=${ownToken}`]) {
          const answer = await owner.ask(path, { form });
          assert.equal(answer.status, 403, `${path} with ${form}`);
        }
        const headers = { 'Content-Type': 'text/plain' };
        assert.equal((await owner.ask(path, { form: `_csrf=${ownToken}`, headers })).status, 403, `${path} as text`);
        const fromOther = { 'Sec-Fetch-Site': 'same-site' };
        assert.equal((await owner.ask(path, { form: `_csrf=${ownToken}`, headers: fromOther })).status, 403, path);
      }
      assert.equal(await isIn(owner), true);
    });
  });

  it('change nothing either before the sign-in', async () => {
    await withApp(async (app) => {
      const visitor = app.visitor();
      await visitor.ask('/setup');
      assert.equal((await visitor.ask('/setup', { form: setup(app.code) })).status, 403);
      assert.equal((await visitor.ask('/language', { form: { language: 'fr' } })).status, 403);
      assert.equal(app.services.accounts.hasAccount(), false);
    });
  });
});

describe('every answer', () => {
  it('carries the strict headers, and no page an inline style or script', async () => {
    await withApp(async (app) => {
      const owner = await app.owner();
      const visitor = app.visitor('127.0.0.40');
      const gets = routesOf(app.app).filter(({ method, path }) => method === 'GET' && path !== '/events');
      const asked = [...gets.map(({ path }) => path), '/nothing', '/static/x/ui.css', '/static/../../etc/passwd'];
      const answers = await Promise.all(
        [owner, visitor].flatMap((person) => asked.map(async (path) => [path, await person.ask(path)] as const)),
      );
      for (const [path, answer] of answers) {
        assert.equal(
          answer.headers['content-security-policy'],
          "default-src 'none';style-src 'self';script-src 'self';img-src 'self' data:;connect-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'",
          path,
        );
        assert.equal(answer.headers['x-content-type-options'], 'nosniff', path);
        assert.equal(answer.headers['x-powered-by'], undefined, path);
        assert.doesNotMatch(
          answer.text,
          /\sstyle\s*=|<style|\son\w+\s*=\s*["']|<script(?![^>]*\ssrc=)|javascript:/i,
          path,
        );
        if (!path.startsWith('/static')) assert.equal(answer.headers['cache-control'], 'no-store', path);
      }
    });
  });

  it('keeps files for good under the version that the page names, and finds them under no other name', async () => {
    await withApp(async (app) => {
      const visitor = app.visitor();
      const page = (await visitor.ask('/setup')).text;
      const path = /href="([^"]+ui\.css)"/.exec(page)?.[1] ?? '';
      const file = await visitor.ask(path);
      assert.equal(file.status, 200);
      assert.match(String(file.headers['cache-control']), /max-age=31536000, immutable/);
      assert.equal(file.headers['set-cookie'], undefined);
      const old = await visitor.ask('/static/before/ui.css');
      assert.equal(old.headers['cache-control'], 'public, max-age=0');
      for (const wrong of ['/static/x/../../texts/en.json', '/static/x/%2e%2e/%2e%2e/package.json', '/static/x/.env']) {
        assert.notEqual((await visitor.ask(wrong)).status, 200, wrong);
      }
    });
  });

  it('refuses a huge form with a sentence, before and after the sign-in', async () => {
    await withApp(async (app) => {
      const visitor = app.visitor();
      const small = await visitor.send('/setup', setup(app.code, { filler: 'x'.repeat(OPEN_FORM_BYTES_MAX) }));
      assert.equal(small.status, 413);
      assert.match(small.text, /larger than Site Backup accepts/);
      const owner = await app.owner();
      const huge = await owner.send('/logout', { filler: 'x'.repeat(FORM_BYTES_MAX) }, '/nothing');
      assert.equal(huge.status, 413);
      const many = await owner.ask('/logout', { form: 'a=1&'.repeat(20_000) });
      assert.equal(many.status, 413);
      assert.equal(await isIn(owner), true);
    });
  });

  it('says something useful to a request that makes no sense', async () => {
    await withApp(async (app) => {
      const owner = await app.owner();
      assert.equal((await owner.ask('/nothing')).status, 404);
      assert.equal((await owner.ask('/%E0%A4%A')).status, 404);
      assert.equal((await owner.ask('/nothing.json')).text, '{"error":"not-found"}');
    });
  });

  it('hides an unexpected error behind a number that also stands in the log', async () => {
    const logged: unknown[] = [];
    const app = await startWebApp({}, (services) => ({
      ...services,
      log: { ...services.log, error: (event, fields) => logged.push({ event, ...fields }) },
    }));
    try {
      const owner = await app.owner();
      app.services.settings.read = () => {
        throw new Error('secret inner word');
      };
      const answer = await owner.ask('/nothing', { headers: { 'Accept-Language': 'fr' } });
      assert.equal(answer.status, 500);
      assert.match(answer.text, /Cette page n’a pas pu être affichée/);
      assert.doesNotMatch(answer.text, /secret inner word/);
      const id = / ([0-9a-f]{8})\./.exec(answer.text)?.[1] ?? 'no id';
      assert.match(JSON.stringify(logged), new RegExp(id));
    } finally {
      await app.close();
    }
  });
});

describe('the way to the pages', () => {
  it('works below a base path: links, redirects, files and cookies', async () => {
    const basePath = '/sitebackup/';
    await withApp(
      async (app) => {
        const visitor = app.visitor();
        assert.equal(located(await visitor.ask('/')), '302 /sitebackup/');
        assert.equal(located(await visitor.ask('/sitebackup')), '303 /sitebackup/setup');
        const page = (await visitor.ask('/sitebackup/setup')).text;
        const links = [...page.matchAll(/(?:href|src|action)="([^"#][^"]*)"/g)].map((match) => match[1] ?? '');
        assert.ok(links.length > 5);
        assert.deepEqual(
          links.filter((link) => !link.startsWith(basePath)),
          [],
        );
        const owner = await app.owner();
        assert.equal(await isIn(owner, basePath), true);
        assert.equal(located(await owner.ask(basePath)), '303 /sitebackup/tasks');
        assert.ok(visitor.setCookies.every((cookie) => cookie.includes('; Path=/sitebackup/;')));
        const ended = await app.visitor().ask('/sitebackup/x', {
          form: {},
          headers: { Referer: `https://nas.example/sitebackup/tasks/7` },
        });
        assert.match(ended.text, /href="\/sitebackup\/login\?next=%2Ftasks%2F7"/);
      },
      { basePath },
    );
  });

  it('ignores forged X-Forwarded-For, -Proto and -Host, and the Host that a client names', async () => {
    await withApp(async (app) => {
      const owner = await app.owner();
      const attacker = app.visitor('127.0.0.66');
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 6; attempt++) {
        const token = tokenIn((await attacker.ask('/login')).text);
        const headers = {
          'X-Forwarded-For': `203.0.113.${attempt}`,
          'X-Forwarded-Proto': 'https',
          'X-Forwarded-Host': 'evil.example',
          Host: 'evil.example',
        };
        const answer = await attacker.ask('/login', { form: { _csrf: token, ...login('wrong guess') }, headers });
        assert.doesNotMatch(answer.text + JSON.stringify(answer.headers), /evil\.example/);
        statuses.push(answer.status);
      }
      assert.deepEqual(statuses, [422, 422, 422, 422, 429, 429]);
      assert.ok(attacker.setCookies.every((cookie) => !cookie.includes('Secure')));
      assert.equal(await isIn(owner), true);
    });
  });

  it('believes a trusted proxy: its visitors are told apart, and its HTTPS makes the cookie secure', async () => {
    await withApp(
      async (app) => {
        const ask = (visitor: Visitor, from: string, form?: Record<string, string>): Promise<Answer> =>
          visitor.ask('/login', {
            headers: { 'X-Forwarded-For': from, 'X-Forwarded-Proto': 'https' },
            ...(form === undefined ? {} : { form }),
          });
        await app.owner();
        const attacker = app.visitor();
        for (let attempt = 0; attempt < 5; attempt++) {
          const token = tokenIn((await ask(attacker, '203.0.113.7')).text);
          await ask(attacker, '203.0.113.7', { _csrf: token, ...login('wrong guess') });
        }
        const visitor = app.visitor();
        const token = tokenIn((await ask(visitor, '203.0.113.8')).text);
        const answer = await ask(visitor, '203.0.113.8', { _csrf: token, ...login() });
        assert.equal(answer.status, 303);
        assert.match(
          visitor.setCookies.find((cookie) => cookie.startsWith('__Secure-sitebackup_session=')) ?? '',
          /; Secure/,
        );
        assert.ok(app.services.accounts.isKnownAddress('admin', '203.0.113.8'));
      },
      { trustedProxies: ['loopback'] },
    );
  });
});

describe('the language', () => {
  it('follows the browser, then the switch, and the setting in between', async () => {
    await withApp(async (app) => {
      const visitor = app.visitor();
      const french = { 'Accept-Language': 'fr-CA,fr;q=0.9,en;q=0.5' };
      assert.match((await visitor.ask('/setup', { headers: french })).text, /<html lang="fr"/);
      assert.match((await visitor.ask('/setup', { headers: { 'Accept-Language': 'de' } })).text, /<html lang="en"/);
      const answer = await visitor.send('/language', { language: 'fr', back: '/setup' }, '/setup');
      assert.equal(located(answer), '303 /setup');
      const page = (await visitor.ask('/setup')).text;
      assert.match(page, /<html lang="fr"/);
      assert.match(page, /Première configuration/);
      await visitor.send('/setup', setup(app.code, { language: 'fr' }));
      assert.equal(app.services.settings.read().language, 'fr');
      assert.equal(visitor.cookies.has('sitebackup_language'), false);
      assert.match((await app.visitor().ask('/login')).text, /<html lang="fr"/);
    });
  });

  it('leaves the theme to the browser until one is chosen', async () => {
    await withApp(async (app) => {
      const visitor = app.visitor();
      assert.doesNotMatch((await visitor.ask('/setup')).text, /data-theme/);
      await visitor.send('/theme', { theme: 'dark', back: '/setup' }, '/setup');
      assert.match((await visitor.ask('/setup')).text, /<html lang="en" data-theme="dark"/);
      await visitor.send('/theme', { theme: '"><script>', back: '/setup' }, '/setup');
      assert.match((await visitor.ask('/setup')).text, /data-theme="dark"/);
    });
  });
});
