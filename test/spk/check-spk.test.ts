/** Each rule of the package sees the package that breaks it, and says so. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildPackage } from '../../build/build-package.ts';
import { checkSpk, developmentPackages, spkRules } from '../../build/check-spk.ts';
import { checkShell } from '../../build/check/check-shell.ts';
import { openPackage } from '../../build/check/package-file.ts';
import { writeTar } from '../../build/tar.ts';
import { BROKEN_PACKAGES, BUILD_FOLDER } from './broken-packages.ts';
import { SpkDraft } from './broken-spk.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const EXPECTED = { developmentPackages: developmentPackages(ROOT), buildFolders: [BUILD_FOLDER] };

const whyNoShellcheck =
  spawnSync('shellcheck', ['--version']).error === undefined ? false : 'missing: apt-get install shellcheck';

describe('the check of the package', () => {
  let folder = '';
  let good: Buffer = Buffer.alloc(0);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'site-backup-spk-'));
    good = readFileSync((await buildPackage({ root: ROOT, outDir: folder })).file);
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('finds nothing wrong with a good one', () => {
    assert.deepEqual(checkSpk(good, EXPECTED), []);
  });

  it('finds nothing wrong with a good one that was taken apart and put together again', () => {
    assert.deepEqual(checkSpk(new SpkDraft(good).pack(), EXPECTED), []);
  });

  it('refuses one that is compressed, cut short, or something else', () => {
    const says = (bytes: Buffer): string => checkSpk(bytes, EXPECTED).join('\n');
    assert.match(says(gzipSync(good)), /^The package is compressed/);
    assert.match(
      says(good.subarray(0, good.length / 2)),
      /^The package cannot be read: it is cut short within package\.tgz/,
    );
    assert.match(says(Buffer.from('<html>'.repeat(200))), /^The package cannot be read: it is no tar archive/);
    assert.match(says(Buffer.alloc(0)), /^The package cannot be read: it is no tar archive/);
    const other = Buffer.from(good);
    other[10] = 0x41;
    assert.match(says(other), /^The package cannot be read: it is no tar archive, or it is damaged/);
  });

  it('refuses one whose package.tgz is missing, no gzip, or no tar', () => {
    const { members } = openPackage(good);
    const others = members.filter(({ path, isFolder }) => !isFolder && path !== 'package.tgz');
    const withTgz = (bytes: Buffer | undefined): string => {
      const packageTgz = bytes === undefined ? [] : [{ path: 'package.tgz', mode: 0o644, bytes }];
      return checkSpk(writeTar([...others, ...packageTgz], 1), EXPECTED).join('\n');
    };
    assert.match(withTgz(undefined), /^package\.tgz is missing/);
    assert.match(withTgz(Buffer.from('PK')), /^package\.tgz cannot be read: incorrect header check/);
    assert.match(withTgz(gzipSync('hello')), /^package\.tgz cannot be read: it is no tar archive/);
  });

  for (const [group, cases] of Object.entries(BROKEN_PACKAGES)) {
    describe(group.toLowerCase(), () => {
      for (const { broken, by, says, isShell, needsShellcheck } of cases) {
        const skip = needsShellcheck === true && whyNoShellcheck;
        it(`refuses one that ${broken}`, { skip }, () => {
          const draft = new SpkDraft(good);
          by(draft);
          const file = openPackage(draft.pack());
          // shellcheck takes a second: it runs for its own cases only.
          const rules = spkRules(EXPECTED).filter((rule) => (rule === checkShell) === (isShell === true));
          const faults = rules.flatMap((rule) => rule(file));
          assert.ok(faults.length > 0, 'it was taken for a good one');
          assert.deepEqual(
            faults.filter((fault) => !says.test(fault)),
            [],
          );
        });
      }
    });
  }
});
