import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { ReadMemory } from '../../src/state/read-memory.ts';

const SHA256 = Buffer.alloc(32, 7);
const room = mkdtempSync(join(tmpdir(), 'site-backup-memory-'));
after(() => {
  rmSync(room, { recursive: true, force: true });
});

function open(name: string): ReadMemory {
  const memory = ReadMemory.open(join(room, name));
  assert.ok(memory !== undefined);
  return memory;
}

describe('The memory of what an adoption has read', () => {
  it('is there again at the next beginning, for files that are as they were', () => {
    const first = open('again');
    first.note('1-2', 'as it was', SHA256);
    first.close();
    const second = open('again');
    assert.deepEqual(second.recall('1-2', 'as it was'), SHA256);
    assert.equal(second.recall('1-2', 'changed'), undefined);
    second.close();
  });

  it('does without what is no database', () => {
    writeFileSync(join(room, 'junk'), 'x'.repeat(5000));
    assert.equal(ReadMemory.open(join(room, 'junk')), undefined);
  });

  it('lets no adoption fail of it where it cannot be written', () => {
    const memory = open('locked');
    memory.note('1-2', 'as it was', SHA256);
    memory.close();
    const again = open('locked');
    const other = new Database(join(room, 'locked'));
    other.exec('BEGIN IMMEDIATE');
    again.note('3-4', 'as it was', SHA256);
    assert.equal(again.recall('3-4', 'as it was'), undefined);
    again.close();
    other.close();
  });
});
