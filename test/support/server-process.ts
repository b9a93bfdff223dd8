/** A server program that never outlives the test that started it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 5_000;
const OUTPUT_KEPT_MAX = 10_000;

/**
 * Runs the program in a process group of its own, and kills the whole group when its standard input ends: that
 * happens on stop(), and also when the test process dies in any way. The sessions of vsftpd leave the group; they end
 * with their client, or by killSessions.
 */
const GUARD = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -KILL 0; } &
wait "$server"
exit $?
`;

export interface ServerProcess {
  /** What the program has printed so far. */
  output(): string;
  /** Ends the program and every process that it started; resolves when they are gone. */
  stop(): Promise<void>;
}

/** Starts `command` and waits until it listens at `port` of 127.0.0.1. Throws with the program's output where it does not. */
export async function startServerProcess(
  command: readonly [string, ...string[]],
  options: { port: number; environment: NodeJS.ProcessEnv },
): Promise<ServerProcess> {
  const guard = spawn('/bin/sh', ['-c', GUARD, 'guard', ...command], {
    detached: true,
    env: options.environment,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let printed = '';
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString('latin1')).slice(-OUTPUT_KEPT_MAX);
  };
  guard.stdout.on('data', keep);
  guard.stderr.on('data', keep);
  // The group may be gone before its standard input is closed.
  guard.stdin.on('error', () => undefined);
  const hasExited = once(guard, 'exit').then(() => {
    guard.stdin.end();
  });
  await once(guard, 'spawn');
  // A test that failed to stop its server must end all the same; the guard then ends the server.
  guard.unref();
  for (const pipe of [guard.stdin, guard.stdout, guard.stderr]) (pipe as Socket).unref();

  const stop = async (): Promise<void> => {
    guard.ref();
    if (guard.pid !== undefined) killSessions(guard.pid);
    guard.stdin.end();
    await hasExited;
    // The kernel closes the sockets of killed processes a moment later; a restart needs the port.
    const patience = performance.now() + STOP_TIMEOUT_MS;
    while (isListening(options.port)) {
      if (performance.now() > patience) throw new Error(`${command[0]} still listens on port ${options.port}`);
      await sleep(5);
    }
  };

  const deadline = performance.now() + START_TIMEOUT_MS;
  while (guard.exitCode === null && guard.signalCode === null && performance.now() < deadline) {
    if (isListening(options.port)) return { output: () => printed, stop };
    await sleep(20);
  }
  await stop();
  throw new Error(`${command[0]} did not start on port ${options.port}: ${printed.trim()}`);
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}

/** Asks the kernel, not the server: a connection to it could count against its limits (proc(5), /proc/net/tcp). */
function isListening(port: number): boolean {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .some((line) => {
      const [, address, , state] = line.trim().split(/\s+/);
      return address === local && state === '0A';
    });
}

/** Kills every process that the server under `guard` has made for a connection. */
function killSessions(guard: number): void {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(name);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const killBelow = (parent: number): void => {
    for (const pid of children.get(parent) ?? []) {
      killBelow(pid);
      if (parent !== guard) kill(pid);
    }
  };
  killBelow(guard);
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name stands in brackets and may hold spaces: proc(5).
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}
