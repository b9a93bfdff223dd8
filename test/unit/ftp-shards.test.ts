import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isInShard, shardPattern, shardsOf, splitShard } from '../../src/remote/ftp/ftp-shards.ts';
import type { Shard } from '../../src/remote/ftp/ftp-shards.ts';
import { patternExpression } from '../support/scripted-ftp-limits.ts';

/** Any name that a server may have: bytes as latin1 text. */
const names = fc
  .string({
    unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 12,
  })
  .filter((name) => !name.includes('/') && name !== '.' && name !== '..');

function matching(shards: readonly Shard[], name: string): Shard[] {
  return shards.filter((shard) => patternExpression(shardPattern(shard)).test(name));
}

describe('Patterns that divide the names of a folder', () => {
  it('each name belongs to exactly one, however often they are divided', () => {
    fc.assert(
      fc.property(names, (name) => {
        let shards = shardsOf('');
        for (;;) {
          const [shard, ...others] = matching(shards, name);
          assert.ok(shard !== undefined, `in no pattern of ${shards.map(shardPattern).join(' ')}`);
          assert.deepEqual(others, []);
          assert.ok(isInShard(name, shard));
          shards = splitShard(shard);
          if (shards.length === 0) return;
          // The name that is no longer than what its parts begin with has come first.
          if (shards.every(({ prefix }) => prefix === name)) return;
        }
      }),
    );
  });

  it('none begins as an option would, or with a space that servers leave out', () => {
    fc.assert(
      fc.property(names, (name) => {
        for (const { prefix } of shardsOf(name)) {
          for (const shard of shardsOf(prefix)) assert.match(shardPattern(shard), /^[^ -]/);
        }
      }),
    );
  });

  it('are few, and single letters only where halves of the alphabet are still too many', () => {
    const patterns = (shards: readonly Shard[]): string[] => shards.map(shardPattern);
    assert.deepEqual(patterns(shardsOf('')), ['[0-9]*', '[A-Z]*', '[a-z]*', '.*', '[_ -]*', '[!0-9A-Za-z._ -]*']);
    assert.deepEqual(patterns(shardsOf('IMG')).slice(0, 1), ['IMG[0-9]*']);
    assert.deepEqual(patterns(splitShard({ prefix: '', next: 'abcd' })), ['[a-b]*', '[c-d]*']);
    assert.deepEqual(patterns(splitShard({ prefix: 'x', next: 'ab' })), ['xa*', 'xb*']);
    assert.deepEqual(patterns(splitShard({ prefix: '', next: '_ -' })), ['[_ ]*', '[-]*']);
    assert.deepEqual(splitShard({ prefix: 'x', next: undefined }), [], 'names of another script');
  });
});
