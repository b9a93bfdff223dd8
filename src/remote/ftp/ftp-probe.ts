import type { Clock } from '../../clock.ts';
import { BackupError, isBackupError } from '../../errors.ts';
import { pathIn } from '../../paths.ts';
import type { RemoteEntry } from '../remote.ts';
import type { FtpControl } from './ftp-control.ts';
import { replyDetail } from './ftp-errors.ts';
import { findBase } from './ftp-folder.ts';
import type { FtpFolder } from './ftp-folder.ts';
import { claims } from './ftp-knowledge.ts';
import type { FtpKnowledge, ListingCommand } from './ftp-knowledge.ts';
import { ListingRefusal, listCurrentFolder } from './ftp-listing.ts';
import type { RawListing } from './ftp-listing.ts';
import { statFile } from './ftp-stat.ts';
import { learnLines } from './ftp-verdict.ts';

/** How often a listing is asked for that the server refuses for the moment, and the pause before the second time. */
export const LISTING_TRIES_MAX = 4;
export const FIRST_PAUSE_MS = 250;

/** Dot names of one folder that are compared between two listings. */
const DOT_NAMES_MAX = 10_000;

/** The facts of MLSD that a listing is made from. */
const WANTED_FACTS = ['type', 'size', 'modify', 'unique', 'unix.mode'];

/** Makes a fresh log-in ready: binary type, encrypted data, names in UTF-8, the facts that are wanted. */
export async function prepare(control: FtpControl, knowledge: FtpKnowledge): Promise<void> {
  if (knowledge.features === undefined) {
    const reply = await control.command('FEAT');
    const lines = reply.code < 300 ? reply.text.split('\n').slice(1, -1) : [];
    knowledge.features = lines.map((line) => line.trim()).filter((line) => line !== '');
  }
  if (claims(knowledge, 'UTF8')) await control.command('OPTS UTF8 ON');
  if (control.dataTls !== undefined) {
    await control.command('PBSZ 0');
    const reply = await control.command('PROT P');
    // With implicit TLS some servers know no PROT and encrypt data all the same; we would never accept it otherwise.
    if (reply.code >= 300 && !control.isImplicitTls) {
      throw control.fail(new BackupError('tls-refused', { facts: control.facts, detail: replyDetail(reply) }));
    }
  }
  const type = await control.command('TYPE I');
  if (type.code >= 300) {
    throw control.fail(new BackupError('protocol-unusable', { facts: control.facts, detail: replyDetail(type) }));
  }
  const facts = factsToAskFor(knowledge);
  if (facts !== undefined) await control.command(`OPTS MLST ${facts}`);
}

/** What OPTS MLST must say (RFC 3659 §7.9), or undefined where the server sends all that it can already. */
function factsToAskFor(knowledge: FtpKnowledge): string | undefined {
  const line = knowledge.features?.find((feature) => /^MLST /i.test(feature));
  const offered = (line ?? '')
    .slice(5)
    .split(';')
    .map((fact) => fact.trim().toLowerCase());
  const wanted = WANTED_FACTS.filter((fact) => offered.includes(fact) || offered.includes(`${fact}*`));
  if (wanted.every((fact) => offered.includes(`${fact}*`))) return undefined;
  return wanted.map((fact) => `${fact};`).join('');
}

/**
 * Finds out, in the source folder, what the server can do, by doing it: FEAT is only a claim. Throws errors of scope
 * `run`, or `server-busy`, `timed-out`, `connection-lost`.
 */
export async function probe(
  control: FtpControl,
  knowledge: FtpKnowledge,
  folder: FtpFolder,
  wantedBase: string,
  clock: Clock,
): Promise<void> {
  knowledge.base = await findBase(control, folder, wantedBase);
  const prober = new Prober(control, knowledge, clock);
  const choice = await prober.chooseListing();
  await probeStat(control, knowledge, choice.file === undefined ? undefined : pathIn(knowledge.base, choice.file));
  knowledge.hasRestart = await canRestart(control);
  knowledge.showsHidden = choice.showsHidden;
  // Last, because it says that all this is known.
  knowledge.listing = choice.command;
}

interface Choice {
  readonly command: ListingCommand;
  readonly showsHidden: 'yes' | 'no' | 'unknown';
  readonly file: string | undefined;
}

/** One listing of the source folder, as far as the choice needs it. */
interface Sample {
  readonly raw: RawListing;
  readonly dotNames: ReadonlySet<string>;
  readonly file: string | undefined;
}

class Prober {
  readonly #control: FtpControl;
  readonly #knowledge: FtpKnowledge;
  readonly #clock: Clock;

  constructor(control: FtpControl, knowledge: FtpKnowledge, clock: Clock) {
    this.#control = control;
    this.#knowledge = knowledge;
    this.#clock = clock;
  }

  async chooseListing(): Promise<Choice> {
    const mlsd = await this.#sample('MLSD');
    const listAll = await this.#sampleListAll();
    if (!(mlsd instanceof ListingRefusal)) return chooseBesideMlsd(mlsd, listAll);
    if (!(listAll instanceof ListingRefusal) && listAll.raw.lines > 0) return chosenListAll(listAll);
    // Refused or empty: perhaps `-a` was taken for the name of a file.
    const list = await this.#sample('LIST');
    if (!(list instanceof ListingRefusal) && (listAll instanceof ListingRefusal || list.raw.entries > 0)) {
      return { command: 'LIST', showsHidden: list.dotNames.size > 0 ? 'yes' : 'unknown', file: list.file };
    }
    if (!(listAll instanceof ListingRefusal)) return chosenListAll(listAll);
    if (mlsd.isNotImplemented && listAll.isNotImplemented && list instanceof ListingRefusal && list.isNotImplemented) {
      const detail = replyDetail(list.reply);
      throw this.#control.fail(new BackupError('protocol-unusable', { facts: this.#control.facts, detail }));
    }
    // The source folder may not be listed: that is for its own listing to report, not for the log-in.
    return { command: mlsd.isNotImplemented ? 'LIST -a' : 'MLSD', showsHidden: 'unknown', file: undefined };
  }

  /** A refusal that happens once must not make the whole run blind to hidden names. */
  async #sampleListAll(): Promise<Sample | ListingRefusal> {
    const first = await this.#sample('LIST -a');
    return first instanceof ListingRefusal && !first.isNotImplemented ? this.#sample('LIST -a') : first;
  }

  /** Asks again where the server refuses for the moment: only "not implemented" may lead to a lesser command. */
  async #sample(command: ListingCommand): Promise<Sample | ListingRefusal> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#sampleOnce(command);
      const isPassing =
        outcome instanceof BackupError || (outcome instanceof ListingRefusal && outcome.reply.code < 500);
      if (!isPassing) return outcome;
      if (attempt >= LISTING_TRIES_MAX) {
        if (outcome instanceof ListingRefusal && command !== 'MLSD') return outcome;
        const detail = outcome instanceof ListingRefusal ? replyDetail(outcome.reply) : outcome.detail;
        const options = { cause: outcome, facts: this.#control.facts, ...(detail === undefined ? {} : { detail }) };
        throw this.#control.fail(new BackupError('server-busy', options));
      }
      await this.#clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }

  async #sampleOnce(command: ListingCommand): Promise<Sample | ListingRefusal | BackupError> {
    const dotNames = new Set<string>();
    let file: string | undefined;
    const onEntries = (entries: readonly RemoteEntry[]): void => {
      for (const entry of entries) {
        if (entry.name.startsWith('.') && dotNames.size < DOT_NAMES_MAX) dotNames.add(entry.name);
        if (file === undefined && entry.type === 'file') file = entry.name;
      }
    };
    try {
      const raw = await listCurrentFolder(this.#control, this.#knowledge, command, this.#clock.nowMs(), onEntries);
      learnLines(raw, command, this.#knowledge);
      return { raw, dotNames, file };
    } catch (error) {
      if (error instanceof ListingRefusal) return error;
      if (isBackupError(error, 'listing-aborted')) return error;
      throw error;
    }
  }
}

function chooseBesideMlsd(mlsd: Sample, listAll: Sample | ListingRefusal): Choice {
  if (!(listAll instanceof ListingRefusal)) {
    const isHiding = [...listAll.dotNames].some((name) => !mlsd.dotNames.has(name));
    if (isHiding) return chosenListAll(listAll);
  }
  return { command: 'MLSD', showsHidden: mlsd.dotNames.size > 0 ? 'yes' : 'unknown', file: mlsd.file };
}

function chosenListAll(listAll: Sample): Choice {
  // `.` and `..` are shown by servers that obey -a.
  const isObeyed = listAll.raw.dots > 0 || listAll.dotNames.size > 0;
  return { command: 'LIST -a', showsHidden: isObeyed ? 'yes' : 'unknown', file: listAll.file };
}

async function probeStat(control: FtpControl, knowledge: FtpKnowledge, path: string | undefined): Promise<void> {
  if (path === undefined || knowledge.needsStepwiseCwd) return;
  await statFile(control, knowledge, path);
}

async function canRestart(control: FtpControl): Promise<boolean> {
  const reply = await control.command('REST 1');
  if (reply.code === 350) await control.command('REST 0');
  return reply.code === 350;
}
