/**
 * A machine of its own that stands for a NAS: its own root folder (what it writes stays in memory), users, processes,
 * network and host name, by Linux namespaces. It ends with the test process, and every process in it ends with it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NODES, npmPackage } from '../../build/npm-package.ts';

const CHECKOUT = resolve(import.meta.dirname, '../..');
const PACKAGES = join(CHECKOUT, '.cache/packages');
const OUTPUT_BYTES_MAX = 1024 * 1024;
/** A script of the package that takes longer hangs. */
const COMMAND_MS_MAX = 120_000;

/** What a command in the NAS came to. */
export interface CommandResult {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** A user of the NAS; root without it. */
  readonly user?: string;
  /** The whole environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface FakeNas {
  /** Its address in the network that it shares with this machine only. */
  readonly address: string;
  /** This machine's address in that network: for servers that the NAS shall reach. */
  readonly clientAddress: string;
  /** Where a file of the NAS lies for this process. Links in the path lead astray: give the real one. */
  file(path: string): string;
  run(command: readonly [string, ...string[]], options?: CommandOptions): Promise<CommandResult>;
  /** `run` for what has to succeed; gives what it printed. */
  must(command: readonly [string, ...string[]], options?: CommandOptions): Promise<string>;
  stop(): Promise<void>;
}

/** Why the tests of the package cannot run on this machine, as the reason of a skip; undefined where they can. */
export function whyNasIsMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'a machine for the package is made by root only: run the tests as root';
  const missing = ['unshare', 'nsenter', 'setpriv', 'ip', 'useradd'].filter((name) => !isProgram(name));
  return missing.length === 0
    ? undefined
    : `missing: ${missing.join(', ')}: apt-get install util-linux iproute2 passwd`;
}

/** The program of a Node.js from npm, which stands for that of Synology's package: its interface for native code is the same. */
export async function nodeProgram(name: keyof typeof NODES): Promise<string> {
  return join(await npmPackage(NODES[name], PACKAGES), 'bin/node');
}

/** A NAS with DSM's Node.js v22 (the release that Synology is known to have shipped), and no package of ours yet. */
export async function startFakeNas(): Promise<FakeNas> {
  const node = await nodeProgram('x64-22.13.1');
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-nas-'));
  const spaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--net', '--uts', '--ipc'];
  const script = join(import.meta.dirname, 'fake-nas.sh');
  const holder = spawn('unshare', [...spaces, 'sh', script, folder, CHECKOUT, node], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  holder.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const isOver = once(holder, 'exit');
  const isReady = await Promise.race([once(holder.stdout, 'data').then(() => true), isOver.then(() => false)]);
  if (!isReady || holder.pid === undefined) throw new Error(`the NAS of the tests did not start: ${said}`);
  // unshare itself stays outside of the process space; its child is the first process in it.
  const init = firstChild(holder.pid);

  const link = connect(init);
  const enter = ['--target', String(init), '--mount', '--pid', '--net', '--uts', '--ipc', '--root', '--'];
  const run: FakeNas['run'] = async (command, options = {}) => {
    const as =
      options.user === undefined
        ? []
        : ['setpriv', `--reuid=${options.user}`, `--regid=${options.user}`, '--init-groups', '--'];
    const environment = Object.entries(options.environment ?? { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' });
    const variables = environment.map(([name, value]) => `${name}=${value}`);
    const child = spawn('nsenter', [...enter, ...as, 'env', '-i', '-C', '/', ...variables, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? COMMAND_MS_MAX,
      killSignal: 'SIGKILL',
    });
    const out = collect(child.stdout);
    const err = collect(child.stderr);
    // `close`, not `exit`: a daemon that kept the pipes of Package Center would hold it up.
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? undefined, stdout: out(), stderr: err() };
  };

  return {
    address: link.nas,
    clientAddress: link.client,
    file: (path) => join(`/proc/${init}/root`, path),
    run,
    async must(command, options) {
      const result = await run(command, options);
      if (result.code !== 0) throw new Error(`${command.join(' ')}: ${result.code ?? 'killed'}: ${result.stderr}`);
      return result.stdout;
    },
    async stop() {
      holder.stdin.end();
      await isOver;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    if (text.length < OUTPUT_BYTES_MAX) text += chunk.toString();
  });
  return () => text;
}

function firstChild(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0]);
}

/** A cable between this machine and the NAS; its two addresses are like no other NAS's of the tests. */
function connect(init: number): { nas: string; client: string } {
  // 198.18.0.0/15 is for tests of networks (RFC 2544); four addresses for each process.
  const base = (init * 4) % (1 << 17);
  const address = (host: number): string => `198.${18 + (base >> 16)}.${(base >> 8) & 255}.${(base & 255) + host}`;
  const [client, nas] = [address(1), address(2)];
  const name = `sbnas${init}`;
  const ip = (...words: string[]): void => void execFileSync('ip', words);
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(init));
  ip('address', 'add', `${client}/30`, 'dev', name);
  ip('link', 'set', name, 'up');
  for (const words of [
    ['address', 'add', `${nas}/30`, 'dev', 'eth0'],
    ['link', 'set', 'eth0', 'up'],
    // The cables of other NAS of the same tests end at this machine, too.
    ['route', 'add', '198.18.0.0/15', 'via', client],
  ]) {
    execFileSync('nsenter', ['--target', String(init), '--net', 'ip', ...words]);
  }
  return { nas, client };
}

function isProgram(name: string): boolean {
  return ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, name)));
}
