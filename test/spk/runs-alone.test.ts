/** The package needs nothing but Node.js: no node_modules, no compiler, nothing of a checkout. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildPackage } from '../../build/build-package.ts';
import { openPackage } from '../../build/check/package-file.ts';
import { NODES, npmPackage } from '../../build/npm-package.ts';
import type { NpmPackage } from '../../build/npm-package.ts';
import { OLDEST_NODE } from '../../build/targets.ts';
import { playService, runProgram, unpackPackage } from './packaged-service.ts';
import type { UnpackedPackage } from './packaged-service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What goes into the package, and what makes it. */
const SOURCES = [
  'INFO.template',
  'LICENSE',
  'build',
  'package-lock.json',
  'package.json',
  'spk',
  'src',
  'tsconfig.json',
  'ui',
];

async function nodeOf(wanted: NpmPackage): Promise<string> {
  return join(await npmPackage(wanted, join(ROOT, '.cache/packages')), 'bin/node');
}

describe('the package alone', () => {
  let folder = '';
  let spkFile = '';

  const inFreshPackage = async (use: (unpacked: UnpackedPackage) => Promise<void>): Promise<void> => {
    const unpacked = unpackPackage(spkFile);
    try {
      await use(unpacked);
    } finally {
      unpacked.remove();
    }
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'site-backup-alone-'));
    spkFile = (await buildPackage({ root: ROOT, outDir: folder, processors: ['x64'] })).file;
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [words, wanted] of [
    [`the oldest Node.js 22 of Synology, ${OLDEST_NODE}`, NODES[`x64-${OLDEST_NODE}`]],
    ['the newest Node.js 22', NODES['x64-22.23.3']],
    ['Node.js 24', NODES['x64-24.18.1']],
  ] as const) {
    it(`starts, lets the first person in and makes a backup with ${words}`, async () => {
      const node = await nodeOf(wanted);
      await inFreshPackage((unpacked) => playService(unpacked, [node]));
    });
  }

  it('gives the command its version, its help and its texts', async () => {
    const node = await nodeOf(NODES['x64-22.23.3']);
    await inFreshPackage(async (unpacked) => {
      const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
      assert.deepEqual(await runProgram(unpacked, [node], ['app/cli.js', '--version']), {
        code: 0,
        output: `${version}\n`,
      });
      const help = await runProgram(unpacked, [node], ['app/cli.js', '--help', '--language', 'fr']);
      assert.match(help.output, /sauvegarde/i);
    });
  });

  it('says in a sentence that it has nothing for an older Node.js', { skip: isNodeOfPackage() }, async () => {
    await inFreshPackage(async (unpacked) => {
      const args = ['app/main.js', '--state', join(unpacked.folder, 'state'), '--port', '0'];
      const { code, output } = await runProgram(unpacked, [process.execPath], args, { LC_ALL: 'fr_FR.UTF-8' });
      assert.equal(code, 1);
      assert.match(output, new RegExp(`^Node\\.js ${process.version} ne convient pas`));
      assert.match(output, /Installez le paquet Node\.js v22/);
      assert.doesNotMatch(output, /\n +at /);
    });
  });

  it('is the same, byte for byte, when it is made of the same sources elsewhere', () => {
    const first = join(folder, 'first');
    const second = join(folder, 'a checkout elsewhere');
    for (const name of SOURCES) cpSync(join(ROOT, name), join(first, name), { recursive: true });
    cpSync(first, second, { recursive: true });
    // Modes that another umask would leave, which must not count; nor may the zone, the language or the time of files.
    execFileSync('chmod', ['-R', 'go-rx', join(second, 'spk')]);
    const one = made(first, { TZ: 'UTC', LANG: 'C' });
    const other = made(second, { TZ: 'Asia/Tokyo', LANG: 'fr_FR.UTF-8' });
    assert.deepEqual(membersOf(one), membersOf(other));
    assert.ok(one.equals(other), 'the members are the same and the bytes differ');
  });
});

/** Of Node.js 22 and 24 the package has a module: there is nothing to refuse. CI tests with Node.js 20. */
function isNodeOfPackage(): string | false {
  return ['127', '137'].includes(process.versions.modules)
    ? `Node.js ${process.version} is one of the package's`
    : false;
}

/** Builds in a copy of the checkout, as `npm run build` there would. */
function made(checkout: string, env: Readonly<Record<string, string>>): Buffer {
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
  const script = `
    import { buildPackage } from './build/build-package.ts';
    const options = { root: process.cwd(), outDir: 'out', processors: ['x64'], cacheDir: process.argv[1] };
    console.log((await buildPackage(options)).file);`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script, join(ROOT, '.cache')];
  const environment = { ...process.env, SOURCE_DATE_EPOCH: '1780000000', ...env };
  const file = execFileSync(process.execPath, args, { cwd: checkout, encoding: 'utf8', env: environment }).trim();
  return readFileSync(join(checkout, file));
}

/** Each member with its size and a short hash of its content: says what differs better than megabytes do. */
function membersOf(spk: Buffer): readonly string[] {
  const { members, targetMembers } = openPackage(spk);
  return [...members, ...targetMembers].map(({ path, mode, bytes }) => {
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    return `${path} ${mode.toString(8)} ${bytes.length} ${hash}`;
  });
}
