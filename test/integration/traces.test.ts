/** Whatever people change on the pages can be traced: Activity says what, who and when. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskActivity } from '../../src/tasks/task-runner.ts';
import { filledForm } from '../support/html-form.ts';
import { PuppetRunner, addTask } from '../support/run-fixture.ts';
import { OWNER_PASSWORD, routesOf, startWebApp } from '../support/web-app.ts';
import type { Visitor, WebApp } from '../support/web-app.ts';

interface Change {
  readonly path: string;
  /** The page with the form. */
  readonly page: string;
  /** A field or button of a form that is sent as it is filled; without it `fields` are all. */
  readonly holding?: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** The task is at work then. */
  readonly isRunning?: true;
  readonly says: RegExp;
}

const AT_WORK: TaskActivity = {
  runId: 1,
  taskId: 1,
  cause: 'schedule',
  phase: 'running',
  queuedMs: 0,
  startedMs: 0,
  progress: undefined,
};
const PATIENCE_MS = 30_000;
const CHANGED_PASSWORD = 'another battery staple';
const changedPassword = { current: OWNER_PASSWORD, password: CHANGED_PASSWORD, again: CHANGED_PASSWORD };

/** In this order; 1 is the task's id. The last one ends the session. */
const CHANGES: readonly Change[] = [
  { path: '/tasks/1/pause', page: '/tasks/1', says: /admin paused the schedule of Atelier/ },
  { path: '/tasks/1/resume', page: '/tasks/1', says: /admin resumed the schedule of Atelier/ },
  { path: '/tasks/1/duplicate', page: '/tasks/1', says: /admin created Atelier \(2\) as a copy of Atelier/ },
  { path: '/tasks/1/edit', page: '/tasks/1/edit', holding: 'host', says: /admin changed Atelier/ },
  { path: '/tasks/1/stop', page: '/tasks', isRunning: true, says: /admin stopped the run of Atelier/ },
  { path: '/tasks/bulk', page: '/tasks', fields: { do: 'pause', task: '1' }, says: /admin paused the schedule of/ },
  {
    path: '/tasks/1/delete',
    page: '/tasks/1/delete',
    holding: 'files',
    says: /admin deleted Atelier; its files were kept/,
  },
  {
    path: '/settings/general',
    page: '/settings/general',
    holding: 'timeZone',
    says: /admin changed the settings: Gen/,
  },
  { path: '/settings/schedules', page: '/settings/general', fields: { length: 'day' }, says: /admin paused all/ },
  { path: '/settings/schedules', page: '/settings/general', fields: { do: 'resume' }, says: /admin resumed all/ },
  {
    path: '/settings/security',
    page: '/settings/security',
    holding: 'idleMinutes',
    says: /admin changed the settings: Sec/,
  },
  {
    path: '/settings/maintenance',
    page: '/settings/maintenance',
    holding: 'logDays',
    says: /admin changed the settings: Main/,
  },
  { path: '/settings/maintenance/compact', page: '/settings/maintenance', says: /admin compacted the databases/ },
  { path: '/settings/maintenance/integrity', page: '/settings/maintenance', says: /admin checked the databases/ },
  {
    path: '/settings/security/password',
    page: '/settings/security',
    fields: changedPassword,
    says: /admin changed the password/,
  },
  { path: '/logout', page: '/tasks', says: /admin signed out/ },
];

/** What is sent elsewhere, or changes nothing that lasts. */
const OTHERS: Readonly<Record<string, string>> = {
  '/login': 'the sign-in of this test is in Activity',
  '/setup': 'makes the first account: web-access.test.ts',
  '/language': 'a choice of the browser',
  '/theme': 'a choice of the browser',
  '/permission': 'tries a folder and changes nothing',
  '/settings/web': 'cannot be changed where start options fix it: web-address.test.ts',
  '/settings/web/back': 'takes back what was only tried',
  '/settings/web/keep': 'web-address.test.ts',
  '/tasks/new/1/connection': 'a draft',
  '/tasks/new/1/folders': 'a draft',
  '/tasks/new/1/schedule': 'a draft',
  '/tasks/new/1/drop': 'a draft',
  '/tasks/new/1/check': 'the wizard to its end: web-forms.test.ts',
  '/tasks/1/run': 'the row of the run says who started it',
  '/tasks/1/simulate': 'the row of the run says who started it',
  '/tasks/1/decision': 'needs a held run: decision.test.ts reads Activity',
  '/tasks/1/adopt': 'needs a folder that was lost: adopt.test.ts',
  '/tasks/1/versions/1/pin': 'needs versions: versions.test.ts',
  '/tasks/1/versions/1/delete': 'needs versions',
  '/tasks/1/file/delete': 'needs versions',
};

describe('what people change', () => {
  const runner = new PuppetRunner();
  let web: WebApp;
  let owner: Visitor;
  before(async () => {
    web = await startWebApp({}, (services) => ({ ...services, runner }));
    addTask(web.services, 'Atelier');
    owner = await web.owner();
  });
  after(() => web.close());

  const newestDeed = async (visitor: Visitor): Promise<string> => {
    const { text } = await visitor.ask('/runs?kind=deeds');
    const row = /<tr><td class="nw num">[\s\S]*?<\/tr>/.exec(text)?.[0] ?? '';
    return row
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
  };

  it('begins with a sign-in that is told', async () => {
    assert.match(await newestDeed(owner), /\d\d:\d\d .*admin signed in from 127\.0\.0\.1/);
  });

  for (const { path, page, holding, fields = {}, isRunning, says } of CHANGES) {
    it(`by ${path}${Object.values(fields).length === 1 ? ` (${Object.values(fields).join()})` : ''} is told with who and when`, async () => {
      web.clock.advance(60_000);
      if (isRunning === true) runner.set(AT_WORK, 'phase');
      const answer =
        holding === undefined
          ? await owner.send(path, fields, page)
          : await owner.ask(path, { form: filledForm((await owner.ask(page)).text, holding, fields) });
      assert.equal(answer.status, 303, answer.text.replace(/<[^>]*>/g, ' ').slice(0, 3000));
      if (path === '/logout') {
        const reader = web.visitor();
        await reader.send('/login', { name: 'admin', password: CHANGED_PASSWORD });
        const { text } = await reader.ask('/runs?kind=deeds');
        assert.match(text.replace(/<[^>]*>/g, ''), says);
        return;
      }
      if (isRunning === true) runner.end(1, 'cancelled');
      let deed = await newestDeed(owner);
      // Work on the databases is told when it is done.
      const patience = performance.now() + PATIENCE_MS;
      while (!says.test(deed) && path.startsWith('/settings/maintenance/') && performance.now() < patience) {
        await sleep(20);
        deed = await newestDeed(owner);
      }
      assert.match(deed, says);
      assert.match(deed, /^(Today |\d).*\d\d:\d\d/);
      assert.ok(!deed.includes(OWNER_PASSWORD) && !deed.includes(CHANGED_PASSWORD));
    });
  }

  it('is all of what any page can send: a new form has to be told, too', () => {
    const posts = routesOf(web.app).filter(({ method }) => method === 'POST');
    assert.ok(posts.length > 20);
    const known = new Set([...CHANGES.map(({ path }) => path), ...Object.keys(OTHERS)]);
    assert.deepEqual(
      posts.map(({ path }) => path).filter((path) => !known.has(path)),
      [],
    );
  });
});
