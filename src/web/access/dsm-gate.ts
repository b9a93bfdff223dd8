import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestHandler } from 'express';
import { isSameToken, isToken, newToken } from './csrf.ts';

const HEADER = 'X-Site-Backup-Gate';

/** What the location file of the package includes: see spk/nginx/site-backup.conf. */
const FILE = 'dsm-gate.conf';

/**
 * The secret by which a request shows that it came through DSM's web server, whose word for the browser's address is then
 * believed. It lies in the state folder as a line that nginx includes, for its owner only: nginx reads its files as root.
 * Made once and kept: the package's user cannot make nginx read it again, so that a new one at each start would shut
 * everybody out after a crash, or whenever nginx comes up first. Throws the system's errors.
 */
export function dsmGateSecret(stateDir: string): string {
  const path = join(stateDir, FILE);
  const known = readSecret(path);
  if (known !== undefined) {
    chmodSync(path, 0o600);
    return known;
  }
  const secret = newToken();
  const part = `${path}.part`;
  writeFileSync(part, `proxy_set_header ${HEADER} "${secret}";\n`, { mode: 0o600, flush: true });
  renameSync(part, path);
  return secret;
}

/** Answers 403 to whatever did not come through DSM's web server, such as another program of this machine at the port. */
export function dsmGate(secret: string): RequestHandler {
  return (req, res, next) => {
    if (isSameToken(req.get(HEADER) ?? '', secret)) next();
    else res.status(403).type('text').send('Open Site Backup from the DSM menu.\n');
  };
}

function readSecret(path: string): string | undefined {
  try {
    const secret = new RegExp(`^proxy_set_header ${HEADER} "([^"]*)";$`, 'm').exec(readFileSync(path, 'utf8'))?.[1];
    return isToken(secret) ? secret : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
