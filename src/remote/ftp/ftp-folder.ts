import { BackupError } from '../../errors.ts';
import type { FtpControl } from './ftp-control.ts';
import type { FtpReply } from './ftp-errors.ts';
import { replyDetail } from './ftp-errors.ts';
import type { FtpKnowledge } from './ftp-knowledge.ts';

/** The current folder of one session. Paths are absolute paths on the server, latin1 text. */
export class FtpFolder {
  readonly #control: FtpControl;
  readonly #knowledge: FtpKnowledge;
  #current: string | undefined;

  constructor(control: FtpControl, knowledge: FtpKnowledge) {
    this.#control = control;
    this.#knowledge = knowledge;
  }

  /**
   * Makes `path` the current folder, with one CWD or none. Resolves to undefined, or to the reply that refused it. Only
   * a positive CWD shows that a folder is there: a listing of a missing one may be an empty success.
   */
  async change(path: string): Promise<FtpReply | undefined> {
    if (this.#current === path) return undefined;
    this.#current = undefined;
    let refusal: FtpReply | undefined;
    if (!this.#knowledge.needsStepwiseCwd) {
      refusal = await this.#cwd(path);
      if (refusal !== undefined && (refusal.code < 500 || !path.includes('/', 1))) return refusal;
    }
    if (refusal !== undefined || this.#knowledge.needsStepwiseCwd) {
      const stepRefusal = await this.#stepTo(path);
      // The first answer is about the whole path, and the one to show.
      if (stepRefusal !== undefined) return refusal ?? stepRefusal;
      this.#knowledge.needsStepwiseCwd = true;
    }
    this.#current = path;
    return undefined;
  }

  async #stepTo(path: string): Promise<FtpReply | undefined> {
    const steps = ['/', ...path.split('/').filter((step) => step !== '')];
    for (const step of steps) {
      const refusal = await this.#cwd(step);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  async #cwd(path: string): Promise<FtpReply | undefined> {
    const reply = await this.#control.command(`CWD ${path}`);
    return reply.code < 300 ? undefined : reply;
  }
}

/**
 * Finds the source folder on the server and goes there. `/` is the top of what the log-in may see; where the server
 * refuses that, the folder in which the log-in began. Throws `remote-folder-missing`.
 */
export async function findBase(control: FtpControl, folder: FtpFolder, wanted: string): Promise<string> {
  const refusal = await folder.change(wanted);
  if (refusal === undefined) return wanted;
  if (wanted === '/') {
    const home = quotedPath((await control.command('PWD')).text);
    if (home !== undefined && home !== '/' && (await folder.change(home)) === undefined) return home;
  }
  throw new BackupError('remote-folder-missing', {
    facts: { ...control.facts, path: wanted },
    detail: replyDetail(refusal),
  });
}

/** The path in `257 "path" …`, in which `""` stands for `"` (RFC 959, Appendix II). */
export function quotedPath(text: string): string | undefined {
  const match = /^257[ -][^"]*"((?:[^"]|"")*)"/.exec(text);
  const path = match?.[1]?.replaceAll('""', '"');
  if (path?.startsWith('/') !== true) return undefined;
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
