import type { FileContent } from './scripted-ftp-content.ts';

/** What a rule waits for. All that is given must fit. */
export interface FaultTrigger {
  /** One command, several, or `CONNECT` for the greeting of a new connection. */
  readonly command: string | readonly string[];
  /** The absolute path that the command is about (for a listing without argument: the current folder). */
  readonly path?: string;
  /** The number of the connection, counted from 1. */
  readonly connection?: number;
  /** Acts from the nth fitting command on. Default 1. */
  readonly nth?: number;
  /** How often it acts. Default: once where `nth` is given, otherwise always. */
  readonly times?: number;
}

/** What happens then. Fields can be combined; they act in this order. */
export interface FaultAction {
  /** Runs first, for instance to change the tree. */
  readonly run?: () => void | Promise<void>;
  readonly delayMs?: number;
  /** Closes the control connection without an answer. */
  readonly drop?: boolean;
  /** Never answers. */
  readonly hang?: boolean;
  /** This reply instead of doing the command. After a 421 the connection is closed. */
  readonly reply?: string;

  /** These bytes (or latin1 text) as the listing. */
  readonly rawListing?: string | Buffer;
  /** A listing without a single line. */
  readonly emptyListing?: boolean;
  /** Only the first lines, and this closing reply. */
  readonly truncateListing?: { readonly lines: number; readonly reply?: string };
  /** Changes the lines of the listing, given without their line ends. */
  readonly mapListing?: (lines: readonly string[]) => readonly string[];

  /** Another content than the tree's, for RETR. */
  readonly content?: FileContent;
  /** REST is answered by 350, but the file comes from its start. For a rule on RETR. */
  readonly ignoreRest?: boolean;
  /** Only this many bytes are sent, of a file or a listing: then the data connection ends as if that were all. */
  readonly sendBytes?: number;
  /** This many bytes too many, or these. */
  readonly extraBytes?: number | string | Buffer;
  /** The data connection is reset after this many bytes; `426` follows unless `finalReply` says otherwise. */
  readonly resetAfterBytes?: number;
  /** Nothing more comes after this many bytes, and no end. */
  readonly stallAfterBytes?: number;
  /** The data connection ends without TLS close_notify. */
  readonly endAbruptly?: boolean;
  /** The closing reply after the data; `none` for no reply at all. */
  readonly finalReply?: string;
  /** Closes the control connection after the data, without a closing reply. */
  readonly dropAfterData?: boolean;
}

export interface FaultRule {
  readonly on: FaultTrigger;
  readonly action: FaultAction;
}

/** How often each rule of a server was met. Rules may be added and removed at any time. */
export class FaultBook {
  readonly #rules: readonly FaultRule[];
  readonly #seen = new WeakMap<FaultRule, number>();
  readonly #acted = new WeakMap<FaultRule, number>();

  constructor(rules: readonly FaultRule[]) {
    this.#rules = rules;
  }

  /** The action of the first rule that is due, or an empty one. Every fitting rule counts the command. */
  actionFor(command: string, path: string | undefined, connection: number): FaultAction {
    let due: FaultRule | undefined;
    for (const rule of this.#rules) {
      if (!fits(rule.on, command, path, connection)) continue;
      const seen = (this.#seen.get(rule) ?? 0) + 1;
      this.#seen.set(rule, seen);
      const { nth = 1, times = rule.on.nth === undefined ? Infinity : 1 } = rule.on;
      if (due === undefined && seen >= nth && this.timesActed(rule) < times) due = rule;
    }
    if (due === undefined) return {};
    this.#acted.set(due, this.timesActed(due) + 1);
    return due.action;
  }

  timesActed(rule: FaultRule): number {
    return this.#acted.get(rule) ?? 0;
  }
}

function fits(on: FaultTrigger, command: string, path: string | undefined, connection: number): boolean {
  const commands = typeof on.command === 'string' ? [on.command] : on.command;
  return (
    commands.includes(command) &&
    (on.path === undefined || on.path === path) &&
    (on.connection === undefined || on.connection === connection)
  );
}
