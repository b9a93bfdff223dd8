/**
 * What DSM is to the service: the two programs that know sessions and groups, and the pages of DSM under the same
 * address. A session holds for one cookie, one SynoToken and one address, as on a DSM.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DsmPrograms } from '../../src/web/access/dsm-programs.ts';

export interface FakeDsmSession {
  readonly id: string;
  readonly token: string;
  readonly user: string;
  readonly address: string;
}

/** Members of no group, of `users` only, of `administrators`, and one whose group merely sounds so. */
const GROUPS: Readonly<Record<string, string>> = {
  boss: '100 101',
  'DOMAIN\\chief': '100 1101 101',
  anna: '100',
  // `id -Gn` would print "users my administrators".
  mallory: '100 1102',
};

/** Reads its tables anew at each call, as the programs of DSM do. */
const AUTHENTICATE = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo x >> calls
[ ! -e slow ] || sleep 60
id=$(printf '%s' "$HTTP_COOKIE" | tr ';' '\\n' | sed -n 's/^ *id=//p' | head -n 1)
query=\${QUERY_STRING#SynoToken=}
while IFS='|' read -r known token address user; do
  if [ "$id" = "$known" ] && [ "$REMOTE_ADDR" = "$address" ]; then
    [ "$HTTP_X_SYNO_TOKEN" = "$token" ] && [ "$query" = "$token" ] || exit 7
    printf '%s\\n' "$user"
    exit 0
  fi
done < sessions
exit 1
`;

const ID = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
[ "$1" = -G ] && [ "$2" = -- ] || exit 2
while IFS='|' read -r user groups; do
  if [ "$user" = "$3" ]; then printf '%s\\n' "$groups"; exit 0; fi
done < users
exit 1
`;

export class FakeDsm {
  readonly folder = mkdtempSync(join(tmpdir(), 'site-backup-dsm-'));
  readonly programs: DsmPrograms = {
    authenticate: [join(this.folder, 'not-there.cgi'), join(this.folder, 'authenticate.cgi')],
    id: join(this.folder, 'id'),
    groupFile: join(this.folder, 'group'),
    timeoutMs: 10_000,
  };
  #sessions: FakeDsmSession[] = [];
  readonly #server = createServer((req, res) => {
    this.#answer(req, res);
  });

  constructor() {
    // The service asks for them as another user.
    chmodSync(this.folder, 0o755);
    for (const [name, content] of [
      ['authenticate.cgi', AUTHENTICATE],
      ['id', ID],
    ] as const) {
      writeFileSync(join(this.folder, name), content, { mode: 0o755 });
    }
    writeFileSync(join(this.folder, 'calls'), '', { mode: 0o666 });
    writeFileSync(join(this.folder, 'group'), 'root:x:0:\nadministrators:x:101:admin,boss\nusers:x:100:\n');
    const users = Object.entries(GROUPS).map(([user, groups]) => `${user}|${groups}\n`);
    writeFileSync(join(this.folder, 'users'), users.join(''));
    this.#write();
  }

  /** The pages of DSM: give its port to nginx. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  signIn(user: string, address = '127.0.0.1'): FakeDsmSession {
    const session = { id: randomBytes(9).toString('hex'), token: randomBytes(9).toString('base64url'), user, address };
    this.#sessions.push(session);
    this.#write();
    return session;
  }

  signOut(id: string): void {
    this.#sessions = this.#sessions.filter((session) => session.id !== id);
    this.#write();
  }

  /** How often the service has asked. */
  get calls(): number {
    return readFileSync(join(this.folder, 'calls'), 'utf8').length / 2;
  }

  /** From now on the program for sessions does not come to an end. */
  hang(isHanging: boolean): void {
    const mark = join(this.folder, 'slow');
    if (isHanging) writeFileSync(mark, '');
    else rmSync(mark, { force: true });
  }

  /** From now on the program for sessions is not there. */
  loseProgram(isLost: boolean): void {
    const [there, away] = ['authenticate.cgi', 'authenticate.away'].map((name) => join(this.folder, name));
    if (there === undefined || away === undefined) return;
    if (isLost) renameSync(there, away);
    else renameSync(away, there);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #write(): void {
    const lines = this.#sessions.map(({ id, token, address, user }) => `${id}|${token}|${address}|${user}\n`);
    const part = join(this.folder, 'sessions.part');
    writeFileSync(part, lines.join(''));
    renameSync(part, join(this.folder, 'sessions'));
  }

  /** `/` is the desktop; `/webman/login.cgi` tells a page of this origin the token of its session. */
  #answer(req: IncomingMessage, res: ServerResponse): void {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://dsm');
    const address = String(req.headers['x-real-ip']);
    const id = /(?:^|; )id=([^;]*)/.exec(req.headers.cookie ?? '')?.[1];
    if (pathname === '/webman/login.cgi') {
      const session = this.#sessions.find((item) => item.id === id && item.address === address);
      const said =
        session === undefined ? { success: false } : { SynoToken: session.token, result: 'success', success: true };
      res.setHeader('Content-Type', 'text/plain; charset="UTF-8"');
      res.end(JSON.stringify(said));
    } else if (pathname === '/sign-in') {
      const session = this.signIn(searchParams.get('user') ?? '', address);
      res.setHeader('Set-Cookie', `id=${session.id};path=/;HttpOnly`);
      res.end('signed in');
    } else if (pathname === '/sign-out') {
      if (id !== undefined) this.signOut(id);
      res.end('signed out');
    } else {
      res.setHeader('Content-Type', 'text/html');
      res.end('<!doctype html><title>DSM</title><a href="/sitebackup/">Site Backup</a>');
    }
  }
}

/** For what has to lie where another user can get at it. */
export function openFolder(path: string): string {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
  return path;
}
