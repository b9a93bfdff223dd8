/** What all pages are made of: dates, notices, and the views themselves. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { createText } from '../../src/text.ts';
import { resolveTimeZone } from '../../src/settings/wall-clock.ts';
import { createDates } from '../../src/web/dates.ts';
import { drained } from '../../src/web/drained.ts';
import { FlashBox } from '../../src/web/flash-box.ts';
import { readUiFiles } from '../../src/web/ui-files.ts';

const UI = resolve(import.meta.dirname, '../../ui');
const NOW_MS = Date.UTC(2026, 10, 21, 13, 37);

describe('dates', () => {
  const zone = 'Europe/Paris';
  const english = createDates(createText('en'), zone, () => NOW_MS);
  const french = createDates(createText('fr'), zone, () => NOW_MS);
  const at = (day: number, hour: number, month = 10, year = 2026): number => Date.UTC(year, month, day, hour, 14);

  it('are near days by name, others by date, and by year where it is another one', () => {
    assert.equal(english.when(at(21, 1)), 'Today 02:14');
    assert.equal(english.when(at(20, 21)), 'Yesterday 22:14');
    assert.equal(english.when(at(22, 1)), 'Tomorrow 02:14');
    assert.equal(english.when(at(18, 21)), '18 Nov, 22:14');
    assert.equal(english.when(at(18, 21, 10, 2025)), '18 Nov 2025, 22:14');
    assert.equal(french.when(at(21, 1)), 'Aujourd’hui 02:14');
    assert.equal(french.when(at(18, 21)), '18 nov., 22:14');
  });

  it('count days in the zone of the NAS, over midnight, the change of the clock and the turn of the year', () => {
    assert.equal(english.when(at(20, 23)), 'Today 00:14');
    const summer = createDates(createText('en'), zone, () => Date.UTC(2026, 2, 29, 12));
    assert.equal(summer.when(Date.UTC(2026, 2, 28, 23, 30)), 'Today 00:30');
    assert.equal(summer.when(Date.UTC(2026, 2, 28, 22, 30)), 'Yesterday 23:30');
    const newYear = createDates(createText('en'), zone, () => Date.UTC(2026, 11, 31, 23, 30));
    assert.equal(newYear.when(Date.UTC(2026, 11, 31, 22, 30)), 'Yesterday 23:30');
  });

  it('stand in a time element that says them in full', () => {
    const html = english.html(at(18, 21));
    assert.match(
      html,
      /^<time datetime="2026-11-18T21:14:00\.000Z" title="[^"<]*18 November 2026[^"<]*22:14:00[^"<]*">/,
    );
    assert.match(html, />18 Nov, 22:14<\/time>$/);
  });

  it('fall back to the zone of the machine for a zone that it does not know', () => {
    assert.equal(resolveTimeZone('Nowhere/Atlantis'), resolveTimeZone('system'));
    assert.equal(resolveTimeZone('Europe/Paris'), 'Europe/Paris');
  });
});

describe('notices for the next page', () => {
  it('are given once, to the session that they are for', () => {
    const box = new FlashBox();
    box.put('a', { tone: 'ok', key: 'ok.saved', facts: {} });
    assert.equal(box.take('b'), undefined);
    assert.equal(box.take('a')?.key, 'ok.saved');
    assert.equal(box.take('a'), undefined);
  });

  it('are bounded: the oldest is forgotten', () => {
    const box = new FlashBox();
    for (let session = 0; session < 1001; session++) box.put(String(session), { tone: 'ok', key: 'x', facts: {} });
    assert.equal(box.take('0'), undefined);
    assert.equal(box.take('1')?.key, 'x');
  });
});

describe('a download that is slower than the disk', () => {
  it('waits as often as it has to and leaves nothing behind', async () => {
    const slow = new PassThrough({ highWaterMark: 1 });
    const listeners = (): number => slow.listenerCount('drain') + slow.listenerCount('close');
    const before = listeners();
    for (let count = 0; count < 100; count++) {
      assert.equal(slow.write('xy'), false);
      setImmediate(() => void slow.read());
      await drained(slow);
      assert.equal(listeners(), before);
    }
  });

  it('waits no longer for a browser that has gone', async () => {
    const gone = new PassThrough({ highWaterMark: 1 });
    gone.write('xy');
    const waiting = drained(gone);
    gone.destroy();
    await waiting;
    await drained(gone);
  });
});

describe('the views', () => {
  const views = readdirSync(join(UI, 'views'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ejs'))
    .map((name) => ({ name, source: readFileSync(join(UI, 'views', name), 'utf8') }));
  const faults = (find: (source: string) => readonly string[]): string[] =>
    views.flatMap(({ name, source }) => find(source).map((fault) => `${name}: ${fault}`));

  it('hold no inline style, script or handler', () => {
    const inline = /\sstyle\s*=|<style|\son[a-z]+\s*=\s*["']|<script(?![^>]*\ssrc=)|javascript:/gi;
    assert.deepEqual(
      faults((source) => source.match(inline) ?? []),
      [],
    );
  });

  it('hold no sentence of their own: every word comes from the texts', () => {
    const words = faults((source) => {
      const markup = source.replace(/<%[\s\S]*?%>/g, ' ');
      const attributes = [...markup.matchAll(/\s(?:title|alt|placeholder|aria-label)="([^"]*)"/g)].map(
        (match) => match[1] ?? '',
      );
      const text = markup.replace(/<(?:"[^"]*"|[^>"])*>/g, '\n').split('\n');
      return [...attributes, ...text].filter((line) => /\p{L}{2,}/u.test(line));
    });
    const names = /: (English|Français|MIT|Node\.js)$/;
    assert.deepEqual(
      words.filter((fault) => !names.test(fault)),
      [],
    );
  });

  it('write unescaped only what is made of markup: parts, icons, times and the form token', () => {
    const allowed = /^<%-\s*(include\(|icon\(|when\(|csrf\(\)|body\b)/;
    assert.deepEqual(
      faults((source) => (source.match(/<%-[\s\S]*?%>/g) ?? []).filter((tag) => !allowed.test(tag))),
      [],
    );
  });

  it('name only icons that the sprite has', () => {
    const known = readUiFiles(UI).icons;
    assert.ok(known.size > 20);
    const named = (source: string): string[] =>
      [...source.matchAll(/\bicon\('([\w-]+)'/g)].map((match) => match[1] ?? '');
    assert.deepEqual(
      faults((source) => named(source).filter((name) => !known.has(name))),
      [],
    );
  });
});

describe('style sheets and scripts', () => {
  const file = (name: string): string => readFileSync(join(UI, 'public', name), 'utf8');
  const names = readdirSync(join(UI, 'public'));

  it('stay within what a page may weigh', () => {
    const bytes = (ending: string): number =>
      names.filter((name) => name.endsWith(ending)).reduce((sum, name) => sum + Buffer.byteLength(file(name)), 0);
    assert.ok(bytes('.css') <= 48 * 1024, `${bytes('.css')} bytes of CSS`);
    assert.ok(bytes('.js') <= 25 * 1024, `${bytes('.js')} bytes of JavaScript`);
  });

  it('have their colours in tokens.css and nowhere else', () => {
    assert.doesNotMatch(file('ui.css'), /#[0-9a-f]{3,8}\b(?![^{]*\{)|rgba?\(|hsla?\(/i);
  });

  it('ask no other host for anything', () => {
    for (const name of names.filter((item) => /\.(css|js)$/.test(item))) {
      assert.doesNotMatch(file(name).replaceAll('http://www.w3.org/', ''), /https?:\/\/|url\(|@import/, name);
    }
  });
});
