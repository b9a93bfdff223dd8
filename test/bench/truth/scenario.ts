/**
 * What one scenario of the truth suite is: a site, the nights of its life, what goes wrong in each, and what a backup
 * that cannot lie then has and says. Plain data, so that the same table is played against this program and others.
 */
import type { RunOutcome } from '../../../src/engine/run-report.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import type { RunOverrides } from '../../support/backup-fixture.ts';
import type { ServerSoftware } from '../../support/debian-package-files.ts';
import type { FileContent } from '../../support/scripted-ftp-content.ts';
import type { RealServer } from '../../support/real-ftp-servers.ts';
import type { ScriptedServerOptions } from '../../support/scripted-ftp-options.ts';
import type { ScriptedServer } from '../../support/scripted-ftp-server.ts';
import type { FileOptions, SampleFile } from '../../support/scripted-ftp-tree.ts';

/** The site on the server. Paths are absolute, bytes held as latin1 text. */
export interface Site {
  writeFile(path: string, content: FileContent, options?: Pick<FileOptions, 'mtimeMs' | 'isReplaced'>): void;
  remove(path: string): void;
  rename(from: string, to: string): void;
  setMode(path: string, mode: number): void;
  addLink(path: string, target: string): void;
  files(): Iterable<SampleFile>;
}

/** Takes back what it did when the night is over, where that is more than rules and options of the server. */
export type Undo = () => void;

export interface Night<Server = ScriptedServer> {
  /** What the owner of the site does by day; `editSite` unless told. */
  readonly change?: (site: Site) => void;
  /** What goes wrong during the run. Rules and options of the server are put back afterwards. */
  readonly trouble?: (server: Server) => Undo | undefined | Promise<undefined>;
  /** The clock of this machine is wrong by so much during the run. Only where `ownOnly` is given. */
  readonly nasClockMs?: number;
  /** What is wrong with the target folder during the run; put right before it is looked at. Only with `ownOnly`. */
  readonly targetTrouble?: (targetFolder: string) => Undo;
  /** A program that gets everything and complains all the same has a reason. */
  readonly mayComplain?: boolean;
  readonly expect: Expected;
}

/** What must be true after a run of this program. What is not given must not have happened. */
export interface Expected {
  readonly outcome: RunOutcome;
  /** Why it failed, was held or was cancelled. */
  readonly cause?: ErrorCode;
  /** All failures, as `code path`. */
  readonly failures?: readonly string[];
  /** All files of the server that do not lie under `current/` as they are there now. */
  readonly behind?: readonly string[];
  /** All files under `current/` that the server has not. */
  readonly leftovers?: readonly string[];
  /** Some of the notices, as `code path`. */
  readonly notices?: readonly string[];
  /** Files brought by this run, failed attempts not counted. */
  readonly downloaded?: number;
  readonly vanished?: number;
}

interface ScenarioBase<Server> {
  /** Also the name of the test. */
  readonly name: string;
  /** One sentence for the table. */
  readonly about: string;
  /** The site before the first night; `makeSite` unless told. */
  readonly site?: (site: Site) => void;
  /** There is no good run before the first night. */
  readonly isFirstRun?: boolean;
  readonly nights: readonly Night<Server>[];
  /** Settings of this program's task that differ from those of the other scenarios. */
  readonly run?: RunOverrides;
  /** The site itself was damaged: what a mirror then takes away was good. */
  readonly isDisaster?: boolean;
  /** Why other programs do not play it. */
  readonly ownOnly?: string;
  /** Options for the other programs without which the scenario would be unfair to them. */
  readonly peerOptions?: { readonly lftp?: readonly string[]; readonly rclone?: readonly string[] };
}

export interface ScriptedScenario extends ScenarioBase<ScriptedServer> {
  readonly server?: Partial<ScriptedServerOptions>;
  /** The trouble is the server's nature: there is no good run to be had afterwards. */
  readonly isLasting?: boolean;
}

/** Played on a server as Debian builds it. */
export interface RealScenario extends ScenarioBase<RealServer> {
  readonly software: ServerSoftware;
}

export type Scenario = ScriptedScenario | RealScenario;

export function isReal(scenario: Scenario): scenario is RealScenario {
  return 'software' in scenario;
}
