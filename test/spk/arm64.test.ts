/** The files of the package for arm64 are loaded and used, on an emulated processor with an arm64 Node.js. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildPackage } from '../../build/build-package.ts';
import { NODES, npmPackage } from '../../build/npm-package.ts';
import { playService, unpackPackage } from './packaged-service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** glibc 2.36 and libstdc++ of gcc 12.2, as in DSM 7.2, for cross-compilers: so Debian needs no foreign architecture. */
const SYSROOT = '/usr/aarch64-linux-gnu';
const EMULATOR = 'qemu-aarch64-static';

describe('the package on an arm64 NAS', { skip: whyNoEmulator() }, () => {
  let folder = '';
  let spkFile = '';

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'site-backup-arm64-'));
    spkFile = (await buildPackage({ root: ROOT, outDir: folder, processors: ['arm64'] })).file;
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('starts, lets the first person in and makes a backup', async () => {
    const node = join(await npmPackage(NODES['arm64-22.23.3'], join(ROOT, '.cache/packages')), 'bin/node');
    const unpacked = unpackPackage(spkFile);
    try {
      await playService(unpacked, [EMULATOR, '-L', SYSROOT, node]);
    } finally {
      unpacked.remove();
    }
  });
});

function whyNoEmulator(): string | false {
  const isThere = spawnSync(EMULATOR, ['--version']).error === undefined;
  if (isThere && existsSync(join(SYSROOT, 'lib/libstdc++.so.6'))) return false;
  return 'missing: apt-get install qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross';
}
