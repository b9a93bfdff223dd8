import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileFilter, patternFault } from '../../src/settings/filter-rules.ts';
import { FILTER_SETS } from '../../src/settings/filter-sets.ts';
import type { FilterSettings } from '../../src/settings/task-settings.ts';
import { createText } from '../../src/text.ts';

const NO_FILTERS: FilterSettings = {
  include: [],
  exclude: [],
  sets: [],
  minSizeBytes: undefined,
  maxSizeBytes: undefined,
  newerThanDays: undefined,
  olderThanDays: undefined,
};
const DAY_MS = 86_400_000;
const NOW_MS = 1000 * DAY_MS;

/** Of these paths, those that a task with these filters copies (files) or enters (folders, written with a `/` at the end). */
function wanted(filters: Partial<FilterSettings>, paths: readonly string[]): string[] {
  const filter = compileFilter({ ...NO_FILTERS, ...filters });
  return paths.filter((path) =>
    path.endsWith('/') ? filter.wantsFolder(path.slice(0, -1)) : filter.wantsFile(path, 1, NOW_MS, NOW_MS),
  );
}

const exclusions: readonly (readonly [says: string, exclude: string[], kept: string[], left: string[]])[] = [
  ['matches a name at any depth', ['*.log'], ['/a.logs', '/log'], ['/a.log', '/.log', '/x/.y/b.log']],
  ['ties a leading slash to the top', ['/tmp'], ['/x/tmp'], ['/tmp', '/tmp/', '/tmp/a']],
  ['ties an inner slash to the top', ['x/tmp'], ['/y/x/tmp'], ['/x/tmp']],
  ['matches at any depth after two stars', ['**/x/tmp'], ['/tmp'], ['/x/tmp', '/y/x/tmp']],
  [
    'means folders only by a trailing slash',
    ['cache/'],
    ['/cache', '/a/cache'],
    ['/cache/', '/b/cache/', '/b/cache/c'],
  ],
  ['stops one star at slashes', ['/a/*/c'], ['/a/c', '/a/b/b/c'], ['/a/b/c']],
  ['lets two stars pass slashes', ['/a/**/c'], ['/b/c'], ['/a/c', '/a/b/c', '/a/b/b/c']],
  ['leaves out what lies in a folder, and not the folder', ['/a/**'], ['/a/'], ['/a/b', '/a/b/', '/a/b/c']],
  ['lets the last rule decide', ['*.log', '!keep.log', '/old/keep.log'], ['/keep.log'], ['/a.log', '/old/keep.log']],
  ['cannot bring back below a folder that is out', ['/a/', '!/a/b'], [], ['/a/', '/a/b']],
  ['can bring back where only the content is out', ['/a/*', '!/a/b'], ['/a/', '/a/b'], ['/a/c']],
  ['reads a class of characters', ['[a-c]?'], ['/d1', '/a'], ['/a1', '/c2']],
  ['reads a class of other characters', ['[!a-c]1'], ['/a1'], ['/d1']],
  ['takes escaped brackets as they are', ['\\[slug\\]'], ['/s', '/slug'], ['/[slug]', '/x/[slug]/', '/x/[slug]/p']],
  ['takes an open bracket as it is', ['[slug'], ['/s'], ['/[slug']],
  [
    'takes braces, brackets and signs of other languages as they are',
    ['{a,b}', '(x)', 'a+', '@(y)', '$z^', '"q"'],
    ['/a', '/x', '/aa', '/y', '/q'],
    ['/{a,b}', '/(x)', '/a+', '/@(y)', '/$z^', '/"q"'],
  ],
  ['takes # and an escaped ! as they are', ['#recycle', '\\!x'], ['/x'], ['/#recycle', '/!x']],
  ['takes spaces and accents as they are', ['Été à Paris*', ' a'], ['/a'], ['/Été à Paris.jpg', '/ a']],
  ['sees names with line separators', ['*.x', 'a\u2028b/'], [], ['/a\u2028.x', '/y/a\u2028b/']],
];

describe('an exclusion', () => {
  for (const [says, exclude, kept, left] of exclusions) {
    it(says, () => {
      assert.deepEqual(wanted({ exclude }, [...kept, ...left]), kept);
    });
  }

  it('without a wildcard leaves out exactly the name it spells, whatever that holds', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
      .filter((text) => !text.includes('/') && text !== '.' && text !== '..');
    fc.assert(
      fc.property(name, name, (spelled, other) => {
        const filter = compileFilter({ ...NO_FILTERS, exclude: [`/${spelled.replace(/[\\*?[\]]/g, '\\$&')}`] });
        assert.equal(filter.wantsFile(`/${spelled}`, 0, undefined, 0), false);
        assert.equal(filter.wantsFile(`/${other}`, 0, undefined, 0), other !== spelled);
      }),
    );
  });

  it('never throws, and never leaves out the top folder', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, maxLength: 30 })), fc.string(), (exclude, name) => {
        const filter = compileFilter({ ...NO_FILTERS, exclude, include: exclude });
        assert.equal(filter.wantsFolder('/'), true);
        filter.wantsFile(`/${name}`, 0, undefined, 0);
        for (const pattern of exclude) patternFault(pattern);
      }),
    );
  });
});

describe('an inclusion', () => {
  it('keeps files that match, and all that lies in a folder that matches', () => {
    const paths = ['/a.php', '/a.txt', '/www/', '/www/x/y.txt', '/x/a.php'];
    assert.deepEqual(wanted({ include: ['*.php', '/www/'] }, paths), ['/a.php', '/www/', '/www/x/y.txt', '/x/a.php']);
  });

  it('with a fixed place keeps the scan out of every other folder', () => {
    const paths = ['/www/', '/www/blog/', '/www/blog/x/', '/www/shop/', '/mail/', '/www/blog/a', '/www/a'];
    assert.deepEqual(wanted({ include: ['/www/blog/'] }, paths), [
      '/www/',
      '/www/blog/',
      '/www/blog/x/',
      '/www/blog/a',
    ]);
  });

  it('without a fixed place lets the scan enter every folder', () => {
    assert.deepEqual(wanted({ include: ['*.php'] }, ['/a/', '/a/b/']), ['/a/', '/a/b/']);
  });

  it('loses against an exclusion, and can be narrowed by !', () => {
    const filters = { include: ['/www/', '!*.zip'], exclude: ['/www/tmp/'] };
    assert.deepEqual(wanted(filters, ['/www/a', '/www/a.zip', '/www/tmp/', '/www/tmp/a']), ['/www/a']);
  });
});

describe('size and age limits', () => {
  const wants = (filters: Partial<FilterSettings>, sizeBytes: number, ageDays: number | undefined): boolean =>
    compileFilter({ ...NO_FILTERS, ...filters }).wantsFile(
      '/a',
      sizeBytes,
      ageDays === undefined ? undefined : NOW_MS - ageDays * DAY_MS,
      NOW_MS,
    );

  it('include their bounds', () => {
    const sizes = [9, 10, 20, 21].filter((size) => wants({ minSizeBytes: 10, maxSizeBytes: 20 }, size, 0));
    assert.deepEqual(sizes, [10, 20]);
    const ages = [1, 2, 5, 6].filter((age) => wants({ olderThanDays: 2, newerThanDays: 5 }, 0, age));
    assert.deepEqual(ages, [2, 5]);
  });

  it('never leave out a file whose time is not known', () => {
    assert.equal(wants({ newerThanDays: 1 }, 0, undefined), true);
    assert.equal(wants({ olderThanDays: 1 }, 0, undefined), true);
  });

  it('make the filter depend on the time only where an age is set', () => {
    assert.equal(compileFilter(NO_FILTERS).usesAge, false);
    assert.equal(compileFilter({ ...NO_FILTERS, newerThanDays: 1 }).usesAge, true);
    assert.equal(compileFilter({ ...NO_FILTERS, olderThanDays: 1 }).usesAge, true);
  });
});

describe('a ready-made set', () => {
  it('holds only patterns that can be used, and is described in both languages', () => {
    for (const [name, { descriptionKey, patterns }] of Object.entries(FILTER_SETS)) {
      assert.ok(patterns.length > 0, name);
      for (const pattern of patterns) assert.equal(patternFault(pattern), undefined, `${name}: ${pattern}`);
      assert.ok(createText('en').has(descriptionKey) && createText('fr').has(descriptionKey), descriptionKey);
    }
  });

  it('can be overruled by a rule of the task', () => {
    const paths = ['/a.log', '/keep.log', '/x/node_modules/'];
    assert.deepEqual(wanted({ sets: ['logs', 'node-modules'], exclude: ['!keep.log'] }, paths), ['/keep.log']);
  });

  it('leaves ordinary content of a site alone', () => {
    const content = [
      '/index.php',
      '/.htaccess',
      '/wp-content/uploads/2026/11/a.jpg',
      '/app/cache/x.php',
      '/tmp/x',
      '/logs/index.php',
    ];
    const sets = Object.keys(FILTER_SETS);
    assert.deepEqual(wanted({ sets }, content), content);
    assert.deepEqual(wanted({ sets }, ['/wp-content/cache/', '/shop/var/cache/', '/.git/', '/error_log']), []);
  });
});
