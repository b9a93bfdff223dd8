/**
 * How long a backup takes beside lftp and rclone, on the same servers in the same minutes: the first run, and one
 * without a change. The numbers of a machine say little; the ratios are what is to be watched.
 *
 *   npm run bench:speed                          vsftpd, ProFTPD, Pure-FTPd; three rounds
 *   npm run bench:speed -- --rounds 1 --servers vsftpd --folder /dev/shm
 *
 * Needs root, the servers (test/support/install-servers.sh), lftp and rclone. Neither of those waits until its files are
 * safe on the disk, as we do: `--folder /dev/shm` shows the difference.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVER_SOFTWARE, whyServerIsMissing, type ServerSoftware } from '../support/debian-package-files.ts';
import { startRealServer, type RealServer } from '../support/real-ftp-servers.ts';
import { writeTree, type TreeSpec } from '../support/tree-compare.ts';

const FILES = 3840;
/** The root, PARTS below it, and the rest below those. */
const FOLDERS = 199;
const PARTS = 14;
const SITE_BYTES = 42_000_000;
const CONNECTIONS = 10;
const CLI = join(import.meta.dirname, '../../dist/cli.js');

interface Tool {
  readonly name: string;
  /** The program, its words and its environment for one run into `room`. */
  readonly command: (server: RealServer, room: string) => { words: string[]; environment: NodeJS.ProcessEnv };
}

const siteBackup = (connections: string): Tool => ({
  name: `site-backup (${connections})`,
  command: ({ host, port, user, password }, room) => {
    const task = join(room, 'task.json');
    const source = { protocol: 'ftp', host, port, user, passwordEnv: 'BENCH_PASSWORD', folder: '/' };
    writeFileSync(task, JSON.stringify({ name: 'bench', source, target: { folder: join(room, 'target') } }));
    const words = [process.execPath, CLI, 'run', task, '--state', join(room, 'state'), '--connections', connections];
    return { words: [...words, '--json'], environment: { BENCH_PASSWORD: password } };
  },
});

const TOOLS: readonly Tool[] = [
  siteBackup('auto'),
  siteBackup(String(CONNECTIONS)),
  {
    name: `lftp mirror -P ${CONNECTIONS}`,
    command: ({ host, port, user, password }, room) => {
      const script = [
        'set ftp:ssl-allow no',
        'set cmd:fail-exit yes',
        `open --env-password -u ${user} ftp://${host}:${port}`,
        `mirror -P ${CONNECTIONS} / ${join(room, 'target/current')}`,
      ];
      return { words: ['lftp', '-c', script.join('; ')], environment: { LFTP_PASSWORD: password } };
    },
  },
  {
    name: `rclone sync --transfers ${CONNECTIONS}`,
    command: ({ host, port, user, password }, room) => {
      const obscured = spawnSync('rclone', ['obscure', '-'], { input: password, encoding: 'utf8' }).stdout.trim();
      const numbers = ['--transfers', String(CONNECTIONS), '--checkers', String(CONNECTIONS)];
      return {
        words: ['rclone', 'sync', ':ftp:/', join(room, 'target/current'), '--config', '/dev/null', ...numbers],
        environment: {
          RCLONE_FTP_HOST: host,
          RCLONE_FTP_PORT: String(port),
          RCLONE_FTP_USER: user,
          RCLONE_FTP_PASS: obscured,
        },
      };
    },
  },
];

interface Times {
  readonly firstMs: number[];
  readonly quietMs: number[];
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    servers: { type: 'string', default: SERVER_SOFTWARE.join(',') },
    folder: { type: 'string', default: tmpdir() },
  },
});
const rounds = Number(values.rounds);
const servers = SERVER_SOFTWARE.filter((software) => values.servers.split(',').includes(software));
assertReady(servers);

const site = mkdtempSync(join(tmpdir(), 'site-backup-bench-site-'));
try {
  writeTree(site, siteSpec());
  say(
    `${FILES} files of ${(SITE_BYTES / 1e6).toFixed(0)} MB in ${FOLDERS} folders, medians of ${rounds}, in ${values.folder}`,
  );
  for (const software of servers) await compare(software);
} finally {
  rmSync(site, { recursive: true, force: true });
}

/** All tools in turn, round by round: a machine that is slow for a while is slow for all of them. */
async function compare(software: ServerSoftware): Promise<void> {
  const server = await startRealServer({ software, tls: 'none', root: site });
  const times = new Map<Tool, Times>(TOOLS.map((tool) => [tool, { firstMs: [], quietMs: [] }]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [tool, { firstMs, quietMs }] of times) {
        const room = mkdtempSync(join(values.folder, 'site-backup-bench-'));
        try {
          mkdirSync(join(room, 'target'));
          firstMs.push(await timed(tool, server, room));
          assertWhole(tool, room);
          quietMs.push(await timed(tool, server, room));
        } finally {
          rmSync(room, { recursive: true, force: true });
        }
      }
    }
  } finally {
    await server.stop();
  }
  show(software, times);
}

function show(software: ServerSoftware, times: ReadonlyMap<Tool, Times>): void {
  say(`\n${software.padEnd(28)}${'first run'.padStart(18)}${'no change'.padStart(18)}`);
  const [ours] = times.values();
  if (ours === undefined) return;
  for (const [tool, { firstMs, quietMs }] of times) {
    const cell = (ms: number[], base: number[]): string =>
      `${(median(ms) / 1000).toFixed(2)} s  x${(median(ms) / median(base)).toFixed(2)}`.padStart(18);
    say(`  ${tool.name.padEnd(26)}${cell(firstMs, ours.firstMs)}${cell(quietMs, ours.quietMs)}`);
  }
}

async function timed(tool: Tool, server: RealServer, room: string): Promise<number> {
  const { words, environment } = tool.command(server, room);
  const [program = '', ...rest] = words;
  const startedMs = performance.now();
  const child = spawn(program, rest, {
    env: { PATH: process.env['PATH'], HOME: room, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-2000);
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  const ms = performance.now() - startedMs;
  if (code !== 0) throw new Error(`${tool.name} ended with ${String(code)}: ${printed}`);
  return ms;
}

function assertWhole(tool: Tool, room: string): void {
  const entries = readdirSync(join(room, 'target/current'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).length;
  if (files !== FILES) throw new Error(`${tool.name} brought ${files} of ${FILES} files`);
}

function assertReady(wanted: readonly ServerSoftware[]): void {
  const faults = wanted.map(whyServerIsMissing).filter((fault) => fault !== undefined);
  if (!existsSync(CLI)) faults.push('dist/cli.js is missing: npm run compile');
  for (const program of ['lftp', 'rclone']) {
    if (spawnSync(program, ['--version']).error !== undefined)
      faults.push(`${program} is missing: apt-get install ${program}`);
  }
  if (faults.length > 0) {
    say(faults.join('\n'));
    process.exit(1);
  }
}

/** Small files by far the most, and a few large ones, as on a site. */
function siteSpec(): TreeSpec {
  const spec: Record<string, TreeSpec[string]> = {};
  const largeFiles = FILES / 40;
  const smallBytes = Math.floor((SITE_BYTES * 0.5) / (FILES - largeFiles));
  const largeBytes = Math.floor((SITE_BYTES * 0.5) / largeFiles);
  for (let index = 0; index < FILES; index++) {
    const sizeBytes = index % 40 === 0 ? largeBytes : smallBytes;
    const folder = index % (FOLDERS - PARTS);
    const path = folder === 0 ? '' : `part-${folder % PARTS}/folder-${folder}/`;
    spec[`${path}file-${index}.dat`] = { content: Buffer.alloc(sizeBytes, index % 251) };
  }
  return spec;
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
