/** What other tools and lost tasks have left is gone on with: nothing that is the same comes again, as a real server sees it. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { AdoptOutlook, AdoptReport } from '../../src/engine/adopt.ts';
import type { RunReport } from '../../src/engine/run-report.ts';
import { compileCli } from '../support/compiled-cli.ts';
import type { CompiledCli } from '../support/compiled-cli.ts';
import { whyServerIsMissing } from '../support/debian-package-files.ts';
import { startRealServer, type RealServer } from '../support/real-ftp-servers.ts';
import { TREE_TIME_MS, bytesOf, compareTrees, snapshotFolder, writeTree } from '../support/tree-compare.ts';

const COMMAND_TIMEOUT_MS = 60_000;
/** What is read again to prove it would count as received. */
const NO_SAMPLES = { sampleBytes: 0 };
const execute = promisify(execFile);

function whyMissing(program?: string): string | false {
  const server = whyServerIsMissing('proftpd');
  if (server !== undefined) return server;
  if (program === undefined || spawnSync(program, ['--version']).error === undefined) return false;
  return `${program} is missing: apt-get install ${program} (Debian or Ubuntu)`;
}

let cli: CompiledCli;
let folder: string;
let server: RealServer;

before(() => {
  cli = compileCli();
});
after(() => {
  cli.remove();
});
beforeEach(async () => {
  if (whyMissing() !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'site-backup-adopt-'));
  writeTree(folder, {
    'site/index.html': '<h1>Welcome</h1>',
    [bytesOf('site/img/Été à Paris.jpg')]: 'not really a photo'.repeat(5000),
    'site/img/empty.gif': '',
    'site/a/b/c/deep.php': '<?php echo 1;',
    'site/100%.txt': 'percent',
  });
  server = await startRealServer({ software: 'proftpd', tls: 'none', root: join(folder, 'site') });
});
afterEach(async () => {
  if (whyMissing() !== false) return;
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function target(): string {
  return join(folder, 'target');
}

/** One command line of the program; its answer as JSON. */
async function command(name: string, options: readonly string[], exitCode: number): Promise<unknown> {
  const { host, port, user, password } = server;
  const task = join(folder, 'task.json');
  const source = { protocol: 'ftp', host, port, user, password, folder: '/' };
  writeFileSync(
    task,
    JSON.stringify({ name: 'site', source, target: { folder: target() }, verification: NO_SAMPLES }),
    { mode: 0o600 },
  );
  const words = [cli.cliFile, name, task, '--state', join(folder, 'state'), '--json', ...options];
  const { stdout, code } = await execute(process.execPath, words, { timeout: COMMAND_TIMEOUT_MS }).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (error: unknown) => {
      const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
      return { stdout: `${stdout}${stderr}`, code };
    },
  );
  assert.equal(code, exitCode, stdout);
  return JSON.parse(stdout);
}

/** A run that is complete, leaves the server's tree, and has received so many bytes of content. */
async function assertReceives(bytes: number): Promise<void> {
  const report = (await command('run', [], 0)) as RunReport;
  assert.deepEqual([report.outcome, report.bytes], ['complete', bytes]);
  const here = snapshotFolder(join(target(), 'current'));
  assert.deepEqual(compareTrees(snapshotFolder(join(folder, 'site')), here, { timePrecisionMs: 1000 }), []);
}

async function adopt(layout: string): Promise<AdoptReport> {
  const { outlook } = (await command('adopt', [], 3)) as { outlook: AdoptOutlook };
  assert.deepEqual([outlook.layout, outlook.files], [layout, 5]);
  return (await command('adopt', ['--yes'], 0)) as AdoptReport;
}

describe('Adopted from the command line', () => {
  it('a backup whose state was lost transfers nothing', { skip: whyMissing() }, async () => {
    const first = (await command('run', [], 0)) as RunReport;
    assert.equal(first.counts.downloaded, 5);
    rmSync(join(folder, 'state'), { recursive: true });
    const report = await adopt('backup');
    assert.equal(report.proven, 5);
    await assertReceives(0);
  });

  for (const [tool, words] of [
    ['lftp', (to: string) => ['-c', `set ftp:ssl-allow no; open ftp://$at; mirror / ${to}`]],
    ['rclone', (to: string) => ['sync', ':ftp:/', to, '--ftp-concurrency', '2']],
  ] as const) {
    it(`a mirror that ${tool} has made transfers only what has changed since`, { skip: whyMissing(tool) }, async () => {
      mirror(tool, words(target()));
      writeTree(join(folder, 'site'), {
        'new.html': 'came later',
        'index.html': { content: '<h1>Edited!</h1>', mtimeMs: TREE_TIME_MS + 86_400_000 },
      });
      const report = await adopt('mirror');
      assert.deepEqual([report.files, report.unproven, report.others], [5, 5, 0]);
      await assertReceives('came later'.length + '<h1>Edited!</h1>'.length);
    });
  }
});

function mirror(tool: string, words: readonly string[]): void {
  const { host, port, user, password } = server;
  const account = `${user}:${encodeURIComponent(password)}@${host}:${port}`;
  const obscured = tool === 'rclone' ? execFileSync('rclone', ['obscure', password], { encoding: 'utf8' }).trim() : '';
  const environment = {
    ...process.env,
    RCLONE_CONFIG: join(folder, 'rclone.conf'),
    RCLONE_FTP_HOST: host,
    RCLONE_FTP_PORT: String(port),
    RCLONE_FTP_USER: user,
    RCLONE_FTP_PASS: obscured,
  };
  writeFileSync(environment.RCLONE_CONFIG, '');
  const given = words.map((word) => word.replace('$at', account));
  const { status, stderr, stdout } = spawnSync(tool, given, { env: environment, encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(readFileSync(join(target(), 'index.html'), 'utf8'), /Welcome/);
}
