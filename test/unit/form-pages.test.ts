import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { ERROR_TABLE } from '../../src/errors.ts';
import { EMPTY_TASK_FORM, parseTaskForm } from '../../src/settings/parse-form.ts';
import { Secret } from '../../src/settings/secret.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import type { StoredTask } from '../../src/state/task-store.ts';
import type { CheckStep } from '../../src/tasks/check-source.ts';
import { LANGUAGES, createText } from '../../src/text.ts';
import { createDates } from '../../src/web/dates.ts';
import { SHIPPED_PACKAGES } from '../../src/web/pages/about.ts';
import { buildTestView, connectionFacts, connectionWords, isUsable } from '../../src/web/pages/connection-test.ts';
import { buildDeleteView } from '../../src/web/pages/delete-task.ts';
import { buildEditView } from '../../src/web/pages/edit-task-view.ts';
import { buildHelpView } from '../../src/web/pages/help.ts';
import { scheduleFieldsView } from '../../src/web/pages/schedule-fields.ts';
import { browserName } from '../../src/web/pages/settings-security.ts';
import { summaryRows } from '../../src/web/pages/wizard-check.ts';
import { suggestedTime } from '../../src/web/pages/wizard-draft.ts';
import { zipOf } from '../../src/web/zip.ts';

const TEXT = createText('en');
const NOW_MS = Date.UTC(2026, 10, 21, 12, 0);
const DATES = createDates(TEXT, 'Europe/Paris', () => NOW_MS);
const FINGERPRINT = 'ab'.repeat(32);

function settings(): TaskSettings {
  const form = {
    ...EMPTY_TASK_FORM,
    name: 'Garage',
    host: 'ftp.example.com',
    user: 'web',
    target: '/volume1/b/garage',
  };
  const parsed = parseTaskForm(
    { ...form, sets: ['logs'], exclude: 'tmp/', speed: '1 MB' },
    new Secret('S3cret-stored'),
  );
  assert.ok('settings' in parsed, JSON.stringify(parsed));
  return parsed.settings;
}

function task(): StoredTask {
  return {
    id: 7,
    name: 'Garage',
    stateKey: 'k',
    settings: settings(),
    faults: [],
    schedule: { rule: { kind: 'weekly', days: [1], times: ['02:00'] }, allowedHours: undefined },
    isPaused: false,
    revision: 3,
    createdMs: 0,
    updatedMs: 0,
  };
}

const page = { text: TEXT, dates: DATES };

describe('the page that edits a task', () => {
  it('shows what is stored, and never the password', () => {
    const view = buildEditView(task(), {}, { isRunning: false, nowMs: NOW_MS }, page);
    assert.equal(view.form.host, 'ftp.example.com');
    assert.equal(view.form.speed, '1 MB');
    assert.equal(view.revision, 3);
    assert.ok(view.sets.find((set) => set.name === 'logs')?.isTicked, 'logs not ticked');
    assert.ok(!JSON.stringify(view).includes('S3cret-stored'), 'password');
  });

  it('counts what is to be corrected in each section', () => {
    const messages = ['host', 'port', 'times', 'speedTo'].map((field) => ({ field, words: field }));
    const view = buildEditView(task(), { messages }, { isRunning: false, nowMs: NOW_MS }, page);
    const counts = view.sections.filter((section) => section.faultCount > 0);
    assert.deepEqual(
      counts.map((section) => [section.id, section.faultCount]),
      [
        ['conn', 2],
        ['when', 1],
        ['adv', 1],
      ],
    );
  });

  it('puts both sides of a conflict beside each other', () => {
    const conflict = { atMs: NOW_MS, differences: [{ field: 'name', theirs: 'Garage 2', mine: 'Garage' } as const] };
    const view = buildEditView(task(), { conflict }, { isRunning: false, nowMs: NOW_MS }, page);
    assert.match(view.conflict?.heading ?? '', /changed in another window \(today 13:00\)/);
    assert.deepEqual(view.conflict?.rows, [{ label: 'Task name', theirs: 'Garage 2', mine: 'Garage' }]);
  });

  it('opens for a task whose settings can no longer be used', () => {
    const broken = { ...task(), settings: undefined };
    const view = buildEditView(broken, {}, { isRunning: false, nowMs: NOW_MS }, page);
    assert.ok(view.isBroken, 'not said');
    assert.equal(view.form.name, 'Garage');
    assert.equal(view.hasPassword, false);
  });
});

describe('the page that deletes a task', () => {
  const facts = { folder: '/volume1/b/garage', owner: 'own', bytes: 1024 ** 3, versions: 41 } as const;
  const typed = { isWipe: true, typed: 'Gar' };

  it('says what would be lost', () => {
    const view = buildDeleteView(task(), facts, typed, [], { isRunning: false, job: undefined }, TEXT);
    assert.equal(view.wipeWords, 'Also delete 1 GB in /volume1/b/garage');
    assert.match(view.lossWords, /41 older versions/);
    assert.equal(view.keepNote, '');
  });

  it('does not offer to delete what is not the task’s', () => {
    for (const owner of ['foreign', 'absent'] as const) {
      const view = buildDeleteView(task(), { ...facts, owner }, typed, [], { isRunning: false, job: undefined }, TEXT);
      assert.notEqual(view.keepNote, '', owner);
      assert.equal(view.isWipe, false, owner);
    }
  });
});

describe('the result of a connection test', () => {
  const ok = (step: CheckStep['step'], finding: Extract<CheckStep, { finding: unknown }>['finding']): CheckStep => ({
    step,
    state: 'ok',
    finding,
    durationMs: 10,
  });
  const lookup = ok('lookup', { kind: 'lookup-ip', host: 'h' });

  it('asks to trust a certificate that nobody vouches for, and shows both when it changed', () => {
    const failed = (code: 'certificate-untrusted' | 'certificate-changed'): CheckStep => ({
      step: 'tls',
      state: 'failed',
      code,
      facts: { host: 'h', fingerprint: FINGERPRINT, reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      detail: 'raw',
      durationMs: 5,
    });
    const view = buildTestView([lookup, failed('certificate-untrusted')], settings().source, TEXT);
    assert.equal(view.fingerprint, FINGERPRINT);
    assert.match(view.cause, /it is self-signed/);
    assert.equal(view.fingerprintBefore, '');
    const source = { ...settings().source, tls: { fingerprint: 'cd'.repeat(32) } };
    const changed = buildTestView([lookup, failed('certificate-changed')], source, TEXT);
    assert.match(changed.fingerprintBefore, /^CD:CD:/);
    assert.equal(isUsable([lookup, failed('certificate-untrusted')]), false);
  });

  it('lets somebody go on who is signed in, where only a listing failed', () => {
    const listing: CheckStep = {
      step: 'listing',
      state: 'failed',
      code: 'listing-refused',
      facts: { path: '/' },
      detail: undefined,
      durationMs: 1,
    };
    const steps = [lookup, ok('login', { kind: 'login', user: 'web' }), listing];
    assert.ok(isUsable(steps), 'not usable');
    assert.equal(isUsable([]), false);
    assert.match(
      connectionWords(connectionFacts(steps, settings().source), TEXT),
      /^Connected to ftp\.example\.com in 21 ms/,
    );
  });
});

describe('the wizard', () => {
  it('sums up what will be made, without the password', () => {
    const facts = { next: 'Next: Today', freeBytes: 1024 ** 4, draftId: 'd' };
    const rows = summaryRows(settings(), task().schedule, facts, TEXT);
    const words = rows.flatMap((row) => row.lines).join('\n');
    assert.match(words, /web at ftp\.example\.com, port 21/);
    assert.match(words, /Logs, tmp\//);
    assert.match(words, /1 TB free/);
    assert.ok(!words.includes('S3cret-stored'), 'password');
  });

  it('spreads the times that it proposes', () => {
    const times = Array.from({ length: 40 }, (_, count) => suggestedTime(count));
    assert.deepEqual(times.slice(0, 5), ['02:00', '02:15', '02:30', '02:45', '03:00']);
    assert.equal(new Set(times).size, 16);
    assert.ok(
      times.every((time) => /^0[2-5]:(00|15|30|45)$/.test(time)),
      times.join(),
    );
  });

  it('shows the next three runs in the zone of the NAS', () => {
    const form = { ...EMPTY_TASK_FORM, times: '02:30', days: ['6'] };
    const view = scheduleFieldsView(form, TEXT, DATES, NOW_MS);
    assert.equal(view.next, 'Next: 28 Nov, 02:30 · 5 Dec, 02:30 · 12 Dec, 02:30');
    assert.deepEqual(
      view.days.map((day) => day.value),
      ['1', '2', '3', '4', '5', '6', '0'],
    );
    assert.equal(scheduleFieldsView({ ...form, times: '25:00' }, TEXT, DATES, NOW_MS).next, '');
    assert.equal(scheduleFieldsView({ ...form, scheduleKind: 'manual' }, TEXT, DATES, NOW_MS).next, '');
  });
});

describe('help and about', () => {
  it('have one anchor for each error code, in words of both languages', () => {
    for (const language of LANGUAGES) {
      const errors = buildHelpView(createText(language)).errorGroups.flatMap((group) => group.errors);
      assert.deepEqual(errors.map((error) => error.code).sort(), Object.keys(ERROR_TABLE).sort());
      assert.equal(new Set(errors.map((error) => error.id)).size, errors.length);
      for (const { cause, action, code } of errors) {
        assert.doesNotMatch(`${cause} ${action}`, /error\.|[{}…]|--state|source\.|target\./, code);
      }
    }
  });

  it('name every package that is shipped', () => {
    const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { dependencies } = JSON.parse(file) as { dependencies: Record<string, string> };
    const named = new Set<string>(SHIPPED_PACKAGES.map((item) => item.name));
    assert.deepEqual(
      Object.keys(dependencies).filter((name) => !named.has(name)),
      [],
    );
  });

  it('know browsers by their usual names', () => {
    const chrome =
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36';
    assert.equal(browserName(chrome), 'Chrome, Windows');
    assert.equal(browserName(`${chrome} Edg/131.0`), 'Edge, Windows');
    assert.equal(
      browserName('Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0'),
      'Firefox, macOS',
    );
    assert.equal(browserName('curl/8'), undefined);
  });
});

describe('a ZIP', () => {
  it('holds its members as they were, with headers that agree', () => {
    const members = [
      { name: 'a.json', content: Buffer.from('{"x":1}') },
      { name: 'empty.txt', content: Buffer.alloc(0) },
      { name: 'log.jsonl', content: Buffer.from('line\n'.repeat(10_000)) },
    ];
    const zip = zipOf(members, new Date(2026, 10, 21, 12, 30, 40));
    const end = zip.length - 22;
    assert.equal(zip.readUInt32LE(end), 0x06054b50);
    assert.equal(zip.readUInt16LE(end + 10), members.length);
    let at = zip.readUInt32LE(end + 16);
    for (const { name, content } of members) {
      assert.equal(zip.readUInt32LE(at), 0x02014b50);
      const [packedBytes, bytes, nameBytes] = [
        zip.readUInt32LE(at + 20),
        zip.readUInt32LE(at + 24),
        zip.readUInt16LE(at + 28),
      ];
      assert.equal(zip.toString('latin1', at + 46, at + 46 + nameBytes), name);
      const local = zip.readUInt32LE(at + 42);
      assert.equal(zip.readUInt32LE(local), 0x04034b50);
      assert.deepEqual(zip.subarray(local + 4, local + 28), zip.subarray(at + 6, at + 30));
      const body = zip.subarray(local + 30 + nameBytes, local + 30 + nameBytes + packedBytes);
      assert.deepEqual(inflateRawSync(body), content);
      assert.equal(bytes, content.length);
      at += 46 + nameBytes;
    }
    assert.equal(at, end);
  });
});
