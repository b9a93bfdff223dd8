/** The pages that change things, as a browser without scripts uses them: real service, real stores, a scripted server. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { holdTaskLock } from '../../src/state/task-database.ts';
import type { RunnerEvent } from '../../src/tasks/task-runner.ts';
import { hashPassword } from '../../src/web/access/password-hash.ts';
import { decoded, filledForm } from '../support/html-form.ts';
import { makeSampleSite } from '../support/sample-site.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { Visitor } from '../support/web-app.ts';
import type { Answer } from '../support/web-app.ts';
import { serviceOptions } from '../support/service-options.ts';

const ACCOUNT_PASSWORD = 'correct horse battery';
const TYPED_PASSWORD = 'Typed-S3cret-&-more';

const room = mkdtempSync(join(tmpdir(), 'site-backup-forms-'));
const share = join(room, 'web-backup');
let service: Service;
let server: ScriptedServer;
let visitor: Visitor;
/** Every page that was ever answered: no password may stand in any of them. */
const pages: string[] = [];

before(async () => {
  mkdirSync(share, { recursive: true });
  mkdirSync(join(room, 'outside'));
  symlinkSync(join(room, 'outside'), join(share, 'way-out'));
  server = await startScriptedServer();
  makeSampleSite(server.tree);
  service = await startService(serviceOptions(join(room, 'state')));
  const { accounts, settings } = service.services;
  settings.write({ folderRoots: [share] });
  accounts.addFirst('admin', await hashPassword(ACCOUNT_PASSWORD, { N: 1024, r: 8, p: 1 }), Date.now());
  visitor = await newVisitor();
});

after(async () => {
  await service.stop();
  await server.stop();
  rmSync(room, { recursive: true, force: true });
});

async function newVisitor(): Promise<Visitor> {
  const made = new Visitor(service.port);
  await made.send('/login', { name: 'admin', password: ACCOUNT_PASSWORD });
  return made;
}

async function get(path: string, from = visitor): Promise<string> {
  const answer = await from.ask(path);
  pages.push(answer.text);
  assert.equal(answer.status, 200, `${path}: ${answer.text.slice(0, 300)}`);
  return answer.text;
}

/** Presses a button of the page's form. */
async function press(
  path: string,
  holding: string,
  changes: Parameters<typeof filledForm>[2] = {},
  from = visitor,
): Promise<Answer> {
  const answer = await from.ask(path, { form: filledForm(await get(path, from), holding, changes) });
  pages.push(answer.text);
  return answer;
}

function locationOf(answer: Answer): string {
  assert.equal(answer.status, 303, answer.text.slice(0, 2000));
  return answer.headers.location ?? '';
}

/** The messages of the summary, as the page shows them. */
function messagesIn(html: string): string[] {
  const summary = /id="error-summary"[\s\S]*?<\/ul>/.exec(html)?.[0] ?? '';
  return [...summary.matchAll(/<li><a href="#([\w-]+)">([^<]*)/g)].map(
    (match) => `${match[1]}: ${decoded(match[2] ?? '')}`,
  );
}

function connection(changes: Record<string, string> = {}): Record<string, string> {
  const { port } = server.address;
  return {
    protocol: 'ftp',
    host: '127.0.0.1',
    port: String(port),
    user: SCRIPTED_USER,
    password: SCRIPTED_PASSWORD,
    ...changes,
  };
}

/** Through the wizard to a task; gives its path. */
async function makeTask(name: string, folder: string, start = false): Promise<string> {
  const first = locationOf(await visitor.ask('/tasks/new'));
  const second = locationOf(await press(first, 'host', connection({ name })));
  const third = locationOf(await press(second, 'root', { subfolder: folder }));
  const fourth = locationOf(await press(third, 'scheduleKind', { scheduleKind: 'manual' }));
  return locationOf(await press(fourth, 'start', { start: start ? 'yes' : undefined }));
}

function taskIdOf(path: string): number {
  return Number(/^\/tasks\/(\d+)/.exec(path)?.[1]);
}

/** A signal that is aborted as soon as `isOver` says so. */
function abortedOnce(isOver: () => boolean): Pick<AbortSignal, 'aborted'> {
  return {
    get aborted() {
      return isOver();
    },
  };
}

async function runEnded(taskId: number): Promise<string> {
  const { runner, runs } = service.services;
  await new Promise<void>((resolve) => {
    const leave = runner.subscribe((event: RunnerEvent) => {
      if (event.kind !== 'ended' || event.taskId !== taskId) return;
      leave();
      resolve();
    });
    if (runner.activity(taskId) === undefined) {
      leave();
      resolve();
    }
  });
  return runs.list({ taskId }, 1)[0]?.outcome ?? 'none';
}

describe('the wizard without scripts', () => {
  it('leads from an address to a task that has run', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    assert.match(first, /^\/tasks\/new\/[0-9a-f-]{36}\/connection$/);
    const { port } = server.address;
    const address = `ftp://${SCRIPTED_USER}:${encodeURIComponent(SCRIPTED_PASSWORD)}@127.0.0.1:${port}/app`;
    const second = locationOf(await press(first, 'host', { host: address, name: 'Boutique Lumière' }));
    assert.match(second, /\/folders$/);

    const folders = await get(second);
    assert.match(folders, /Connected to 127\.0\.0\.1 in .*not encrypted/);
    assert.match(folders, /value="\/app" aria-label="app" checked/);
    assert.match(folders, /value="boutique-lumiere"/);

    // Going into a folder and to a place on the NAS keeps what was typed.
    const inside = locationOf(
      await press(second, 'root', { goRemote: '/wp-content', exclude: '*.bak', sets: ['logs'] }),
    );
    assert.match(await get(inside), /This folder: \/wp-content/);
    const local = locationOf(await press(inside, 'root', { goLocal: share }));
    const both = await get(local);
    assert.match(both, /This folder: \/wp-content/);
    assert.match(both, /\*\.bak/);
    assert.match(both, /name="sets" value="logs" checked/);

    const third = locationOf(await press(local, 'root', { folder: '/', subfolder: 'boutique' }));
    assert.match(third, /\/schedule$/);
    const preview = await press(third, 'scheduleKind', { times: '3h15', do: 'preview' });
    assert.match(preview.text, /id="next"[^>]*>Next: .* 03:15/);
    const fourth = locationOf(await press(third, 'scheduleKind', { times: '3h15', do: 'next' }));
    let summary = await get(fourth);
    for (let turn = 0; turn < 200 && summary.includes('data-jobs="running"'); turn++) summary = await get(fourth);
    assert.match(summary, /Size of the site<\/dt><dd><span class="wrap">[\d.]+ [KMG]?B in \d+ files, \d+ folders/);
    for (const words of [
      'Boutique Lumière',
      `${share}/boutique`,
      'Logs, *.bak',
      'FTP (not encrypted)',
      'Every day at 03:15',
    ]) {
      assert.ok(decoded(summary).includes(words), words);
    }
    const task = locationOf(await press(fourth, 'start'));
    assert.match(task, /^\/tasks\/\d+-boutique-lumiere$/);
    assert.equal(await runEnded(taskIdOf(task)), 'complete');
    assert.ok(existsSync(join(share, 'boutique', 'current', 'index.php')), 'nothing was copied');
    assert.equal((await visitor.ask(fourth)).headers.location, first);
  });

  it('makes one task where its button is pressed twice at the same moment', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    const second = locationOf(await press(first, 'host', connection({ name: 'Once' })));
    const third = locationOf(await press(second, 'root', { subfolder: 'once' }));
    const fourth = locationOf(await press(third, 'scheduleKind', { scheduleKind: 'manual' }));
    const form = filledForm(await get(fourth), 'start', { start: undefined });
    const twice = await Promise.all([visitor.ask(fourth, { form }), visitor.ask(fourth, { form })]);
    const places = twice.map(locationOf).sort();
    assert.equal(places[0], '/tasks');
    assert.match(places[1] ?? '', /^\/tasks\/\d+-once$/);
  });

  it('opens a folder of the site whose path is typed, and goes on with no path that is not there', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    const second = locationOf(await press(first, 'host', connection({ name: 'Typed' })));
    const opened = locationOf(await press(second, 'root', { goRemote: 'typed', typed: ' wp-content/uploads/ ' }));
    const inside = await get(opened);
    assert.match(inside, /value="\/wp-content\/uploads"[^>]* aria-label="This folder: \/wp-content\/uploads" checked/);
    // Enter in the field, or Next: what was typed is looked at first.
    const app = locationOf(await press(opened, 'root', { folder: '/wp-content/uploads', typed: '/app', do: 'next' }));
    assert.match(await get(app), /aria-label="This folder: \/app" checked/);

    const wrong = locationOf(await press(app, 'root', { folder: '/app', typed: '/no-such', do: 'next' }));
    const missing = await get(wrong);
    assert.match(missing, /role="alert"><p>[^<]*\/no-such/);
    assert.match(missing, /name="typed" value="\/no-such"/);
    assert.doesNotMatch(missing, /Will back up/);
    assert.equal(locationOf(await press(wrong, 'root', { do: 'next' })).split('#')[0], wrong.split('#')[0]);

    const dots = await press(app, 'root', { folder: '/app', typed: '/app/../etc', do: 'next' });
    assert.equal(dots.status, 422);
    assert.match(messagesIn(dots.text).join(), /^folder: The folder on the site may not hold/);
    assert.match(dots.text, /name="typed" value="\/app\/\.\.\/etc"/);
    assert.match(locationOf(await press(app, 'root', { folder: '/app', subfolder: 'typed', do: 'next' })), /schedule$/);
  });

  it('says what is wrong in the first step, and keeps what was typed', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    const answer = await press(first, 'host', { host: 'h:21', port: '70000', user: 'web' });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /<title>Error: /);
    assert.deepEqual(
      messagesIn(answer.text).map((words) => words.split(':')[0]),
      ['host', 'port', 'password'],
    );
    assert.match(answer.text, /value="70000"/);
  });

  it('shows no password again that was pasted with an address, and stores none in the clear', async () => {
    const secret = 'Pasted/S3cret';
    const first = locationOf(await visitor.ask('/tasks/new'));
    const task = await makeTask('Pasted', 'pasted');
    for (const host of [`sftp://site:${secret}@ftp.example.com`, `site:${secret}@ftp.example.com`]) {
      for (const path of [first, `${task}/edit`]) {
        const answer = await press(path, 'host', connection({ host }));
        assert.equal(answer.status, 422, path);
        assert.match(messagesIn(answer.text).join(), /host: Enter the server without/);
        assert.match(decoded(answer.text), /site@ftp\.example\.com/);
        assert.ok(!decoded(answer.text).includes(secret), path);
      }
      assert.ok(!(await get(first)).includes(secret));
    }
    for (const file of readdirSync(join(room, 'state')).filter((name) => name.startsWith('site-backup.'))) {
      assert.ok(!readFileSync(join(room, 'state', file), 'latin1').includes(secret), file);
    }
  });

  it('tells a refused password from a server that is not there, and goes on with neither', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    const rejected = await press(first, 'host', connection({ password: TYPED_PASSWORD }));
    assert.equal(rejected.status, 422);
    assert.match(rejected.text, /refused the user name or password/);
    assert.match(rejected.text, /The connection does not work yet/);
    const closed = await press(first, 'host', connection({ port: '1' }));
    assert.match(closed.text, /refuses connections on port 1/);
    assert.equal((await visitor.ask(first.replace('connection', 'folders'))).headers.location, first);
  });

  it('asks before it trusts a certificate, and pins exactly that one', async () => {
    const tls = await startScriptedServer({ tls: 'explicit', tlsRequired: true });
    try {
      const first = locationOf(await visitor.ask('/tasks/new'));
      const asked = await press(first, 'host', connection({ protocol: 'ftps', port: String(tls.address.port) }));
      assert.equal(asked.status, 422);
      assert.match(asked.text, /it is self-signed/);
      const fingerprint = /name="trust" value="([0-9a-f]{64})"/.exec(asked.text)?.[1];
      assert.ok(fingerprint !== undefined, 'no fingerprint');
      const again = await visitor.ask(first, { form: filledForm(asked.text, 'host') });
      assert.equal(again.status, 422, 'trusted without being asked');
      const second = await visitor.ask(first, { form: filledForm(asked.text, 'host', { trust: fingerprint }) });
      assert.match(await get(locationOf(second)), /with the certificate that you trust/);
    } finally {
      await tls.stop();
    }
  });

  it('refuses places outside the shared folders, by dots, links and names', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    const second = locationOf(await press(first, 'host', connection({ name: 'Outside' })));
    for (const [root, subfolder] of [
      [share, '../outside'],
      [share, 'a/../../outside'],
      [share, 'way-out/x'],
      [share, '.git'],
      [share, '@eaDir'],
      ['/etc', 'cron.d'],
      [`${share}/..`, 'outside'],
      ['', 'x'],
    ] as const) {
      const answer = await press(second, 'root', { root, subfolder });
      assert.equal(answer.status, 422, `${root} ${subfolder}`);
      assert.match(messagesIn(answer.text).join(), /^target: /, `${root} ${subfolder}`);
    }
    for (const local of ['/etc', `${share}/../outside`, `${share}/way-out`, '\0', 'x'.repeat(9000)]) {
      const answer = await visitor.ask(`${second}?${new URLSearchParams({ local }).toString()}`);
      assert.equal(answer.status, 200, local);
      assert.match(answer.text, /data-picker="goLocal"[\s\S]*notice err/, local);
    }
    const path = await visitor.ask(`${second}?path=${encodeURIComponent('/../\r\nDELE x')}`);
    assert.equal(path.status, 200);
    assert.ok(!server.log.some((command) => command.command === 'DELE'), 'a command came through');
  });

  it('makes a new folder on the NAS in the one that is open, and goes into it', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    const second = locationOf(await press(first, 'host', connection({ name: 'New folder' })));
    const open = locationOf(await press(second, 'root', { goLocal: share }));
    const made = locationOf(await press(open, 'root', { newFolder: ' Été 2026 ', makeLocal: 'yes', exclude: '*.bak' }));
    assert.ok(existsSync(join(share, 'Été 2026')));
    const page = await get(made);
    assert.match(page, /Copies go to <b[^>]*>[^<]*\/Été 2026</);
    assert.match(page, /\*\.bak/, 'what else was typed is kept');
    // A name that was typed and another button pressed: the folder is meant, nothing goes on without it.
    const again = locationOf(await press(open, 'root', { newFolder: 'by-next', do: 'next' }));
    assert.match(again, /folders\?/);
    assert.ok(existsSync(join(share, 'by-next')));
    const back = locationOf(await press(open, 'root', { newFolder: 'not-made', do: 'back' }));
    assert.match(back, /connection$/);
    assert.ok(!existsSync(join(share, 'not-made')));
  });

  it('makes no folder outside a shared folder, over a link, or with a name that is none', async () => {
    const first = locationOf(await visitor.ask('/tasks/new'));
    const second = locationOf(await press(first, 'host', connection({ name: 'No folder' })));
    const open = locationOf(await press(second, 'root', { goLocal: share }));
    const form = await get(open);
    for (const [local, newFolder] of [
      [share, '../outside/evil'],
      [share, '..'],
      [share, '.hidden'],
      [share, '@eaDir'],
      [share, '#recycle'],
      [share, 'a/b'],
      [share, 'x'.repeat(300)],
      [share, 'new\nline'],
      [share, '   '],
      ['/etc', 'evil'],
      [`${share}/../outside`, 'evil'],
      [`${share}/way-out`, 'evil'],
      [`${share}/missing`, 'evil'],
      ['', 'evil'],
    ] as const) {
      const answer = await visitor.ask(second, {
        form: filledForm(form, 'root', { local, newFolder, makeLocal: 'yes' }),
      });
      assert.equal(answer.status, 422, `${local} ${newFolder}`);
      assert.match(messagesIn(answer.text).join(), /^newFolder: /, `${local} ${newFolder}`);
      if (local === share && newFolder === 'a/b') assert.match(answer.text, /name="newFolder" value="a\/b"/);
    }
    assert.deepEqual(readdirSync(join(room, 'outside')), []);
    assert.ok(!existsSync('/etc/evil'));
  });

  it('has no page for an id that is none, and begins again where the draft is gone', async () => {
    assert.equal((await visitor.ask('/tasks/new/x/connection')).status, 404);
    const gone = '/tasks/new/0b2f7d1e-5a34-4c1e-9e55-1d2c3b4a5f60';
    assert.equal((await visitor.ask(`${gone}/check`)).headers.location, `${gone}/connection`);
  });
});

describe('editing a task', () => {
  it('tells of five wrong fields at once with 422, keeps what was typed, and shows no password', async () => {
    const other = await makeTask('Mairie de Saint-Aubin', 'saint-aubin');
    const task = await makeTask('Garage Morel', 'garage');
    const answer = await press(`${task}/edit`, 'revision', {
      host: 'ftp://ftp.garage-morel.fr/www',
      port: '210000',
      target: join(share, 'saint-aubin'),
      scheduleKind: 'weekly',
      times: '25:00',
      maxSize: '500',
      password: TYPED_PASSWORD,
    });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /<title>Error: Edit/);
    assert.deepEqual(messagesIn(answer.text), [
      'host: Enter the server without “ftp://” and without a folder, for example ftp.example.com',
      'port: Port must be a number between 1 and 65535',
      'maxSize: Enter a size with its unit, for example 500 MB',
      'target: This folder already holds the backup of “Mairie de Saint-Aubin”. Choose another folder',
      'times: Enter a time between 00:00 and 23:59, for example 02:30',
    ]);
    for (const message of messagesIn(answer.text)) {
      const [field = '', ...words] = message.split(': ');
      assert.match(answer.text, new RegExp(`id="${field}"`), field);
      assert.ok(decoded(answer.text).split(words.join(': ')).length >= 3, `${field}: not above its input`);
    }
    assert.match(answer.text, /id="error-summary" tabindex="-1" autofocus/);
    assert.match(answer.text, /value="210000"/);

    // The password that was typed waits on the other side: it need not be typed again.
    const corrected = filledForm(answer.text, 'revision', {
      host: '127.0.0.1',
      port: String(server.address.port),
      target: join(share, 'garage'),
      times: '02:30',
      maxSize: '500 MB',
    });
    locationOf(await visitor.ask(`${task}/edit`, { form: corrected }));
    const stored = service.services.tasks.get(taskIdOf(task));
    assert.equal(stored?.settings?.source.password.reveal(), TYPED_PASSWORD);
    assert.equal(stored.settings.filters.maxSizeBytes, 524_288_000);
    assert.deepEqual(stored.schedule.rule, { kind: 'weekly', days: [0, 1, 2, 3, 4, 5, 6], times: ['02:30'] });
    service.services.tasks.remove(taskIdOf(other));
  });

  it('lets no browser overwrite what another one has saved, and shows both', async () => {
    const task = await makeTask('Two windows', 'two-windows');
    const second = await newVisitor();
    const early = filledForm(await get(`${task}/edit`, second), 'revision', { exclude: 'mine/' });
    locationOf(await press(`${task}/edit`, 'revision', { exclude: 'theirs/' }));
    const conflict = await second.ask(`${task}/edit`, { form: early });
    pages.push(conflict.text);
    assert.equal(conflict.status, 409);
    assert.match(conflict.text, /was changed in another window/);
    assert.match(conflict.text, /theirs\/[\s\S]*mine\//);
    assert.deepEqual(service.services.tasks.get(taskIdOf(task))?.settings?.filters.exclude, ['theirs/']);
    // Saving again is meant.
    locationOf(await second.ask(`${task}/edit`, { form: filledForm(conflict.text, 'revision') }));
    assert.deepEqual(service.services.tasks.get(taskIdOf(task))?.settings?.filters.exclude, ['mine/']);
  });

  it('tests the connection and opens folders with what was typed, and saves nothing', async () => {
    const task = await makeTask('Aside', 'aside');
    const before = service.services.tasks.get(taskIdOf(task));
    const tested = await press(`${task}/edit`, 'revision', { do: 'test', attempts: 'many', exclude: 'typed/' });
    assert.equal(tested.status, 200);
    assert.match(tested.text, /The connection works/);
    assert.match(tested.text, /typed\//);
    const remote = await press(`${task}/edit`, 'revision', { goRemote: '/wp-content' });
    assert.match(remote.text, /id="folder" name="folder" value="\/wp-content"/);
    const local = await press(`${task}/edit`, 'revision', { goLocal: '/etc' });
    assert.match(local.text, /is not in a shared folder/);
    assert.equal(service.services.tasks.get(taskIdOf(task))?.revision, before?.revision);
  });

  it('refuses a form that is too large', async () => {
    const task = await makeTask('Huge', 'huge');
    const body = filledForm(await get(`${task}/edit`), 'revision', { exclude: 'x'.repeat(600_000) });
    assert.equal((await visitor.ask(`${task}/edit`, { form: body })).status, 413);
    const line = await press(`${task}/edit`, 'revision', { exclude: 'x'.repeat(5000) });
    assert.equal(line.status, 422);
    assert.match(messagesIn(line.text).join(), /^exclude: This pattern cannot be used: x{80}$/);
  });

  it('has no page for a task that is gone', async () => {
    assert.equal((await visitor.ask('/tasks/9999/edit')).status, 404);
  });
});

describe('the buttons of tasks', () => {
  it('pause, resume, copy and run, also several at once', async () => {
    const { tasks, runs } = service.services;
    const id = taskIdOf(await makeTask('Buttons', 'buttons'));
    const act = (path: string, form: Record<string, string> = {}): Promise<Answer> =>
      visitor.send(path, form, '/settings/general');
    locationOf(await act(`/tasks/${id}/pause`));
    assert.equal(tasks.get(id)?.isPaused, true);
    assert.equal(locationOf(await act(`/tasks/${id}/resume`, { back: '/runs' })), '/runs');
    assert.equal(tasks.get(id)?.isPaused, false);
    assert.equal(locationOf(await act(`/tasks/${id}/pause`, { back: '//evil.example' })), '/');

    const copyPath = locationOf(await act(`/tasks/${id}/duplicate`));
    const copy = tasks.get(taskIdOf(copyPath));
    assert.equal(copy?.name, 'Buttons (2)');
    assert.equal(copy.isPaused, true);
    assert.equal(copy.settings?.target.folder, join(share, 'buttons-2'));
    assert.equal(copy.settings.source.password.reveal(), SCRIPTED_PASSWORD);

    locationOf(await act(`/tasks/${id}/simulate`));
    assert.equal(await runEnded(id), 'complete');
    assert.equal(runs.list({ taskId: id }, 1)[0]?.cause, 'simulation');
    assert.equal(existsSync(join(share, 'buttons')), false);

    locationOf(await act('/tasks/bulk', { task: String(id), do: 'run' }));
    assert.equal(await runEnded(id), 'complete');
    assert.ok(existsSync(join(share, 'buttons', 'current')), 'nothing was copied');
    locationOf(await act('/tasks/bulk', { do: 'pause' }));
    assert.match(await get('/settings/general'), /Select at least one task/);
  });
});

describe('deleting a task', () => {
  it('keeps the files unless it is told otherwise', async () => {
    const task = await makeTask('Keep me', 'keep-me', true);
    await runEnded(taskIdOf(task));
    assert.equal(locationOf(await press(`${task}/delete`, 'files')), '/tasks');
    assert.equal(service.services.tasks.get(taskIdOf(task)), undefined);
    assert.ok(existsSync(join(share, 'keep-me', 'current', 'index.php')), 'the files went');
  });

  it('deletes the files only for the typed name', async () => {
    const task = await makeTask('Wipe me', 'wipe-me', true);
    const id = taskIdOf(task);
    await runEnded(id);
    const refused = await press(`${task}/delete`, 'files', { files: 'delete', confirm: 'wipe me' });
    assert.equal(refused.status, 422);
    assert.ok(existsSync(join(share, 'wipe-me', 'current', 'index.php')), 'the files went');
    locationOf(await press(`${task}/delete`, 'files', { files: 'delete', confirm: 'Wipe me' }));
    while (service.services.jobs.running('delete-files') !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(existsSync(join(share, 'wipe-me')), false);
    assert.equal(service.services.tasks.get(id), undefined);
  });

  it('leaves the files alone where a run has begun since the page was opened, and says so', async () => {
    const task = await makeTask('Begun since', 'begun-since', true);
    const id = taskIdOf(task);
    await runEnded(id);
    const { tasks, jobs, activity, stateDir } = service.services;
    // As a run on the command line does, of which the service knows nothing.
    const release = holdTaskLock(stateDir, tasks.get(id)?.stateKey ?? '');
    try {
      locationOf(await press(`${task}/delete`, 'files', { files: 'delete', confirm: 'Begun since' }));
      while (jobs.running('delete-files') !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      release();
    }
    assert.ok(existsSync(join(share, 'begun-since', 'current', 'index.php')), 'the files went');
    assert.equal(tasks.get(id)?.isPaused, false);
    assert.match(await get(`${task}/delete`), /This task is already running/);
    assert.equal(activity.list(undefined, 1)[0]?.action, 'task-created');
  });

  it('is told where it is not finished, and the next run looks at every file', async () => {
    const task = await makeTask('Half gone', 'half-gone', true);
    const id = taskIdOf(task);
    await runEnded(id);
    const { tasks, jobs, activity, runs } = service.services;
    const folder = join(share, 'half-gone');
    const signal = abortedOnce(() => !existsSync(join(folder, 'current'))) as AbortSignal;
    const start = jobs.start.bind(jobs);
    // The service is stopped when the first folder has gone.
    jobs.start = (kind, taskId, work, onEnd) => start(kind, taskId, (report) => work(report, signal), onEnd);
    try {
      locationOf(await press(`${task}/delete`, 'files', { files: 'delete', confirm: 'Half gone' }));
      while (jobs.running('delete-files') !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      jobs.start = start;
    }
    assert.deepEqual(
      activity.list(undefined, 2).map(({ action, actor }) => [action, actor]),
      [
        ['task-files-left', 'admin'],
        ['task-files-deleting', 'admin'],
      ],
    );
    assert.equal(tasks.get(id)?.isPaused, true);
    assert.match(await get(`${task}/delete`), /class="notice err job"/);
    assert.ok(existsSync(join(folder, '.site-backup', 'marker.json')), 'nobody could tell whose it is');
    locationOf(await visitor.send(`/tasks/${id}/run`, {}, '/tasks'));
    assert.equal(await runEnded(id), 'complete');
    assert.equal(runs.list({ taskId: id }, 1)[0]?.outcome, 'complete');
    assert.ok(existsSync(join(folder, 'current', 'index.php')), 'called complete without its files');
  });

  it('does not delete what is not the task’s own', async () => {
    const task = await makeTask('Never run', 'never-run');
    mkdirSync(join(share, 'never-run', 'current'), { recursive: true });
    const answer = await press(`${task}/delete`, 'files', { files: 'delete', confirm: 'Never run' });
    assert.equal(answer.status, 409);
    assert.ok(existsSync(join(share, 'never-run', 'current')), 'the folder went');
  });
});

describe('the settings', () => {
  it('are saved, and refused field by field', async () => {
    locationOf(await press('/settings/general', 'runsMax', { runsMax: '3', timeZone: 'Europe/Paris', theme: 'dark' }));
    const { settings } = service.services;
    assert.deepEqual(
      [settings.read().runsMax, settings.read().timeZone, settings.read().theme],
      [3, 'Europe/Paris', 'dark'],
    );
    const wrong = { runsMax: '99', timeZone: 'Mars/Base', folderRoots: '/volume1/../etc' };
    const answer = await press('/settings/general', 'runsMax', wrong);
    assert.equal(answer.status, 422);
    assert.deepEqual(messagesIn(answer.text), ['runsMax: Enter a number between 1 and 10']);
    const meaning = await press('/settings/general', 'runsMax', { ...wrong, runsMax: '2' });
    assert.equal(meaning.status, 422);
    assert.equal(settings.read().runsMax, 3);
    locationOf(await press('/settings/general', 'runsMax', { theme: 'auto' }));
  });

  it('pause all schedules and let them go on', async () => {
    const send = (fields: Record<string, string>): Promise<Answer> =>
      visitor.send('/settings/schedules', fields, '/settings/general');
    locationOf(await send({ length: 'open', do: 'pause' }));
    assert.equal(service.services.scheduler.pausedUntil(), Infinity);
    assert.match(await get('/settings/general'), /All schedules are paused\./);
    locationOf(await send({ do: 'resume' }));
    assert.equal(service.services.scheduler.pausedUntil(), undefined);
  });

  it('compact and check the databases, and say how it went', async () => {
    for (const kind of ['compact', 'integrity'] as const) {
      locationOf(await visitor.send(`/settings/maintenance/${kind}`, {}, '/settings/maintenance'));
      while (service.services.jobs.running(kind) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(service.services.jobs.latest(kind)?.result?.tone, 'ok');
    }
    const page = await get('/settings/maintenance');
    assert.match(page, /Compacted:/);
    assert.match(page, /databases? checked: (all )?intact/);
  });

  it('that were chosen here hold in this browser, too, whatever its menu said before', async () => {
    const other = await newVisitor();
    locationOf(await other.send('/language', { language: 'fr', back: '/tasks' }, '/settings/general'));
    locationOf(await other.send('/theme', { theme: 'dark', back: '/tasks' }, '/settings/general'));
    assert.match(await get('/settings/general', other), /<html lang="fr" data-theme="dark"/);
    locationOf(await press('/settings/general', 'runsMax', { language: 'en', theme: 'light' }, other));
    assert.match(await get('/settings/general', other), /<html lang="en" data-theme="light"/);
    locationOf(await press('/settings/general', 'runsMax', { language: 'browser', theme: 'auto' }, other));
  });

  it('change the password only for the present one, and sign every other browser out', async () => {
    const other = await newVisitor();
    const next = 'another good password';
    const wrong = { current: 'not it', password: next, again: next };
    assert.equal((await visitor.send('/settings/security/password', wrong, '/settings/security')).status, 422);
    // What a reload of that page, or the switch of languages on it, asks for.
    assert.equal(locationOf(await visitor.ask('/settings/security/password')), '/settings/security');
    const right = { ...wrong, current: ACCOUNT_PASSWORD };
    locationOf(await visitor.send('/settings/security/password', right, '/settings/security'));
    assert.notEqual((await other.ask('/tasks')).status, 200);
    assert.match(await get('/settings/security'), /this one/);
    const back = { current: next, password: ACCOUNT_PASSWORD, again: ACCOUNT_PASSWORD };
    locationOf(await visitor.send('/settings/security/password', back, '/settings/security'));
  });
});

describe('help and diagnostics', () => {
  it('open, with an anchor for every error', async () => {
    assert.match(await get('/help'), /id="error-login-rejected"/);
    assert.match(await get('/about'), /better-sqlite3/);
    await get('/settings/web');
    assert.equal((await visitor.ask('/help/permissions')).headers.location, '/help#permissions');
  });

  it('hold no password and no user name', async () => {
    const id = taskIdOf(await makeTask('With a secret', 'with-a-secret'));
    const { tasks, runner } = service.services;
    const task = tasks.get(id);
    assert.ok(task?.settings !== undefined);
    const user = 'nobody-knows-me';
    const source = { ...task.settings.source, user };
    tasks.update(id, task.revision, { ...task.settings, source }, task.schedule, Date.now());
    runner.start(id, 'user', 'admin');
    assert.equal(await runEnded(id), 'failed');
    const zip = await download('/diagnostics.zip');
    const texts = membersOf(zip);
    assert.deepEqual(
      [...texts.keys()],
      ['system.json', 'settings.json', 'tasks.json', 'runs.json', 'activity.json', 'log.jsonl'],
    );
    const all = [...texts.values()].join('\n');
    assert.match(all, /With a secret/);
    for (const secret of [SCRIPTED_PASSWORD, TYPED_PASSWORD, ACCOUNT_PASSWORD, encodeURIComponent(SCRIPTED_PASSWORD)]) {
      assert.ok(!all.includes(secret), secret);
    }
    assert.match(texts.get('runs.json') ?? '', /login-rejected/);
    assert.ok(!new RegExp(`"user":\\s*"${SCRIPTED_USER}"`).test(all), 'a user name');
    assert.deepEqual(
      all.split('\n').filter((line) => line.includes(user)),
      [],
    );
    for (const name of ['tasks.json', 'runs.json', 'system.json']) JSON.parse(texts.get(name) ?? '');
  });

  it('like every page before, show no password', () => {
    assert.ok(pages.length > 50, `${pages.length} pages`);
    for (const page of pages) {
      for (const secret of [SCRIPTED_PASSWORD, TYPED_PASSWORD, ACCOUNT_PASSWORD]) {
        assert.ok(!decoded(page).includes(secret), page.slice(0, 500));
      }
    }
    const log = readFileSync(join(room, 'state', 'site-backup.log'), 'utf8');
    for (const secret of [SCRIPTED_PASSWORD, TYPED_PASSWORD]) assert.ok(!log.includes(secret), 'in the log');
  });
});

async function download(path: string): Promise<Buffer> {
  const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const answer = await fetch(`http://127.0.0.1:${service.port}${path}`, { headers: { cookie } });
  assert.equal(answer.status, 200);
  assert.match(
    answer.headers.get('content-disposition') ?? '',
    /attachment; filename="?site-backup-diagnostics-[\d-]+\.zip/,
  );
  return Buffer.from(await answer.arrayBuffer());
}

function membersOf(zip: Buffer): Map<string, string> {
  const members = new Map<string, string>();
  let at = zip.readUInt32LE(zip.length - 6);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [packed, nameBytes] = [zip.readUInt32LE(at + 20), zip.readUInt16LE(at + 28)];
    const name = zip.toString('latin1', at + 46, at + 46 + nameBytes);
    const begin = zip.readUInt32LE(at + 42) + 30 + nameBytes;
    members.set(name, inflateRawSync(zip.subarray(begin, begin + packed)).toString());
    at += 46 + nameBytes;
  }
  return members;
}
