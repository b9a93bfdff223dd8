import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/errors.ts';
import { BackupFixture, describeFailures } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import type { FaultAction } from '../support/scripted-ftp-faults.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';

const MIB = 1024 * 1024;
const BIG_BYTES = 4 * MIB;
const CUT_BYTES = 2.5 * MIB;
/** Cut in the middle, politely: a reset would also throw away what has arrived and was not read yet. */
const CUT_OFF = { sendBytes: CUT_BYTES, finalReply: '426 Connection closed; transfer aborted.' };
/** Bytes that a resumed transfer may repeat: the overlap that proves it, and what had not been written yet. */
const REPEATED_BYTES_MAX = 0.5 * MIB;
const BIG = '/video/big.mp4';
const LONG_AGO_MS = Date.UTC(2026, 0, 5, 12);
const DAY_MS = 86_400_000;

/** So that a server that says nothing more is given up soon. */
const SHORT: RunOverrides = { source: { idleSeconds: 0.4 } };

const hundred = (letter: string): string => letter.repeat(100);

async function withFixture(
  options: Partial<ScriptedServerOptions>,
  work: (fixture: BackupFixture) => Promise<void>,
): Promise<void> {
  const fixture = await BackupFixture.start(options);
  try {
    for (let i = 0; i < 8; i++) fixture.tree.writeFile(`/files/f${i}.txt`, hundred(String(i)));
    await work(fixture);
  } finally {
    await fixture.end();
  }
}

function partsLeft(fixture: BackupFixture): string[] {
  return readdirSync(join(fixture.targetFolder, '.site-backup', 'parts'));
}

describe('A transfer that lies every time', () => {
  const lies: readonly (readonly [string, FaultAction, ErrorCode])[] = [
    ['by 40 of 100 bytes and a 226', { sendBytes: 40 }, 'size-mismatch'],
    ['by no bytes and a 226', { sendBytes: 0 }, 'size-mismatch'],
    ['by more bytes than announced', { extraBytes: 1 }, 'size-mismatch'],
    ['by a reset in the middle', { resetAfterBytes: 40 }, 'transfer-aborted'],
    ['by a reset in the middle and a 226', { resetAfterBytes: 40, finalReply: '226 Fine.' }, 'transfer-aborted'],
    ['by a 426', { sendBytes: 40, finalReply: '426 Aborted.' }, 'transfer-aborted'],
    ['by a 451 after all bytes', { finalReply: '451 Read error.' }, 'transfer-aborted'],
    ['by a 425', { reply: '425 No data connection.' }, 'transfer-aborted'],
    ['by a 550', { reply: '550 Failed to open file.' }, 'file-refused'],
    ['by a 550 for its rights', { reply: '550 Permission denied.' }, 'permission-denied'],
    ['by never sending the 226', { finalReply: 'none' }, 'connection-lost'],
    ['by closing the connection instead of the 226', { dropAfterData: true }, 'connection-lost'],
    ['by closing both in the middle', { sendBytes: 40, dropAfterData: true }, 'connection-lost'],
    ['by sending nothing more', { stallAfterBytes: 40 }, 'timed-out'],
    ['by never answering', { hang: true }, 'timed-out'],
    ['by 421', { reply: '421 Service not available.' }, 'server-busy'],
  ];
  for (const [what, action, code] of lies) {
    it(`${what} is ${code}: the old content stays, the other files come, the next run gets it`, async () => {
      await withFixture({}, async (fixture) => {
        await fixture.runUntilEqual(SHORT);
        const before = fixture.snapshot();
        fixture.tree.writeFile('/files/f3.txt', hundred('x'));
        fixture.tree.writeFile('/files/f5.txt', hundred('y'));
        fixture.tree.writeFile('/files/new/n.txt', hundred('n'));
        before.delete('files/f5.txt');
        fixture.server.addFault({ command: 'RETR', path: '/files/f3.txt' }, action);

        const report = await fixture.run({ ...SHORT, attempts: 2 });
        assert.equal(report.outcome, 'incomplete', JSON.stringify(report.cause));
        assert.deepEqual(describeFailures(report), [`${code} /files/f3.txt`]);
        assert.equal(report.counts.downloaded, 2);
        fixture.assertNothingLost(before);
        assert.ok(fixture.snapshot().has('files/new/n.txt'));
        assert.deepEqual(partsLeft(fixture), []);

        fixture.server.faults.length = 0;
        fixture.server.clearLog();
        const next = await fixture.run(SHORT);
        assert.equal(next.outcome, 'complete');
        assert.deepEqual([...fixture.retrievals()], [['/files/f3.txt', 1]]);
        await fixture.runUntilEqual(SHORT);
      });
    });
  }
});

describe('A transfer that lies once', () => {
  for (const [what, action] of [
    ['fewer bytes', { sendBytes: 40 }],
    ['more bytes', { extraBytes: 7 }],
    ['a reset', { resetAfterBytes: 40 }],
    ['451', { finalReply: '451 Read error.' }],
    ['no closing reply', { finalReply: 'none' }],
    ['the end of the connection', { sendBytes: 40, dropAfterData: true }],
    ['silence', { stallAfterBytes: 40 }],
    ['421', { reply: '421 Closing.' }],
  ] as const) {
    it(`is tried again in the same run: ${what}`, async () => {
      await withFixture({}, async (fixture) => {
        fixture.server.addFault({ command: 'RETR', path: '/files/f3.txt', nth: 1 }, action);
        await fixture.runUntilEqual(SHORT);
      });
    });
  }
});

describe('A file that is not what its listing said any more', () => {
  it('because it has gone is told as gone, and is no failure', async () => {
    await withFixture({}, async (fixture) => {
      const run = (): void => {
        fixture.tree.remove('/files/f3.txt');
      };
      fixture.server.addFault({ command: 'RETR', path: '/files/f3.txt', nth: 1 }, { run });
      const report = await fixture.run();
      assert.equal(report.outcome, 'complete', JSON.stringify(report.failures));
      assert.equal(report.counts.downloaded, 7);
      assert.ok(fixture.notices().includes('file-gone /files/f3.txt'));
      fixture.assertCurrentEquals();
      await fixture.runUntilEqual();
    });
  });

  it('because it has gone after an earlier run keeps what that run brought', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      fixture.tree.writeFile('/files/f3.txt', 'edited');
      const run = (): void => {
        fixture.tree.remove('/files/f3.txt');
      };
      fixture.server.addFault({ command: 'RETR', path: '/files/f3.txt', nth: 1 }, { run });
      assert.equal((await fixture.run()).outcome, 'complete');
      fixture.assertNothingLost(before);
      assert.equal((await fixture.run()).counts.vanished, 1);
      fixture.assertCurrentEquals({ leftovers: ['files/f3.txt'] });
    });
  });

  it('because it grows while it is read comes as it is in the end', async () => {
    await withFixture({}, async (fixture) => {
      fixture.tree.writeFile('/files/log', hundred('l'));
      let lines = 0;
      const run = (): void => {
        lines++;
        fixture.tree.writeFile('/files/log', hundred('l') + '+'.repeat(lines));
      };
      fixture.server.addFault({ command: 'RETR', path: '/files/log', nth: 1, times: 2 }, { run });
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.equal(lines, 2);
      fixture.assertCurrentEquals();
      await fixture.runUntilEqual();
    });
  });

  it('because it never stops growing is told, and the earlier copy stays whole', async () => {
    await withFixture({}, async (fixture) => {
      fixture.tree.writeFile('/files/log', hundred('l'));
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      fixture.tree.writeFile('/files/log', hundred('m'));
      let size = 100;
      const run = (): void => {
        fixture.tree.writeFile('/files/log', 'm'.repeat(++size));
      };
      fixture.server.addFault({ command: 'RETR', path: '/files/log' }, { run });
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), ['size-mismatch /files/log']);
      fixture.assertNothingLost(before);
      fixture.server.faults.length = 0;
      await fixture.runUntilEqual();
    });
  });

  it('because it is edited within its size while it is read comes whole, never as a mixture', async () => {
    await withFixture({}, async (fixture) => {
      let edits = 0;
      // Asked for after the transfer, the server tells another time than before.
      const run = (): void => {
        if (edits++ === 0) fixture.tree.writeFile('/files/f3.txt', hundred('z'));
      };
      const half = `${'3'.repeat(50)}${'z'.repeat(50)}`;
      fixture.server.addFault({ command: 'RETR', path: '/files/f3.txt', nth: 1 }, { content: half });
      fixture.server.addFault({ command: 'MLST', path: '/files/f3.txt' }, { run });
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.ok(edits >= 2);
      fixture.assertCurrentEquals();
      await fixture.runUntilEqual();
    });
  });

  it('because it is empty now comes empty, and that is worth a notice', async () => {
    await withFixture({}, async (fixture) => {
      fixture.tree.writeFile('/files/empty', '');
      await fixture.runUntilEqual();
      assert.deepEqual(
        fixture.notices().filter((notice) => notice.startsWith('file-emptied')),
        [],
      );
      fixture.tree.writeFile('/files/f3.txt', '');
      await fixture.run();
      assert.ok(fixture.notices().includes('file-emptied /files/f3.txt'));
      fixture.assertCurrentEquals();
    });
  });

  it('because another file lies there under the same size and time is noticed by its identity', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const mtimeMs = [...fixture.tree.files()].find(({ path }) => path === '/files/f3.txt')?.mtimeMs;
      assert.ok(mtimeMs !== undefined);
      fixture.tree.writeFile('/files/f3.txt', hundred('o'), { mtimeMs, isReplaced: true });
      const report = await fixture.run();
      assert.equal(report.counts.changed, 1);
      fixture.assertCurrentEquals();
    });
  });
});

describe('A file of an older release, read while a site was put back to it for a moment', () => {
  const RELEASES = '/releases';
  const FILE = '/site/version.php';

  for (const [what, older] of [
    ['another time', { content: 'version 1', mtimeMs: LONG_AGO_MS - DAY_MS }],
    ['another size', { content: 'version 0.9', mtimeMs: LONG_AGO_MS }],
    ['another identity alone', { content: 'version 1', mtimeMs: LONG_AGO_MS }],
  ] as const) {
    it(`does not pass for the newer one when that is there again: ${what}`, async () => {
      await withFixture({}, async (fixture) => {
        const { tree } = fixture;
        const change = (to: 'old' | 'new', from: 'old' | 'new'): void => {
          tree.rename(FILE, `${RELEASES}/${from}.php`);
          tree.rename(`${RELEASES}/${to}.php`, FILE);
        };
        tree.writeFile(FILE, 'version 2', { mtimeMs: LONG_AGO_MS });
        tree.writeFile(`${RELEASES}/old.php`, older.content, { mtimeMs: older.mtimeMs });
        const run = (): void => {
          change('old', 'new');
        };
        fixture.server.addFault({ command: 'RETR', path: FILE, nth: 1 }, { run });
        await fixture.run({ exclude: [RELEASES] });
        change('new', 'old');
        const report = await fixture.run({ exclude: [RELEASES] });
        assert.equal(report.outcome, 'complete');
        assert.equal(readFileSync(join(fixture.current, FILE), 'utf8'), 'version 2');
      });
    });
  }
});

describe('A large file that breaks off', () => {
  async function withBig(
    options: Partial<ScriptedServerOptions>,
    work: (fixture: BackupFixture) => Promise<void>,
  ): Promise<void> {
    await withFixture(options, async (fixture) => {
      fixture.tree.writeFile(BIG, { sizeBytes: BIG_BYTES, seed: 7 });
      fixture.server.addFault({ command: 'RETR', path: BIG, nth: 1 }, CUT_OFF);
      await work(fixture);
    });
  }
  const restarts = (fixture: BackupFixture): number[] =>
    fixture.server.log.filter(({ command }) => command === 'REST').map(({ argument }) => Number(argument));
  const wasResumed = (fixture: BackupFixture): boolean => restarts(fixture).some((at) => at > MIB);

  it('goes on where it was, and brings only the rest', async () => {
    await withBig({}, async (fixture) => {
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.ok(wasResumed(fixture));
      const sent = fixture.server.bytesSent.get(BIG) ?? 0;
      assert.ok(sent <= BIG_BYTES + REPEATED_BYTES_MAX, `${sent} bytes sent`);
      await fixture.runUntilEqual();
    });
  });

  it('goes on in the next run where this one could not', async () => {
    await withBig({}, async (fixture) => {
      const first = await fixture.run({ attempts: 1 });
      assert.deepEqual(describeFailures(first), [`transfer-aborted ${BIG}`]);
      assert.equal(partsLeft(fixture).length, 1);
      fixture.server.clearLog();
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.ok(wasResumed(fixture));
      const sent = fixture.server.bytesSent.get(BIG) ?? 0;
      assert.ok(sent <= BIG_BYTES - CUT_BYTES + REPEATED_BYTES_MAX, `${sent} bytes sent`);
      assert.deepEqual(partsLeft(fixture), []);
      await fixture.runUntilEqual();
    });
  });

  it('goes on after the server fell silent, too', async () => {
    await withFixture({}, async (fixture) => {
      fixture.tree.writeFile(BIG, { sizeBytes: BIG_BYTES, seed: 7 });
      fixture.server.addFault({ command: 'RETR', path: BIG, nth: 1 }, { stallAfterBytes: CUT_BYTES });
      assert.equal((await fixture.run(SHORT)).outcome, 'complete');
      assert.ok(wasResumed(fixture));
      fixture.assertCurrentEquals();
    });
  });

  it('begins anew where the server says 350 to REST and sends the file from its start', async () => {
    await withBig({}, async (fixture) => {
      fixture.server.addFault({ command: 'RETR', path: BIG }, { ignoreRest: true });
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.ok(wasResumed(fixture));
      await fixture.runUntilEqual();
    });
  });

  it('begins anew where the server knows no REST after all', async () => {
    await withBig({}, async (fixture) => {
      fixture.server.addFault({ command: 'REST', nth: 3, times: 99 }, { reply: '502 Command not implemented.' });
      assert.equal((await fixture.run()).outcome, 'complete');
      await fixture.runUntilEqual();
    });
  });

  it('begins anew where REST was never known', async () => {
    await withBig({ hasRest: false }, async (fixture) => {
      assert.equal((await fixture.run()).outcome, 'complete');
      await fixture.runUntilEqual();
    });
  });

  it('is not gone on with when it has been replaced meanwhile, even by one of the same size', async () => {
    await withBig({}, async (fixture) => {
      await fixture.run({ attempts: 1 });
      fixture.tree.writeFile(BIG, { sizeBytes: BIG_BYTES, seed: 8 });
      fixture.server.clearLog();
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.ok(!wasResumed(fixture));
      fixture.assertCurrentEquals();
      assert.deepEqual(partsLeft(fixture), [], 'what was left of the other content has been removed');
    });
  });

  for (const [what, options] of [
    ['exactly', {}],
    ['by the day', { hasMlsd: false, hasMlst: false }],
  ] as const) {
    it(`is not gone on with once it was edited within its size, on a server that lists times ${what}`, async () => {
      await withBig(options, async (fixture) => {
        const original = Buffer.alloc(BIG_BYTES, 'a');
        // Only what has arrived is another now, and not the part of it that proves a resumed transfer.
        const edited = Buffer.from(original);
        edited.write('edited');
        fixture.tree.writeFile(BIG, original, { mtimeMs: LONG_AGO_MS });
        const run = (): void => {
          if (fixture.retrievals().get(BIG) === 1)
            fixture.tree.writeFile(BIG, edited, { mtimeMs: LONG_AGO_MS + DAY_MS });
        };
        fixture.server.addFault({ command: ['MLST', 'MDTM'], path: BIG }, { run });
        assert.equal((await fixture.run()).outcome, 'complete');
        assert.ok(!wasResumed(fixture));
        fixture.assertCurrentEquals({ timePrecisionMs: 60_000 });
      });
    });
  }

  it('is not gone on with in another content, whatever the server says of its size and time', async () => {
    await withBig({ uniqueFacts: false }, async (fixture) => {
      await fixture.run({ attempts: 1 });
      const mtimeMs = [...fixture.tree.files()].find(({ path }) => path === BIG)?.mtimeMs;
      assert.ok(mtimeMs !== undefined);
      fixture.tree.writeFile(BIG, { sizeBytes: BIG_BYTES, seed: 9 }, { mtimeMs });
      assert.equal((await fixture.run()).outcome, 'complete');
      assert.ok(wasResumed(fixture));
      fixture.assertCurrentEquals();
    });
  });
});
