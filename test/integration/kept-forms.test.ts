/** A form that was typed while its session ended comes back after the sign-in. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Request } from 'express';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { MANUAL } from '../../src/settings/schedule.ts';
import { KEPT_FORMS_MAX, KEPT_FORM_BYTES_MAX, KEPT_FORM_MS, KeptForms } from '../../src/web/kept-forms.ts';
import { filledForm } from '../support/html-form.ts';
import { OWNER_PASSWORD, startWebApp, tokenIn } from '../support/web-app.ts';
import type { Answer, Visitor, WebApp } from '../support/web-app.ts';

const IDLE_MS = 61 * 60_000;
const TYPED_PASSWORD = 'Typed-S3cret-&-more';

let app: WebApp;
let owner: Visitor;
let edit: string;
before(async () => {
  app = await startWebApp();
  const parsed = parseTaskSettings(
    {
      name: 'Garage',
      source: { protocol: 'ftp', host: 'ftp.example.com', user: 'web', password: 'stored', folder: '/www' },
      target: { folder: '/volume1/backups/garage' },
    },
    NO_SECRETS,
  );
  assert.ok('settings' in parsed);
  edit = `/tasks/${app.services.tasks.add(parsed.settings, MANUAL, 0)}/edit`;
});
after(() => app.close());
beforeEach(async () => {
  owner = await app.owner();
});

async function signIn(visitor: Visitor, name = 'admin'): Promise<Answer> {
  return visitor.send('/login', { name, password: OWNER_PASSWORD });
}

/** Where the page of the ended session leads after the sign-in. */
function wayBack(answer: Answer): string {
  assert.equal(answer.status, 403, answer.text.slice(0, 300));
  const next = /href="\/login\?next=([^"]+)"/.exec(answer.text)?.[1];
  assert.ok(next !== undefined);
  return decodeURIComponent(next);
}

/** Fills the page's form, and sends it when its session has ended. */
async function sendTooLate(path: string, holding: string, changes: Record<string, string | string[]>): Promise<Answer> {
  const form = filledForm((await owner.ask(path)).text, holding, changes);
  app.clock.advance(IDLE_MS);
  return owner.ask(path, { form });
}

describe('a form whose session has ended', () => {
  it('comes back with what was typed, saves nothing by itself, and never holds a password', async () => {
    const late = await sendTooLate(edit, 'revision', {
      name: 'Garage <Morel>',
      exclude: 'cache/\n*.log',
      password: TYPED_PASSWORD,
      host: 'ftp://web:hidd3n@ftp.other.example/www',
      days: ['1', '3'],
    });
    const back = wayBack(late);
    assert.match(late.text, /What you typed is kept for half an hour/);
    await signIn(owner);
    const page = (await owner.ask(back)).text;
    assert.match(page, /What you had typed is back/);
    assert.match(page, /name="name" value="Garage &lt;Morel&gt;"/);
    assert.match(page, />\ncache\/\r?\n\*\.log<\/textarea>/);
    assert.match(page, /value="ftp:\/\/web@ftp\.other\.example\/www"/);
    assert.equal(app.services.tasks.list()[0]?.name, 'Garage');
    for (const text of [late.text, page]) assert.doesNotMatch(text, /Typed-S3cret|hidd3n/);
    const saved = await owner.ask(edit, {
      form: filledForm(page, 'revision', { name: 'Garage Morel', host: 'ftp.example.com', do: 'save' }),
    });
    assert.equal(saved.status, 303);
    assert.equal(app.services.tasks.list()[0]?.name, 'Garage Morel');
  });

  it('comes back on each page that has one', async () => {
    for (const [path, holding, field, value] of [
      ['/settings/general', 'runsMax', 'runsMax', '7'],
      ['/settings/maintenance', 'logDays', 'logDays', '123'],
      ['/settings/security', 'idleMinutes', 'idleMinutes', '77'],
    ] as const) {
      const late = await sendTooLate(path, holding, { [field]: value });
      await signIn(owner);
      const page = (await owner.ask(wayBack(late))).text;
      assert.match(page, new RegExp(`name="${field}" value="${value}"`), path);
      assert.match(page, /What you had typed is back/);
      assert.doesNotMatch((await owner.ask(path)).text, new RegExp(`value="${value}"`), 'only at its own address');
    }
  });

  it('in the wizard goes on where it was', async () => {
    const path = (await owner.ask('/tasks/new')).headers.location ?? '';
    const late = await sendTooLate(path, 'host', { host: 'ftp.late.example', user: 'late', password: TYPED_PASSWORD });
    await signIn(owner);
    const page = (await owner.ask(wayBack(late))).text;
    assert.match(page, /name="host" value="ftp\.late\.example"/);
    assert.doesNotMatch(page, /Typed-S3cret/);
  });

  it('is shown to its own account only, on its own page only, and for half an hour', async () => {
    const late = await sendTooLate('/settings/general', 'runsMax', { runsMax: '9' });
    const back = wayBack(late);
    const isBack = async (visitor: Visitor, path = back): Promise<boolean> =>
      (await visitor.ask(path)).text.includes('value="9"');
    const stranger = app.visitor();
    assert.equal((await stranger.ask(back)).status, 303, 'nobody who is not signed in');
    await signIn(owner);
    assert.equal(await isBack(owner), true);
    assert.equal(await isBack(owner, back.replace('general', 'security')), false);
    assert.equal(await isBack(owner, back.replace(/kept=.*/, 'kept=00000000-0000-0000-0000-000000000000')), false);
    app.clock.advance(KEPT_FORM_MS);
    assert.equal(await isBack(owner), false);
  });

  it('is never shown to another account', () => {
    const forms = new KeptForms();
    forms.remember({ account: 'anna', csrfToken: 'token', sessionHash: undefined });
    const req = { path: '/settings/general', body: { _csrf: 'token', runsMax: '9' } } as unknown as Request;
    const id = forms.keep(req, 0) ?? '';
    assert.equal(forms.get(id, 'bruno', '/settings/general', 1), undefined);
    assert.equal(forms.get(id, undefined, '/settings/general', 1), undefined);
    assert.equal(forms.get(id, 'anna', '/settings/general', 1)?.text('runsMax'), '9');
    assert.equal(forms.get(id, 'anna', '/settings/general', 1)?.has('_csrf'), false);
  });

  it('of a stranger is not kept, and tells nothing', async () => {
    const stranger = app.visitor();
    for (const token of ['', 'A'.repeat(43), tokenIn((await stranger.ask('/login')).text)]) {
      const answer = await stranger.ask('/settings/general', { form: { _csrf: token, runsMax: '9' } });
      assert.equal(wayBack(answer), '/');
      assert.doesNotMatch(answer.text, /is kept/);
    }
    const token = tokenIn((await owner.ask('/settings/general')).text);
    app.clock.advance(IDLE_MS);
    const foreign = await owner.ask('/settings/general', {
      form: { _csrf: token, runsMax: '9' },
      headers: { 'Sec-Fetch-Site': 'cross-site' },
    });
    assert.doesNotMatch(foreign.text, /is kept/, 'another site sent it');
  });

  it('that is huge, or the twenty-first, pushes nothing but itself and the oldest out', async () => {
    const token = tokenIn((await owner.ask('/settings/general')).text);
    app.clock.advance(IDLE_MS);
    const send = (runsMax: string): Promise<Answer> =>
      owner.ask('/settings/general', { form: { _csrf: token, runsMax } });
    const huge = await send('9'.repeat(KEPT_FORM_BYTES_MAX));
    assert.equal(huge.status, 403);
    assert.doesNotMatch(huge.text, /is kept/);
    const first = wayBack(await send('1001'));
    let last = '';
    for (let index = 0; index < KEPT_FORMS_MAX; index++) last = wayBack(await send(String(2000 + index)));
    await signIn(owner);
    assert.doesNotMatch((await owner.ask(first)).text, /value="1001"/);
    assert.match((await owner.ask(last)).text, new RegExp(`value="${1999 + KEPT_FORMS_MAX}"`));
  });

  it('for an action without a page of its own leads back to where its button was', async () => {
    const token = tokenIn((await owner.ask('/tasks')).text);
    app.clock.advance(IDLE_MS);
    const answer = await owner.ask('/settings/maintenance/compact', {
      form: { _csrf: token },
      headers: { Referer: `http://127.0.0.1:${app.port}/settings/maintenance` },
    });
    assert.equal(wayBack(answer), '/settings/maintenance');
    assert.doesNotMatch(answer.text, /is kept/);
  });
});
