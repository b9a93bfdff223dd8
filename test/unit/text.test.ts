import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ERROR_TABLE, NOTICE_CODES, type ErrorCode } from '../../src/errors.ts';
import { createText, languageFromEnvironment, LANGUAGES, PLACEHOLDER, readTexts } from '../../src/text.ts';

const EN = createText('en');
const FR = createText('fr');
const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

function placeholders(template: string | undefined): string[] {
  return [...(template ?? '').matchAll(PLACEHOLDER)].map((match) => match[0]).sort();
}

describe('the texts', () => {
  const texts = { en: readTexts('en'), fr: readTexts('fr') };

  it('have the same keys in both languages', () => {
    assert.deepEqual(Object.keys(texts.en).sort(), Object.keys(texts.fr).sort());
  });

  it('name the same facts in both languages', () => {
    for (const [key, template] of Object.entries(texts.en)) {
      assert.deepEqual(placeholders(texts.fr[key]), placeholders(template), key);
    }
  });

  it('are never empty, and their brackets are closed', () => {
    for (const language of LANGUAGES) {
      for (const [key, template] of Object.entries(texts[language])) {
        assert.notEqual(template.trim(), '', key);
        const rest = template.replace(/\[\[.*?\]\]/gs, '').replace(PLACEHOLDER, '');
        assert.doesNotMatch(rest, /\[\[|\]\]|[{}]/, `${language} ${key}`);
      }
    }
  });

  it('hold a cause and a next step for every error, and a sentence for every notice', () => {
    for (const text of [EN, FR]) {
      for (const code of CODES) {
        assert.ok(text.has(`error.${code}`) && text.has(`error.${code}.do`), code);
      }
      for (const code of NOTICE_CODES) assert.ok(text.has(`notice.${code}`), code);
    }
  });

  it('explain no error that does not exist', () => {
    const known = new Set<string>(CODES);
    for (const key of Object.keys(texts.en)) {
      const code = /^error\.([a-z-]+)/.exec(key)?.[1];
      if (code !== undefined) assert.ok(known.has(code), key);
    }
  });

  it('explain every error without a single fact', () => {
    for (const text of [EN, FR]) {
      for (const code of CODES) {
        const { cause, action } = text.error(code);
        for (const sentence of [cause, action]) {
          assert.doesNotMatch(sentence, /[{}[\]…]|\s{2}|\s\.|^\s|\s$/, `${code}: ${sentence}`);
          assert.match(sentence, /\.$/, code);
        }
      }
    }
  });

  it('are there for every key that the program names', () => {
    const root = join(import.meta.dirname, '../../src');
    const keys = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && /^(cli|settings|tasks)[./]|^text\.ts$/.test(name))
      .flatMap((name) => [
        ...readFileSync(join(root, name), 'utf8').matchAll(
          /'((?:fault|allowed|usage|report|progress|check|list|count|settings|unit)\.[\w.-]+)'/g,
        ),
      ])
      .map((match) => match[1] ?? '')
      .filter((key) => !key.endsWith('.'));
    assert.ok(keys.length > 100, `${keys.length}`);
    for (const key of keys) assert.ok(EN.has(key) || EN.has(`${key}.other`), key);
  });

  it('say every line of the log', () => {
    const from = join(import.meta.dirname, '../../src');
    const code = readdirSync(from, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(from, name), 'utf8'))
      .join('\n');
    const logged = [...code.matchAll(/\blog\w*\.(?:info|warn|error)\(\s*'([a-z-]+)'/gi)].map((match) => match[1] ?? '');
    assert.ok(logged.length > 50, `${logged.length} lines`);
    const keys = (event: string): string[] => [`logline.${event}`, `notice.${event}`];
    assert.deepEqual(
      [...new Set(logged)].filter((event) => !keys(event).some((key) => Object.hasOwn(texts.en, key))),
      [],
    );
  });

  it('are all used: by their name, or by a beginning that the program completes', () => {
    const sources = ['src', 'ui/views', 'ui/public', 'test/demo'].flatMap((folder) => {
      const from = join(import.meta.dirname, '../..', folder);
      return readdirSync(from, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|ejs|js)$/.test(name))
        .map((name) => readFileSync(join(from, name), 'utf8'));
    });
    const code = sources.join('\n');
    const named = new Set([...code.matchAll(/['"`]([a-z][\w.-]*)['"`]/gi)].map((match) => match[1]));
    const begun = [...code.matchAll(/`([a-z][\w-]*[.][\w.-]*)\$\{|'([a-z][\w.-]*[.])'/gi)].map(
      (match) => match[1] ?? match[2] ?? '',
    );
    const beginnings = [...new Set(begun)];
    const unused = Object.keys(texts.en).filter((key) => {
      const whole = key.replace(/\.(zero|one|two|few|many|other)$/, '');
      return !named.has(key) && !named.has(whole) && !beginnings.some((beginning) => key.startsWith(beginning));
    });
    assert.deepEqual(unused, []);
  });

  it('use the spaces of French typography', () => {
    for (const [key, template] of Object.entries(texts.fr)) {
      assert.doesNotMatch(template, / [:;?!»]|« /, key);
    }
  });
});

describe('a text', () => {
  it('leaves out what stands in double brackets where a fact is missing', () => {
    assert.equal(EN.error('host-unknown').cause, 'The server name was not found.');
    assert.equal(EN.error('host-unknown', { host: 'h' }).cause, 'The server name h was not found.');
  });

  it('shows facts as they are, even where they look like placeholders', () => {
    assert.equal(EN.t('check.login', { user: '{user} [[x]] $&' }), 'signed in as {user} [[x]] $&');
  });

  it('does not take a fact from the prototype', () => {
    assert.equal(EN.t('toString'), 'toString');
    assert.equal(EN.t('constructor', { count: 1 }), 'constructor');
  });

  it('writes a port without separators and a count with them', () => {
    assert.match(EN.error('connection-refused', { host: 'h', port: 65535 }).cause, /on port 65535/);
    assert.equal(EN.t('count.files', { count: 12345 }), '12,345 files');
    assert.equal(FR.t('count.files', { count: 12345 }), '12\u202f345 fichiers');
  });

  it('chooses the plural of its language', () => {
    assert.deepEqual(
      [0, 1, 2, 1_000_000].map((count) => EN.t('count.files', { count })),
      ['0 files', '1 file', '2 files', '1,000,000 files'],
    );
    assert.deepEqual(
      [0, 1, 2].map((count) => FR.t('count.files', { count })),
      ['0 fichier', '1 fichier', '2 fichiers'],
    );
    assert.match(FR.t('count.files', { count: 1_000_000 }), /fichiers$/);
  });

  it('takes the closer text of a hint, and its own where the hint has none', () => {
    assert.match(EN.error('protocol-unusable', { hint: 'ssh' }).cause, /SSH/);
    assert.match(EN.error('protocol-unusable', { hint: 'not-ftp' }).cause, /not a server of this kind/);
  });

  it('writes bytes as DSM does', () => {
    const cases: [number, string, string][] = [
      [0, '0 B', '0\u00a0o'],
      [1023, '1,023 B', '1\u202f023\u00a0o'],
      [1024, '1 KB', '1\u00a0Ko'],
      [1536, '1.5 KB', '1,5\u00a0Ko'],
      [1024 ** 2 - 1, '1 MB', '1\u00a0Mo'],
      [50 * 1024 ** 2, '50 MB', '50\u00a0Mo'],
      [2.5 * 1024 ** 4, '2.5 TB', '2,5\u00a0To'],
    ];
    for (const [bytes, en, fr] of cases) assert.deepEqual([EN.bytes(bytes), FR.bytes(bytes)], [en, fr]);
    assert.equal(EN.bytesPerSecond(1024), '1 KB/s');
  });

  it('writes durations with two units at most, and never 60 of one', () => {
    const minute = 60_000;
    const hour = 60 * minute;
    const cases: [number, string][] = [
      [-5, '0 ms'],
      [12.4, '12 ms'],
      [999.9, '1 s'],
      [1500, '1.5 s'],
      [9990, '10 s'],
      [59_600, '1 min 00 s'],
      [65_000, '1 min 05 s'],
      [hour - 1, '1 h 00 min'],
      [25 * minute + 30_000, '25 min 30 s'],
      [2 * hour + 5 * minute, '2 h 05 min'],
      [24 * hour - 1, '1 d 0 h'],
      [76 * hour, '3 d 4 h'],
    ];
    for (const [ms, words] of cases) assert.equal(EN.duration(ms), words, String(ms));
  });
});

describe('the language', () => {
  it('comes from the first locale variable that is set', () => {
    assert.equal(languageFromEnvironment({ LANG: 'fr_FR.UTF-8' }), 'fr');
    assert.equal(languageFromEnvironment({ LC_ALL: 'C', LANG: 'fr_FR.UTF-8' }), 'en');
    assert.equal(languageFromEnvironment({ LC_ALL: '', LC_MESSAGES: 'fr', LANG: 'en_GB' }), 'fr');
    assert.equal(languageFromEnvironment({ LANG: 'frr_DE' }), 'en');
    assert.equal(languageFromEnvironment({}), 'en');
  });
});

describe('a user without a name, as `sudo -u "#1234"` makes one', () => {
  it('is called by the number', async (context) => {
    context.mock.method(os, 'userInfo', () => {
      throw new Error('ENOENT');
    });
    syncBuiltinESMExports();
    context.after(() => {
      context.mock.restoreAll();
      syncBuiltinESMExports();
    });
    // This module may know the name already: another copy of it.
    const again = (await import(`${import.meta.dirname}/../../src/text.ts?anew`)) as { accountName: () => string };
    assert.equal(again.accountName(), String(process.getuid?.()));
  });
});
