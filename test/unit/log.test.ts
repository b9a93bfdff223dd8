import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { createLog, silentLog, type LogOptions, type Logger } from '../../src/log.ts';
import { Secret } from '../../src/settings/secret.ts';

function capture(options: Omit<LogOptions, 'to'> = {}): {
  log: Logger;
  text: () => string;
  lines: () => Record<string, unknown>[];
} {
  let written = '';
  const to = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  const lines = (): Record<string, unknown>[] =>
    written
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log: createLog({ ...options, to, nowMs: () => 0 }), text: () => written, lines };
}

describe('a log', () => {
  it('is one JSON object a line, with time, level and event first', () => {
    const { log, text } = capture();
    log.info('file-copied', { path: '/a\nb', sizeBytes: 3 });
    assert.equal(
      text(),
      '{"t":"1970-01-01T00:00:00.000Z","level":"info","event":"file-copied","path":"/a\\nb","sizeBytes":3}\n',
    );
  });

  it('writes its own level and above, with the fields of the child', () => {
    const { log, lines } = capture();
    const child = log.child({ run: 7 }).child({ worker: 1 });
    child.debug('quiet');
    child.warn('loud', { worker: 2 });
    assert.deepEqual(
      lines().map(({ event, run, worker }) => ({ event, run, worker })),
      [{ event: 'loud', run: 7, worker: 2 }],
    );
  });

  it('cannot have its time, level or event forged by a field', () => {
    const { log, lines } = capture();
    log.error('real', { event: 'forged', level: 'debug', t: 'never' });
    assert.deepEqual(lines()[0], { t: '1970-01-01T00:00:00.000Z', level: 'error', event: 'real' });
  });

  it('tells of an error with its code, facts and cause', () => {
    const { log, lines } = capture();
    log.warn('failed', { error: new BackupError('disk-full', { facts: { path: '/x' }, cause: new Error('ENOSPC') }) });
    const error = lines()[0]?.['error'] as Record<string, unknown>;
    assert.equal(error['code'], 'disk-full');
    assert.deepEqual(error['facts'], { path: '/x' });
    assert.equal((error['cause'] as Record<string, unknown>)['message'], 'ENOSPC');
  });

  it('never throws, and stays bounded, whatever it is given', () => {
    const circle: Record<string, unknown> = { count: 10n };
    circle['self'] = circle;
    const wide: unknown[] = [];
    for (let index = 0; index < 10_000; index++) wide.push(wide);
    const trap = {
      get boom(): never {
        throw new Error('boom');
      },
    };
    const { log, lines, text } = capture();
    log.info('odd', circle);
    log.info('odd', { wide });
    log.info('odd', { trap });
    log.info('odd', { long: 'x'.repeat(100_000) });
    log.info('odd', { long: Array.from({ length: 100 }, () => 'x'.repeat(100_000)) });
    assert.deepEqual(
      lines().map(({ event }) => event),
      Array.from({ length: 5 }, () => 'odd'),
    );
    assert.ok(text().length < 50_000);
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), (fields) => {
        log.info('any', fields);
        silentLog.child(fields).error('any', fields);
      }),
    );
    assert.ok(lines().length > 100);
  });

  it('holds no password in any form in which one gets about', () => {
    const special = 'pä"ss\\wörd & 100%';
    const { log, text } = capture({ redact: [special, 'abc', ''] });
    const bytes = Buffer.from(special);
    const forms = [
      special,
      encodeURIComponent(special),
      bytes.toString('base64'),
      bytes.toString('latin1'),
      JSON.stringify(special).slice(1, -1),
    ];
    log.info('login', {
      forms: forms.map((form) => `ftp://u:${form}@h`),
      password: new Secret(special),
      [special]: true,
      error: new Error(`refused: PASS ${special}`),
      short: 'abc',
      word: 'abcdef',
    });
    for (const form of forms) assert.ok(!text().includes(JSON.stringify(form).slice(1, -1)), form);
    assert.match(text(), /"short":"\[secret\]","word":"abcdef"/);
  });
});

describe('a log file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-log-'));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('is readable by its owner alone, and not made before the first line', () => {
    const file = join(folder, 'new', 'a.log');
    const log = createLog({ to: { file } });
    assert.equal(existsSync(join(folder, 'new')), false);
    log.info('first');
    log.close();
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('is put aside when full, and only so many are kept, with no line lost or cut', () => {
    const file = join(folder, 'b.log');
    const log = createLog({ to: { file, fileBytesMax: 200, filesMax: 3 } });
    for (let number = 0; number < 20; number++) log.info('line', { number });
    log.close();
    const kept = ['.2', '.1', ''].flatMap((end) => readFileSync(`${file}${end}`, 'utf8').trimEnd().split('\n'));
    const numbers = kept.map((line) => (JSON.parse(line) as { number: number }).number);
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => 20 - numbers.length + index),
    );
    assert.ok(numbers.length >= 6 && numbers.length <= 9);
    assert.equal(existsSync(`${file}.3`), false);
  });

  it('goes on where an earlier process stopped', () => {
    const file = join(folder, 'c.log');
    writeFileSync(file, 'earlier\n');
    const log = createLog({ to: { file } });
    log.info('later');
    log.close();
    assert.match(readFileSync(file, 'utf8'), /^earlier\n\{.*"later"\}\n$/);
  });

  it('that cannot be written stops nobody', () => {
    const log = createLog({ to: { file: '/proc/no-such-folder/x.log' } });
    log.error('lost');
    log.close();
    assert.equal(existsSync('/proc/no-such-folder'), false);
  });
});
