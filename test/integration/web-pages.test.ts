/** The pages that show, over real HTTP with real stores; the runs are told by the test. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { taskDatabasePath } from '../../src/state/task-database.ts';
import type { TaskActivity } from '../../src/tasks/task-runner.ts';
import { PuppetRunner, addEvents, addRun, addTask } from '../support/run-fixture.ts';
import { startWebApp } from '../support/web-app.ts';
import type { Visitor, WebApp } from '../support/web-app.ts';

/** Names that a server, or a person, may give. None may ever be markup in a page. */
const HOSTILE = [
  '<script>alert(1)</script>',
  `"><img src=x onerror='alert(2)'>`,
  'two\nlines\r\nand\ttabs',
  "it's & <b>bold</b> &amp; ${1+1} <%= y %>",
  'ä'.repeat(127) + 'x',
  '../../etc/passwd',
];

const HOUR_MS = 3_600_000;

/** Elements that our views never write, and attributes that none may have. */
function foreignMarkup(html: string): string[] {
  const tags = html.match(/<[a-z!][^>"]*(?:"[^"]*"[^>"]*)*>/gi) ?? [];
  return tags.filter((tag) => {
    const bare = tag.replace(/"[^"]*"/g, '""');
    if (/^<script/i.test(tag)) return bare !== '<script type="" src="">';
    if (/^<img/i.test(tag)) return !tag.includes('favicon.svg');
    return /\s(on\w+|style)=|'/i.test(bare);
  });
}

function activity(taskId: number, runId: number, more: Partial<TaskActivity> = {}): TaskActivity {
  return { runId, taskId, cause: 'user', phase: 'running', queuedMs: 0, startedMs: 0, progress: undefined, ...more };
}

const PROGRESS: NonNullable<TaskActivity['progress']> = {
  stage: 'transferring',
  elapsedMs: 60_000,
  foldersListed: 3,
  foldersWaiting: 0,
  filesListed: 500,
  filesPlanned: 100,
  bytesPlanned: 1_000_000,
  filesDone: 37,
  filesFailed: 0,
  bytesDone: 900_000,
  bytesPerSecond: 5000,
  secondsLeft: undefined,
  connections: 2,
  retries: 0,
  currentPath: HOSTILE[0],
  transfers: [],
};

const transferOf = (path: string) => ({ slot: 0, path, sizeBytes: 1000, doneBytes: 300, bytesPerSecond: 100 });

describe('the pages that show', () => {
  let web: WebApp;
  let owner: Visitor;
  const runner = new PuppetRunner();
  before(async () => {
    web = await startWebApp({}, (services) => ({ ...services, runner }));
    owner = await web.owner();
  });
  after(async () => {
    await web.close();
  });

  const page = async (path: string, status = 200): Promise<string> => {
    const answer = await owner.ask(path);
    assert.equal(answer.status, status, `${path}: ${answer.text.slice(0, 500)}`);
    return answer.text;
  };

  it('answer 404 in words for tasks and runs that do not exist, and for numbers that are none', async () => {
    for (const path of ['/tasks/999', '/tasks/999/runs', '/runs/999', '/tasks/999-name', '/tasks/999/runs.csv']) {
      assert.match(await page(path, 404), /<h1[^>]*>[^<]+<\/h1>/, path);
    }
    for (const path of [
      '/tasks/0',
      '/tasks/-1',
      '/tasks/1e3',
      '/runs/abc',
      '/runs/99999999999999999999',
      '/runs/%3Cb%3E',
    ]) {
      const html = await page(path, 404);
      assert.doesNotMatch(html, /<b>/, path);
    }
    const answer = await owner.ask('/tasks/999/live.json');
    assert.equal(answer.status, 404);
    assert.match(answer.headers['content-type'] ?? '', /json/);
  });

  it('show an empty list with the way to a first task', async () => {
    const html = await page('/tasks');
    assert.match(html, /href="\/tasks\/new"/);
    assert.doesNotMatch(html, /<table/);
    assert.match(await page('/runs'), /signed in/);
    assert.match(await page('/logs'), /Nothing logged/);
  });

  it('never turn a name from a server, a person or a log into markup', async () => {
    const log: string[] = [];
    const paths: string[] = ['/tasks', '/runs', '/logs', '/tasks?q=%3Cscript%3E&sort=%22%3E&state=%3Cb%3E'];
    for (const [index, name] of HOSTILE.entries()) {
      const taskId = addTask(web.services, `${name.replace(/[\r\n\t]/g, ' ').slice(0, 90)} ${index}`, {
        folder: `/${name}`,
      });
      const cause = { code: 'login-rejected', detail: name, facts: { host: name, user: name } };
      addRun(web.services, taskId, 'failed', { agoMs: 2 * HOUR_MS, report: { cause } });
      const runId = addRun(web.services, taskId, 'incomplete', { report: { failureCount: 2, counts: { listed: 9 } } });
      addEvents(web.services, runId, [
        { level: 'failure', code: 'permission-denied', path: `/${name}/${name}`, detail: name },
        { level: 'failure', code: name, path: name, detail: undefined },
        { level: 'notice', code: 'link-not-followed', path: name, detail: name },
      ]);
      const line = { t: new Date(web.clock.nowMs()).toISOString(), level: 'warn', event: 'file-failed' };
      log.push(JSON.stringify({ ...line, task: taskId, run: runId, path: name, code: name, [name]: name }));
      log.push(JSON.stringify({ ...line, event: name }));
      web.services.activity.add({ atMs: 0, actor: name, action: 'sign-in', subject: name, detail: name });
      paths.push(
        `/tasks/${taskId}`,
        `/tasks/${taskId}/runs`,
        `/runs/${runId}`,
        `/runs/${runId}?tab=files&q=${encodeURIComponent(name)}`,
      );
      paths.push(`/runs/${runId}?tab=log`, `/runs/${runId}?cause=permission-denied`, `/runs/${runId - 1}`);
      paths.push(`/logs?q=${encodeURIComponent(name)}`, `/tasks?q=${encodeURIComponent(name)}`);
      runner.set(activity(taskId, runId, { progress: { ...PROGRESS, transfers: [transferOf(name)] } }));
      paths.push(`/tasks/${taskId}?x`);
    }
    writeFileSync(web.services.logFile, `${log.join('\n')}\n`);
    for (const path of paths) {
      const html = await page(path);
      assert.deepEqual(foreignMarkup(html), [], path);
      assert.ok(!html.includes('geheim-123'), path);
    }
    assert.match(await page(paths[4] ?? ''), /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
    for (const active of runner.activities()) runner.end(active.taskId, 'complete');
  });

  it('keep filters, sort and search in the URL, and leave out what makes no sense', async () => {
    const taskId = addTask(web.services, 'Zebra works', { host: 'zebra.example' });
    addRun(web.services, taskId, 'complete', { report: { counts: { listed: 10, downloaded: 3 } } });
    const names = (html: string): string[] =>
      [...html.matchAll(/<td class=nm><a href="[^"]+">([^<]+)</g)].map((m) => m[1] ?? '');
    assert.deepEqual(names(await page('/tasks?q=ZEBRA')), ['Zebra works']);
    assert.deepEqual(names(await page('/tasks?q=zebra.example&state=ok')), ['Zebra works']);
    assert.match(await page('/tasks?q=zebra&state=attention'), /No task matches “zebra”/);
    const byName = names(await page('/tasks?sort=name'));
    assert.deepEqual(names(await page('/tasks?sort=-name')), [...byName].reverse());
    assert.ok(byName.length >= HOSTILE.length);
    assert.deepEqual(names(await page('/tasks?sort=nonsense&state=nonsense&page=-3')), names(await page('/tasks')));
    const worst = names(await page('/tasks'));
    assert.equal(worst.at(-1), 'Zebra works', 'what is well comes last');
    assert.match(await page('/tasks?sort=name'), /aria-sort="ascending"[^>]*>\s*<a[^>]*>Task/);
  });

  it('are there for all tasks although the database of a held one cannot be read, and still ask', async () => {
    const taskId = addTask(web.services, 'Unreadable', { host: 'unreadable.example' });
    addRun(web.services, taskId, 'held', { report: { cause: { code: 'guard-held', facts: {} } } });
    const { stateDir, tasks } = web.services;
    const path = taskDatabasePath(stateDir, tasks.get(taskId)?.stateKey ?? '');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'this is no database');
    assert.match(await page('/tasks?q=unreadable'), /data-state=held/);
    assert.match(await page(`/tasks/${taskId}`), /Needs your decision/);
    rmSync(path);
  });

  it('say once what was done, to who did it: not to another window that asks by itself', async () => {
    await owner.send('/settings/schedules', { do: 'resume' }, '/settings/general');
    const words = /All schedules are active again/;
    assert.doesNotMatch((await owner.ask('/tasks', { headers: { 'X-Background': '1' } })).text, words);
    assert.match(await page('/tasks'), words);
    assert.doesNotMatch(await page('/tasks'), words);
  });

  it('say on the list of tasks, as long as it lasts, that no task starts by itself', async () => {
    await page('/tasks');
    for (const [length, words] of [
      ['day', /All schedules are paused until (tomorrow|\d)[^<]*\.<\/p>/],
      ['open', /All schedules are paused\.<\/p>/],
    ] as const) {
      await owner.send('/settings/schedules', { length }, '/settings/general');
      await page('/about');
      assert.match(await page('/tasks'), words);
      assert.match(await page('/tasks'), words);
    }
    await owner.send('/settings/schedules', { do: 'resume' }, '/settings/general');
    assert.doesNotMatch(await page('/tasks'), /All schedules are paused/);
  });

  it('page through the runs of a task, and give all of them as a table', async () => {
    const taskId = addTask(web.services, '=HYPERLINK("x")');
    for (let index = 0; index < 120; index++) {
      addRun(web.services, taskId, index % 10 === 0 ? 'failed' : 'complete', { agoMs: (200 - index) * HOUR_MS });
    }
    const seen: string[] = [];
    for (let path: string | undefined = `/tasks/${taskId}/runs`; path !== undefined;) {
      const html: string = await page(path);
      seen.push(...[...html.matchAll(/data-live-part="run-(\d+)"/g)].map((match) => match[1] ?? ''));
      path = /<a href="([^"]*after=[^"]*)">Older/.exec(html)?.[1]?.replaceAll('&amp;', '&');
    }
    assert.equal(seen.length, 120);
    assert.deepEqual(
      seen.map(Number),
      [...seen.map(Number)].sort((a, b) => b - a),
    );
    assert.equal(new Set(seen).size, 120);
    const failed = await page(`/tasks/${taskId}/runs?state=failed`);
    assert.equal([...failed.matchAll(/data-live-part="run-/g)].length, 12);
    const csv = await owner.ask(`/tasks/${taskId}/runs.csv`);
    assert.equal(csv.text.trim().split('\r\n').length, 121);
    assert.match(csv.headers['content-disposition'] ?? '', /^attachment; filename=tasks-\d+-hyperlink-x-runs.csv$/);
  });

  it('narrow the history to one day of the NAS, also by a link of the calendar', async () => {
    const taskId = addTask(web.services, 'One day');
    addRun(web.services, taskId, 'complete', { agoMs: 50 * HOUR_MS });
    const kept = addRun(web.services, taskId, 'incomplete', { agoMs: 26 * HOUR_MS });
    addRun(web.services, taskId, 'complete', { agoMs: HOUR_MS });
    const html = await page(`/tasks/${taskId}/runs`);
    const days = [...html.matchAll(/href="([^"]*day=[^"]+)"/g)].map((match) => match[1] ?? '');
    assert.equal(days.length, 3);
    const day = await page(days[1] ?? '');
    assert.deepEqual(
      [...day.matchAll(/data-live-part="run-(\d+)"/g)].map((match) => Number(match[1])),
      [kept],
    );
    assert.equal([...(await page(`/tasks/${taskId}/runs?day=2026-99-99`)).matchAll(/data-live-part="run-/g)].length, 3);
  });

  it('page through Activity without losing or repeating anything', async () => {
    for (let index = 0; index < 70; index++) {
      web.services.activity.add({
        atMs: web.clock.nowMs() - index,
        actor: `a${index}`,
        action: 'sign-out',
        subject: undefined,
        detail: undefined,
      });
    }
    let rows = 0;
    let pages = 0;
    for (let path: string | undefined = '/runs'; path !== undefined; pages++) {
      const html: string = await page(path);
      rows += [...html.matchAll(/<tr><td class="nw num">/g)].length;
      path = /<a href="([^"]*after=[^"]*)">Older/.exec(html)?.[1]?.replaceAll('&amp;', '&');
    }
    const all = web.services.runs.list({}, 10_000).length + web.services.activity.list(undefined, 10_000).length;
    assert.equal(rows, all);
    assert.equal(pages, Math.ceil(all / 50));
    assert.doesNotMatch(await page('/runs?kind=deeds'), /href="\/runs\/\d/);
    assert.doesNotMatch(await page('/runs?kind=runs'), /signed out/);
  });

  it('group what failed by cause, with the words, the next step and the exact answer', async () => {
    const taskId = addTask(web.services, 'Grouped');
    const runId = addRun(web.services, taskId, 'incomplete', { report: { failureCount: 309, counts: { new: 4 } } });
    addEvents(web.services, runId, [
      ...Array.from({ length: 300 }, (_, index) => ({
        level: 'failure' as const,
        code: 'permission-denied',
        path: `/private/${index}`,
        detail: '550 Permission denied.',
      })),
      ...Array.from({ length: 9 }, (_, index) => ({
        level: 'failure' as const,
        code: 'timed-out',
        path: `/slow/${index}`,
        detail: undefined,
      })),
    ]);
    const html = await page(`/runs/${runId}`);
    assert.match(html, /The account may not read this file\.\s*<span class="muted">300 files/);
    assert.match(html, /Show the other 296/);
    assert.match(html, /<code class="wrap">550 Permission denied\.<\/code>/);
    assert.match(html, /keep their last good version/);
    const files = (text: string): string[] =>
      [...text.matchAll(/class="base">([^<]+)</g)].map((match) => match[1] ?? '');
    assert.equal(files(html).length, 8);
    const first = await page(`/runs/${runId}?cause=permission-denied`);
    assert.equal(files(first).length, 200);
    const next = /<a href="([^"]*after=[^"]*)">/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const all = [...files(first), ...files(await page(next))];
    assert.equal(new Set(all).size, 300);
    const csv = await owner.ask(`/runs/${runId}/errors.csv`);
    assert.equal(csv.text.trim().split('\r\n').length, 310);
  });

  it('do not read the notes of a real run for a simulation, whose own were thrown away', async () => {
    const taskId = addTask(web.services, 'Simulated');
    const real = addRun(web.services, taskId, 'incomplete', { report: { failureCount: 1 } });
    addEvents(web.services, real, [
      { level: 'failure', code: 'timed-out', path: '/of-the-real-run', detail: undefined },
    ]);
    const simulated = addRun(web.services, taskId, 'incomplete', { cause: 'simulation', report: { failureCount: 5 } });
    web.services.runs.setLocalRun(simulated, web.services.runs.get(real)?.localRunId ?? 0);
    const html = await page(`/runs/${simulated}`);
    assert.doesNotMatch(html, /of-the-real-run/);
    assert.match(html, /keeps only the numbers/);
  });

  it('still show a run whose task was deleted, and one that left no report', async () => {
    const taskId = addTask(web.services, 'Short-lived');
    const runId = addRun(web.services, taskId, 'interrupted');
    web.services.runs.close(runId, 'interrupted', undefined, web.clock.nowMs());
    assert.match(await page(`/runs/${runId}`), /Interrupted/);
    web.services.tasks.remove(taskId);
    const html = await page(`/runs/${runId}`);
    assert.match(html, /Short-lived/);
    assert.doesNotMatch(html, new RegExp(`href="/tasks/${taskId}`));
  });

  it('download the log as text, one line for each', async () => {
    const line = { t: new Date(web.clock.nowMs()).toISOString(), level: 'info', event: 'x' };
    const lines = Array.from({ length: 450 }, (_, number) => JSON.stringify({ ...line, number, words: 'a\nb' }));
    writeFileSync(web.services.logFile, `${lines.join('\n')}\n`);
    const answer = await owner.ask('/logs.txt');
    assert.equal(answer.text.trim().split('\n').length, 450);
    const seen: string[] = [];
    for (let path: string | undefined = '/logs'; path !== undefined;) {
      const html: string = await page(path);
      seen.push(...[...html.matchAll(/data-key="([^"]+)"/g)].map((match) => match[1] ?? ''));
      path = /<a href="([^"]*after=[^"]*)">Older/.exec(html)?.[1]?.replaceAll('&amp;', '&');
    }
    assert.equal(new Set(seen).size, 450);
  });

  it('say in both languages the same, without a key left over', async () => {
    const taskId = addTask(web.services, 'Bilingual');
    const runId = addRun(web.services, taskId, 'incomplete', { report: { failureCount: 1, counts: {} } });
    addEvents(web.services, runId, [{ level: 'failure', code: 'file-refused', path: '/x', detail: undefined }]);
    for (const path of [
      '/tasks',
      `/tasks/${taskId}`,
      `/tasks/${taskId}/runs`,
      '/runs',
      `/runs/${runId}`,
      `/runs/${runId}?tab=files`,
      `/runs/${runId}?tab=log`,
      '/logs',
    ]) {
      for (const language of ['en', 'fr']) {
        const { text } = await owner.ask(path, { headers: { 'Accept-Language': language } });
        assert.match(text, new RegExp(`<html lang="${language}"`));
        const words = text.replace(/<[^>]*>/g, ' ');
        assert.doesNotMatch(
          words,
          /\b(dash|st|col|act|td|run|pr|log|hist|strip|short|result|file|nav)\.[a-z][a-z.-]+\b/,
          path,
        );
        assert.doesNotMatch(words, /\{\w+\}|\[\[/, path);
      }
    }
  });

  describe('live', () => {
    /** Reads the stream until `isEnough` of its text. */
    async function stream(
      path: string,
      isEnough: (text: string) => boolean,
    ): Promise<{ answer: IncomingMessage; text: string }> {
      const cookie = [...owner.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const asked = request({
        host: '127.0.0.1',
        port: web.port,
        path,
        headers: { Cookie: cookie },
        agent: false,
      }).end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.setEncoding('utf8');
      let text = '';
      for await (const part of answer) {
        text += String(part);
        if (isEnough(text)) break;
      }
      asked.destroy();
      return { answer, text };
    }

    it('tells the numbers of a run, then only what has changed, and its end', async () => {
      const taskId = addTask(web.services, 'Live one');
      const runId = addRun(web.services, taskId, 'running');
      runner.set(activity(taskId, runId, { startedMs: web.clock.nowMs(), progress: PROGRESS }), 'phase');
      let isMoved = false;
      let isEnded = false;
      const { answer, text } = await stream(`/events?topics=tasks,task:${taskId}`, (said) => {
        if (!isMoved && said.includes('"37%"')) {
          isMoved = true;
          runner.set(
            activity(taskId, runId, { startedMs: web.clock.nowMs(), progress: { ...PROGRESS, filesDone: 38 } }),
          );
        }
        if (!isEnded && said.includes('"38%"')) {
          isEnded = true;
          runner.end(taskId, 'complete');
        }
        return said.includes('Live one: Up to date');
      });
      assert.match(answer.headers['content-type'] ?? '', /^text\/event-stream\b/);
      assert.equal(answer.headers['x-accel-buffering'], 'no');
      const events = text.split('\n\n').filter((event) => event.includes('event: '));
      assert.match(events[0] ?? '', /^id: \S+\nevent: hello\ndata: \{"version":"0.0.0-test"/m);
      const values = events.filter((event) => event.includes('event: values'));
      assert.match(values[0] ?? '', new RegExp(`"task\\.${taskId}\\.progress":37`));
      const moved = values.find((event) => event.includes('38%')) ?? '';
      assert.doesNotMatch(moved, /connections/, 'what is the same is not told again');
    });

    it('says each new error in words once, and none that the page showed already', async () => {
      const taskId = addTask(web.services, 'Failing');
      const runId = addRun(web.services, taskId, 'running');
      const fail = (filesFailed: number, filesDone: number): void => {
        runner.set(activity(taskId, runId, { progress: { ...PROGRESS, filesFailed, filesDone } }));
      };
      fail(1, 40);
      const steps = [
        {
          after: '"41%"',
          act: () => {
            fail(1, 41);
          },
        },
        {
          after: '"42%"',
          act: () => {
            fail(3, 42);
          },
        },
        {
          after: '"45%"',
          act: () => {
            fail(3, 43);
          },
        },
        {
          after: '"46%"',
          act: () => {
            runner.end(taskId, 'incomplete');
          },
        },
      ];
      const { text } = await stream(`/events?topics=task:${taskId}`, (said) => {
        if (steps[0] !== undefined && said.includes(steps[0].after)) steps.shift()?.act();
        return said.includes('Failing: Partially');
      });
      const said = [...text.matchAll(/"say":"([^"]+)"/g)].map(([, words]) => words);
      assert.deepEqual(said, ['Failing: 3 files could not be copied so far.', 'Failing: Partially completed.']);
    });

    it('tells every number that the page of the task has a place for', async () => {
      const taskId = addTask(web.services, 'All numbers');
      const runId = web.services.runs.queue({ taskId, taskName: 'x', cause: 'user', startedBy: undefined }, 0);
      runner.set(activity(taskId, runId, { progress: PROGRESS }), 'phase');
      const html = await page(`/tasks/${taskId}`);
      const places = [...html.matchAll(/ data-live="?([\w.]+)/g)].map((match) => match[1] ?? '');
      assert.ok(places.length > 12, places.join());
      const answer = await owner.ask(`/tasks/${taskId}/live.json`);
      const { values } = JSON.parse(answer.text) as { values: Readonly<Record<string, unknown>> };
      runner.end(taskId, 'complete');
      // Of an empty row only that it has no name is told.
      const kinds = (keys: readonly string[]): string[] =>
        [...new Set(keys.map((key) => key.replace(/^(run\.\d+)\.\d+\.\w+$/, '$1.row')))].sort();
      assert.deepEqual(kinds(Object.keys(values)), kinds(places));
    });

    it('tells a browser whose stream does not get through the same when it asks', async () => {
      const taskId = addTask(web.services, 'Asked');
      const runId = addRun(web.services, taskId, 'running');
      runner.set(activity(taskId, runId, { startedMs: web.clock.nowMs(), progress: PROGRESS }), 'phase');
      const one = JSON.parse((await owner.ask(`/tasks/${taskId}/live.json`)).text) as {
        sequence: string;
        values: object;
      };
      assert.equal((one.values as Record<string, unknown>)[`run.${runId}.percent`], '37%');
      const all = JSON.parse((await owner.ask('/tasks/live.json')).text) as { sequence: string; values: object };
      assert.equal((all.values as Record<string, unknown>)[`task.${taskId}.progress`], 37);
      assert.match(await page(`/tasks/${taskId}`), new RegExp(`data-live-sequence="${one.sequence}"`));
      runner.end(taskId, 'complete');
      const later = JSON.parse((await owner.ask('/tasks/live.json')).text) as { sequence: string; values: object };
      assert.notEqual(later.sequence, one.sequence);
      assert.deepEqual(later.values, {});
    });

    it('opens no stream for topics that make no sense, nor for somebody who is not signed in', async () => {
      for (const topics of ['', 'x', 'task:', 'task:x', 'task:-1']) {
        assert.equal((await owner.ask(`/events?topics=${topics}`)).status, 400, topics);
      }
      assert.notEqual((await web.visitor().ask('/events?topics=tasks')).status, 200);
    });
  });
});
