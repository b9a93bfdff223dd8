import type { RemoteEntry } from '../remote.ts';
import type { ListingCommand } from './ftp-knowledge.ts';
import type { ListingRequest, RawListing } from './ftp-listing.ts';
import type { Shard } from './ftp-shards.ts';
import { isInShard, shardPattern, shardsOf, splitShard } from './ftp-shards.ts';
import { confirms, saysTruncated } from './ftp-verdict.ts';

/** Patterns that one folder is asked for: at some 5 round trips each, a minute of a usual connection. */
const SHARDS_MAX = 200;
/** Entries of one pattern that are held until all of it has been seen to be what was asked for. */
const SHARD_ENTRIES_MAX = 20_000;
/** Lines that one listing of a server may show beside the entries and another may not: a total, `.` and `..`. */
const EXTRA_LINES = 3;

/** Lists the current folder once more; undefined where the server would not. */
export type Look = (
  request: ListingRequest,
  onEntries: (entries: readonly RemoteEntry[]) => void,
) => Promise<RawListing | undefined>;

export interface Gathered {
  readonly listings: number;
  /** Entries handed over that the first listing did not show. */
  readonly entries: number;
}

/**
 * Asks for what a listing that was cut short does not show, and hands over each entry that was not in `first`. What works
 * depends on where a server stops. Pure-FTPd 1.0.50 sorts all names and shows the first ones, so that other orders show
 * others: at least twice as many. It refuses a pattern in such a folder, as its limit is also that of names compared.
 * ProFTPD 1.3.8 (`ListOptions maxfiles`) sorts what its limit has left, but counts a pattern's matches only.
 *
 * Nothing here shows that everything was seen: orders overlap in what they show, and an empty answer to a pattern may be a
 * refusal. So the folder stays incomplete, however much was found.
 */
export async function gatherHidden(
  first: RawListing,
  command: ListingCommand,
  look: Look,
  onEntries: (entries: readonly RemoteEntry[]) => void,
): Promise<Gathered> {
  // Where `-a` was taken for a file's name, no other option and no order is known either.
  if (command === 'LIST') return { listings: 0, entries: 0 };
  const gatherer = new Gatherer(first, look, onEntries);
  const forward = command === 'LIST -a' ? first : await gatherer.wholeFolder('LIST -a');
  if (command !== 'MLSD') await gatherer.wholeFolder('MLSD');
  const known = gatherer.entries;
  const backward = await gatherer.wholeFolder('LIST -ar');
  if (forward === undefined || backward === undefined || confirms(forward, backward)) return gatherer;
  if (gatherer.entries > known) {
    // The newest come first: what has changed since the last run is most probably among them.
    for (const order of ['t', 'tr', 'S', 'Sr']) await gatherer.wholeFolder(`LIST -a${order}`);
  }
  await gatherer.byPatterns(Math.min(forward.lines, backward.lines) - EXTRA_LINES);
  return gatherer;
}

interface ListedShard {
  readonly matches: number;
  /** Entries that the pattern does not fit. */
  readonly others: number;
  readonly isCut: boolean;
}

class Gatherer implements Gathered {
  readonly #first: RawListing;
  readonly #look: Look;
  readonly #onEntries: (entries: readonly RemoteEntry[]) => void;
  listings = 0;
  entries = 0;
  /** A letter or digit that a name begins with. */
  #initial: string | undefined;

  constructor(first: RawListing, look: Look, onEntries: (entries: readonly RemoteEntry[]) => void) {
    this.#first = first;
    this.#look = look;
    this.#onEntries = onEntries;
  }

  async wholeFolder(request: ListingRequest): Promise<RawListing | undefined> {
    this.listings++;
    return this.#look(request, (entries) => {
      this.#take(entries);
    });
  }

  /** `cutLines`: a listing of so many lines may have been cut. */
  async byPatterns(cutLines: number): Promise<void> {
    if (this.#initial === undefined || cutLines <= 0) return;
    // An empty answer says nothing; so the first pattern is one of which it is known that it must show something.
    const proof = await this.#listShard({ prefix: '', next: this.#initial }, cutLines);
    if (proof === undefined || proof.matches === 0 || proof.others > 0) return;
    const waiting = shardsOf('');
    for (let asked = 1; asked < SHARDS_MAX; asked++) {
      const shard = waiting.shift();
      if (shard === undefined) return;
      const listed = await this.#listShard(shard, cutLines);
      if (listed === undefined) return;
      // All names may begin as the first pattern did, so that it proved nothing. (`!` in brackets is not known everywhere.)
      if (listed.others > 0 && shard.next !== undefined) return;
      if (listed.isCut) waiting.push(...splitShard(shard));
    }
  }

  /** undefined where the server did not answer that pattern, or with what lies in a folder that matches. */
  async #listShard(shard: Shard, cutLines: number): Promise<ListedShard | undefined> {
    const held: RemoteEntry[] = [];
    this.listings++;
    // -d: folders themselves, not what lies in them.
    const raw = await this.#look(`LIST -ad ${shardPattern(shard)}`, (entries) => {
      if (held.length < SHARD_ENTRIES_MAX) held.push(...entries.filter(({ name }) => isInShard(name, shard)));
    });
    if (raw === undefined || raw.rejectedCount > 0) return undefined;
    // Such lines come with the contents of a folder: the server does not know -d.
    if (raw.ignored > 0 || (raw.dots > 0 && shard.next !== '.')) return undefined;
    this.#take(held);
    const isCut = raw.lines >= cutLines || saysTruncated(raw.reply);
    return { matches: held.length, others: raw.entries - held.length, isCut };
  }

  #take(entries: readonly RemoteEntry[]): void {
    this.#initial ??= entries.find(({ name }) => /^[0-9A-Za-z]/.test(name))?.name.slice(0, 1);
    const hidden = entries.filter(({ name }) => this.#first.names.add(name));
    this.entries += hidden.length;
    if (hidden.length > 0) this.#onEntries(hidden);
  }
}
