export type ListingCommand = 'MLSD' | 'LIST -a' | 'LIST';

/** What the closing replies of one listing command were like so far. */
export interface ReplyHabit {
  seen: number;
  /** How often its one number was the number of lines or entries, and how often not. */
  countMatches: number;
  countMismatches: number;
}

/**
 * What was found out about one server by trying. All sessions of a source share it and add to it, so that one finds
 * out what the others need not try again.
 */
export interface FtpKnowledge {
  features: readonly string[] | undefined;
  /** Which way to a data connection has worked. */
  passive: 'EPSV' | 'PASV' | undefined;
  /** The source folder as an absolute path on the server, latin1 text; `/` may have become the log-in's home. */
  base: string | undefined;
  /** True where the server takes no path with several parts in CWD. */
  needsStepwiseCwd: boolean;
  listing: ListingCommand | undefined;
  showsHidden: 'yes' | 'no' | 'unknown';
  stat: 'untried' | 'MLST' | 'MDTM' | 'none';
  hasRestart: boolean;
  /** Ways to ask for a hash that FEAT names and that were refused. */
  readonly refusedHashes: Set<string>;
  /**
   * ProFTPD 1.3.8 (Debian 12) dies of a signal, whatever the client, once its shared session cache (mod_tls_shmcache) is
   * full, and under TLS 1.3 every data connection adds to that cache. So a server that hangs up in the middle of a
   * transfer under TLS 1.3 is spoken to in TLS 1.2 from then on, if it can.
   */
  tlsVersionMax: 'TLSv1.2' | 'TLSv1.3';
  refusesTls12: boolean;
  /** Listing commands that show `.`, `..` or a total even in an empty folder. */
  readonly alwaysHasLines: Set<ListingCommand>;
  /** The longest listing that each command has given: no cap lies below it. */
  readonly largestListing: Map<ListingCommand, number>;
  /** Closing replies by command and text, digits left out. */
  readonly replyHabits: Map<string, ReplyHabit>;
}

export function emptyKnowledge(): FtpKnowledge {
  return {
    features: undefined,
    passive: undefined,
    base: undefined,
    needsStepwiseCwd: false,
    listing: undefined,
    showsHidden: 'unknown',
    stat: 'untried',
    hasRestart: false,
    refusedHashes: new Set(),
    tlsVersionMax: 'TLSv1.3',
    refusesTls12: false,
    alwaysHasLines: new Set(),
    largestListing: new Map(),
    replyHabits: new Map(),
  };
}

/** True where a line of FEAT begins with `name` (RFC 2389 §3.2). A claim, not a proof. */
export function claims(knowledge: FtpKnowledge, name: string): boolean {
  const wanted = name.toUpperCase();
  return (knowledge.features ?? []).some((line) => {
    const upper = line.toUpperCase();
    return upper === wanted || upper.startsWith(`${wanted} `);
  });
}
