import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Logger } from '../../log.ts';

/** What DSM has to say about the session of a browser. */
export type DsmAnswer =
  | { readonly kind: 'administrator' | 'user'; readonly name: string }
  /** No session, an ended one, or not from this address or with this token. */
  | { readonly kind: 'nobody' }
  /** DSM's program is not there, or may not be run. */
  | { readonly kind: 'missing' }
  /** DSM took too long, or too many are asking. */
  | { readonly kind: 'silent' };

/** What a browser shows to DSM: its cookies, the SynoToken of its session, and where it is. */
export interface DsmAsking {
  readonly cookie: string;
  readonly token: string;
  readonly address: string;
  readonly host: string;
  readonly userAgent: string;
  readonly isEncrypted: boolean;
}

/** Where DSM's own programs lie. */
export interface DsmPrograms {
  /** The first one that is there is run. */
  readonly authenticate: readonly string[];
  readonly id: string;
  /** Names the number of the group `administrators`. */
  readonly groupFile: string;
  /** None of them may take longer. */
  readonly timeoutMs: number;
}

/** DSM 7.2: the two names under which other packages find the program. */
export const DSM_PROGRAMS: DsmPrograms = {
  authenticate: ['/usr/syno/synoman/webman/modules/authenticate.cgi', '/usr/syno/synoman/webman/authenticate.cgi'],
  id: '/usr/bin/id',
  groupFile: '/etc/group',
  timeoutMs: 10_000,
};

const OUTPUT_BYTES_MAX = 64 * 1024;
const PROGRAMS_AT_ONCE_MAX = 4;
const PROGRAMS_WAITING_MAX = 32;
const NAME_LENGTH_MAX = 256;
/** The same on every DSM. */
const ADMINISTRATORS_GID = 101;
const PATH = '/usr/bin:/bin:/usr/sbin:/sbin:/usr/syno/bin';

/** Asks DSM's own programs: each in a process with a time limit, few at once, none through a shell. */
export class DsmAsker {
  readonly #programs: DsmPrograms;
  readonly #log: Logger;
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(programs: DsmPrograms, log: Logger) {
    this.#programs = programs;
    this.#log = log;
  }

  /** Who has the session that the browser shows, and whether that is an administrator. Never throws. */
  async ask(asking: DsmAsking): Promise<DsmAnswer> {
    if (this.#busy >= PROGRAMS_AT_ONCE_MAX) {
      if (this.#waiting.length >= PROGRAMS_WAITING_MAX) return { kind: 'silent' };
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#busy++;
    try {
      return await this.#answer(asking);
    } catch (error) {
      this.#log.error('dsm-not-asked', { error });
      return { kind: 'silent' };
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }

  async #answer(asking: DsmAsking): Promise<DsmAnswer> {
    const said = await this.#authenticate(asking);
    if (said.kind !== 'said') return { kind: said.kind };
    const name = said.output.trim();
    if (said.exitCode !== 0 || name === '') return { kind: 'nobody' };
    // What is no name of an account is not handed on to another program.
    if (name.length > NAME_LENGTH_MAX || /[\p{Cc}]/u.test(name)) return { kind: 'nobody' };
    const isAdministrator = await this.#isAdministrator(name);
    if (isAdministrator === undefined) return { kind: 'silent' };
    return { kind: isAdministrator ? 'administrator' : 'user', name };
  }

  async #authenticate(asking: DsmAsking): Promise<Said> {
    for (const program of this.#programs.authenticate) {
      const said = await this.#run(program, [], cgiEnvironment(asking));
      if (said.kind === 'missing') continue;
      if (said.kind === 'silent') this.#log.warn('dsm-silent', { program });
      return said;
    }
    this.#log.warn('dsm-programs-missing', { programs: this.#programs.authenticate.join(', ') });
    return { kind: 'missing' };
  }

  /**
   * By the numbers of the groups: in a list of names one with a space in it, as Windows domains have them, could pass for
   * two. undefined where the system does not say.
   */
  async #isAdministrator(name: string): Promise<boolean | undefined> {
    const said = await this.#run(this.#programs.id, ['-G', '--', name], { PATH, LC_ALL: 'C' });
    if (said.kind !== 'said') {
      this.#log.warn('dsm-silent', { program: this.#programs.id });
      return undefined;
    }
    // A session of somebody whom the system does not know is worth nothing here.
    if (said.exitCode !== 0) return false;
    return said.output
      .trim()
      .split(/\s+/)
      .includes(String(await this.#administratorsGid()));
  }

  async #administratorsGid(): Promise<number> {
    const text = await readFile(this.#programs.groupFile, 'utf8').catch(() => '');
    const gid = /^administrators:[^:\n]*:(\d+):/m.exec(text)?.[1];
    return gid === undefined ? ADMINISTRATORS_GID : Number(gid);
  }

  #run(program: string, args: readonly string[], env: Record<string, string>): Promise<Said> {
    return new Promise((resolve) => {
      let child: ChildProcess;
      try {
        // A group of its own, so that what it has started ends with it.
        child = spawn(program, args, { env, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
      } catch {
        // A value that no environment can hold, such as one with a NUL.
        resolve({ kind: 'said', output: '', exitCode: 1 });
        return;
      }
      const said: Buffer[] = [];
      let saidBytes = 0;
      const giveUp = (): void => {
        killGroup(child);
        child.stdout?.destroy();
        resolve({ kind: 'silent' });
      };
      const timer = setTimeout(giveUp, this.#programs.timeoutMs);
      child.stdout?.on('data', (chunk: Buffer) => {
        said.push(chunk);
        saidBytes += chunk.length;
        if (saidBytes > OUTPUT_BYTES_MAX) giveUp();
      });
      child.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        resolve({ kind: NOT_THERE.includes(error.code) ? 'missing' : 'silent' });
      });
      child.on('close', (exitCode) => {
        clearTimeout(timer);
        if (exitCode === null) resolve({ kind: 'silent' });
        else resolve({ kind: 'said', output: Buffer.concat(said).toString('utf8'), exitCode });
      });
    });
  }
}

type Said =
  | { readonly kind: 'said'; readonly output: string; readonly exitCode: number }
  | { readonly kind: 'missing' | 'silent' };

/** What DSM's web server would tell the program (RFC 3875). */
function cgiEnvironment(asking: DsmAsking): Record<string, string> {
  return {
    PATH,
    GATEWAY_INTERFACE: 'CGI/1.1',
    REQUEST_METHOD: 'GET',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_ADDR: '127.0.0.1',
    REMOTE_ADDR: asking.address,
    QUERY_STRING: `SynoToken=${encodeURIComponent(asking.token)}`,
    HTTP_X_SYNO_TOKEN: asking.token,
    HTTP_COOKIE: asking.cookie,
    HTTP_HOST: asking.host,
    HTTP_USER_AGENT: asking.userAgent,
    ...(asking.isEncrypted ? { HTTPS: 'on' } : {}),
  };
}

const NOT_THERE: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'EACCES'];

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended meanwhile.
  }
}
