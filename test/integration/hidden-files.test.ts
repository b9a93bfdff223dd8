/** Real servers that show a part of a large folder: what they hide is brought all the same, and never taken for gone. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BackupFixture, describeFailures } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { whyServerIsMissing } from '../support/debian-package-files.ts';
import type { ServerSoftware } from '../support/debian-package-files.ts';
import { startRealServer } from '../support/real-ftp-servers.ts';
import type { RealServer } from '../support/real-ftp-servers.ts';
import { TREE_TIME_MS, compareTrees, snapshotFolder, writeTree } from '../support/tree-compare.ts';
import type { TreeSpec } from '../support/tree-compare.ts';

const FILES = 60;
const MIDDLE = 30;
const INCOMPLETE = ['listing-truncated /many'];

function name(index: number): string {
  return `many/f${String(index).padStart(2, '0')}`;
}

/** By name, time and size, MIDDLE is in the middle. */
function manyFiles(): TreeSpec {
  const file = (i: number): TreeSpec[string] => ({
    content: 'x'.repeat(100 + ((i * 7) % FILES)),
    mtimeMs: TREE_TIME_MS + ((i * 11) % FILES) * 60_000,
  });
  return Object.fromEntries(Array.from({ length: FILES }, (_, i) => [name(i), file(i)]));
}

interface Scene {
  readonly site: string;
  readonly server: RealServer;
  readonly fixture: BackupFixture;
  readonly overrides: RunOverrides;
}

async function withServer(
  software: ServerSoftware,
  spec: TreeSpec,
  listingEntriesMax: number | undefined,
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  const site = mkdtempSync(join(tmpdir(), 'site-backup-root-'));
  writeTree(site, spec);
  const limit = listingEntriesMax === undefined ? {} : { listingEntriesMax };
  const server = await startRealServer({ software, tls: 'none', root: site, ...limit });
  const fixture = await BackupFixture.start();
  try {
    const { port, user, password } = server;
    const overrides: RunOverrides = { source: { port, user, password }, deletion: { rule: 'archive' } };
    await work({ site, server, fixture, overrides });
  } finally {
    await fixture.end();
    await server.stop();
    rmSync(site, { recursive: true });
  }
}

function assertEqual({ site, fixture }: Scene, leftovers: readonly string[] = []): void {
  const here = snapshotFolder(fixture.current);
  for (const path of leftovers) assert.ok(here.delete(path), `kept: ${path}`);
  assert.deepEqual(compareTrees(snapshotFolder(site), here, { timePrecisionMs: 1000 }), []);
}

describe('pure-ftpd with a limit', { skip: whyServerIsMissing('pure-ftpd') ?? false }, () => {
  it('that hides less than half of a folder hides nothing from the first backup', async () => {
    await withServer('pure-ftpd', manyFiles(), 40, async (scene) => {
      const report = await scene.fixture.run(scene.overrides);
      assert.deepEqual(describeFailures(report), INCOMPLETE);
      assertEqual(scene);
    });
  });

  it('from one day on: an edit that no listing shows is brought, and a hidden file that goes is not retired', async () => {
    await withServer('pure-ftpd', manyFiles(), undefined, async (scene) => {
      const { site, server, fixture, overrides } = scene;
      assert.equal((await fixture.run(overrides)).outcome, 'complete');
      await server.restart({ listingEntriesMax: 14 });
      const edited = { content: 'y'.repeat(100 + MIDDLE), mtimeMs: TREE_TIME_MS + MIDDLE * 60_000 + 9000 };
      writeTree(site, { [name(MIDDLE)]: edited });
      unlinkSync(join(site, name(MIDDLE + 1)));
      for (const changed of [1, 0, 0]) {
        const report = await fixture.run(overrides);
        assert.deepEqual(describeFailures(report), INCOMPLETE);
        assert.equal(report.counts.downloaded, changed);
        assert.equal(report.counts.vanished, 0);
        assertEqual(scene, [name(MIDDLE + 1)]);
      }
    });
  });
});

describe('proftpd with a limit of which it does not speak', { skip: whyServerIsMissing('proftpd') ?? false }, () => {
  it('shows all of a folder by patterns of names, and a hidden file that goes is not retired', async () => {
    const links = Array.from({ length: 1050 }, (_, i) => [`many/b${i}`, { linkTo: 'f00' }] as const);
    const spec = {
      ...manyFiles(),
      'many/-dash': 'd',
      'many/.hidden': 'h',
      'many/z 1 [x].txt': 'z',
      ...Object.fromEntries(links),
    };
    await withServer('proftpd', spec, 1000, async (scene) => {
      const { site, fixture, overrides } = scene;
      const report = await fixture.run(overrides);
      assert.deepEqual(describeFailures(report), INCOMPLETE);
      assertEqual(scene);
      writeTree(site, { [name(MIDDLE)]: 'edited', 'many/new': 'new' });
      unlinkSync(join(site, name(MIDDLE + 1)));
      const next = await fixture.run(overrides);
      assert.deepEqual(describeFailures(next), INCOMPLETE);
      assert.equal(next.counts.downloaded, 2);
      assertEqual(scene, [name(MIDDLE + 1)]);
    });
  });
});
