/** The programs that are compared, each with the best options that its manual offers for this work. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isReal } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import type { Account } from './stage.ts';

/** Longer than any of them needs for the largest scenario; then it counts as one that does not end. */
const RUN_MS_MAX = 60_000;
const PRINTED_CHARS_MAX = 20_000;

export interface Tool {
  readonly name: string;
  /** As printed below the table. */
  readonly legend: string;
  readonly version: () => string;
  /** Where its copy lies in the room that it was given, and what it puts aside. */
  readonly copy: string;
  readonly aside: string;
  readonly command: (order: Order) => { readonly words: readonly string[]; readonly environment: NodeJS.ProcessEnv };
  /** True where what was printed is a warning; the exit code is looked at apart. */
  readonly warns: (printed: string) => boolean;
}

export interface Order {
  readonly scenario: Scenario;
  readonly account: Account;
  readonly room: string;
  /** Counted from 0, the good run before included. */
  readonly run: number;
}

export interface Told {
  readonly exitCode: number | undefined;
  readonly printed: string;
}

/** This program as its command line, from the file `cliFile`. Only its exit code counts as having told. */
export function siteBackup(cliFile: string): Tool {
  return {
    name: 'Site Backup',
    legend: '`site-backup run`, default settings',
    version: () => `commit ${firstLine('git', ['rev-parse', '--short', 'HEAD'])}`,
    copy: 'target/current',
    aside: 'target/versions',
    command: ({ scenario, account: { host, port, user, password }, room }) => {
      const { deletion, versions, guards, verification } = scenario.run ?? {};
      const task = join(room, 'task.json');
      writeFileSync(
        task,
        JSON.stringify({
          name: 'truth',
          source: {
            ...{ protocol: 'ftp', host, port, user, passwordEnv: 'TRUTH_PASSWORD', folder: '/' },
            timeouts: { connectSeconds: 5, idleSeconds: 5 },
          },
          target: { folder: join(room, 'target') },
          retries: { attempts: 3, firstDelaySeconds: 0.1 },
          ...{ deletion, versions, guards, verification },
        }),
      );
      return {
        words: [process.execPath, cliFile, 'run', task, '--state', join(room, 'state'), '--json'],
        environment: { TRUTH_PASSWORD: password },
      };
    },
    warns: () => false,
  };
}

export const LFTP: Tool = {
  name: 'lftp mirror -e',
  legend: '`lftp mirror -e`, with MLSD, `ftp:list-options -a` and `xfer:use-temp-file`',
  version: () => /Version ([\d.]+)/.exec(firstLine('lftp', ['--version']))?.[1] ?? '?',
  copy: 'target',
  aside: 'aside',
  command: ({ scenario, account: { host, port, user, password }, room }) => ({
    words: [
      'lftp',
      '-c',
      [
        'set ftp:ssl-allow no',
        'set cmd:fail-exit yes',
        'set net:timeout 5',
        'set net:max-retries 3',
        'set net:reconnect-interval-base 1',
        'set net:reconnect-interval-multiplier 1',
        'set ftp:list-options -a',
        'set xfer:use-temp-file yes',
        ...(scenario.peerOptions?.lftp ?? []),
        `open --env-password -u ${user} ftp://${host}:${port}`,
        `mirror -e -P 2 / ${join(room, 'target')}`,
      ].join('; '),
    ],
    environment: { LFTP_PASSWORD: password },
  }),
  warns: (printed) => printed.trim() !== '',
};

export const RCLONE: Tool = rclone(
  'rclone sync',
  '`rclone sync`, with retries; `--ftp-force-list-hidden` where there is no MLSD',
  [],
);

export const RCLONE_ASIDE: Tool = rclone('rclone sync --backup-dir', 'the same with `--backup-dir`', ['--backup-dir']);

function rclone(name: string, legend: string, more: readonly string[]): Tool {
  return {
    name,
    legend,
    version: () => /v([\d.]+)/.exec(firstLine('rclone', ['version']))?.[1] ?? '?',
    copy: 'target',
    aside: 'aside',
    command: ({ scenario, account: { host, port, user, password }, room, run }) => ({
      words: [
        ...['rclone', 'sync', ':ftp:/', join(room, 'target'), '--config', '/dev/null'],
        ...['--retries', '3', '--retries-sleep', '100ms', '--low-level-retries', '3'],
        ...['--contimeout', '5s', '--timeout', '5s', '--ftp-close-timeout', '5s', '--ftp-shut-timeout', '5s'],
        ...['--transfers', '2', '--checkers', '2'],
        ...more.flatMap((option) => [option, join(room, 'aside', String(run))]),
        ...(hasMlsd(scenario) ? [] : ['--ftp-force-list-hidden']),
        ...(scenario.peerOptions?.rclone ?? []),
      ],
      environment: {
        RCLONE_FTP_HOST: host,
        RCLONE_FTP_PORT: String(port),
        RCLONE_FTP_USER: user,
        RCLONE_FTP_PASS: obscured(password),
      },
    }),
    warns: (printed) => /\b(ERROR|NOTICE|Failed)\b/.test(printed),
  };
}

function hasMlsd(scenario: Scenario): boolean {
  if (isReal(scenario)) return scenario.software !== 'vsftpd';
  return scenario.server?.hasMlsd !== false || (scenario.server.listOptions ?? 'honoured') !== 'honoured';
}

/** One run of a tool. Never rejects for what the tool does. */
export async function runTool(tool: Tool, order: Order): Promise<Told> {
  const { room } = order;
  const home = join(room, 'home');
  for (const folder of ['target', 'aside', 'home']) mkdirSync(join(room, folder), { recursive: true });
  const { words, environment } = tool.command(order);
  const [program = '', ...rest] = words;
  const child = spawn(program, rest, {
    cwd: home,
    env: { PATH: process.env['PATH'], HOME: home, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-PRINTED_CHARS_MAX);
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { exitCode: code ?? undefined, printed };
}

let obscuredPasswords: Map<string, string> | undefined;

function obscured(password: string): string {
  obscuredPasswords ??= new Map();
  const known = obscuredPasswords.get(password);
  if (known !== undefined) return known;
  const made = spawnSync('rclone', ['obscure', '-'], { input: password, encoding: 'utf8' }).stdout.trim();
  obscuredPasswords.set(password, made);
  return made;
}

function firstLine(program: string, words: readonly string[]): string {
  return spawnSync(program, words, { encoding: 'utf8' }).stdout.split('\n')[0]?.trim() ?? '';
}
