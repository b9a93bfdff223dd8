import { BackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { GuardFinding, GuardName } from '../settings/guard-finding.ts';
import type { GuardedKind } from '../state/guard-tables.ts';
import type { Hold, HoldFindings } from '../state/hold-store.ts';
import { checkGuards, isCovered } from './guards.ts';
import type { RunContext } from './run-context.ts';

/** Paths that are named for one finding, and folders that are named in all. */
const EXAMPLES_MAX = 5;
const LOSSES_MAX = 8;
/** What was accepted covers a look at the site for so long: what is found weeks later is another matter. */
const ACCEPTED_MS_MAX = 7 * 86_400_000;

/**
 * Looks at a finished plan before any of it is done. Where it passes a limit that nobody has accepted, everything that
 * would replace, retire or mark is held, and a question is open; otherwise an open question is closed. To be called in
 * the transaction that makes the plan the work to be done. `identity` is what the server shows of itself.
 */
export function guardPlan(context: RunContext, identity: Readonly<Record<string, string>>): void {
  const { guards, holds, runId, settings, notice } = context;
  const newest = holds.newest();
  const decided = newest?.usedRun === undefined ? newest : undefined;
  if (decided?.decision === 'kept') {
    if (guards.totals().vanishedFiles <= decided.vanished) guards.keepVanished();
    holds.use(decided.id, runId);
  }
  const totals = guards.totals();
  const found = checkGuards(totals, settings.guards, otherServer(guards.identity(), identity));
  const isAccepted = decided?.decision === 'accepted' && isOfLate(decided, context) && isCovered(found, decided);
  if (found.length === 0 || isAccepted) {
    holds.pass();
    // With nothing left to accept the acceptance is spent, too: it was not for what may come some other day.
    if (isAccepted) holds.use(decided.id, runId);
    if (isAccepted && found.length > 0) notice('guard-accepted', undefined, found.map(shortWords).join('; '));
    guards.setIdentity(identity);
    return;
  }
  const findings: HoldFindings = {
    findings: found.map((finding) => ({ ...finding, examples: examplesOf(context, finding) })),
    files: totals.heldFiles,
    vanished: totals.vanishedFiles,
    replaced: totals.changedFiles,
    folders: guards.losses(LOSSES_MAX).map((loss) => ({ ...loss, path: decodeRemoteName(loss.path) })),
  };
  guards.holdSteps();
  holds.hold(runId, context.clock.nowMs(), findings);
}

function isOfLate({ decidedMs = 0 }: Hold, { clock }: RunContext): boolean {
  const ageMs = clock.nowMs() - decidedMs;
  return ageMs >= 0 && ageMs <= ACCEPTED_MS_MAX;
}

/** Goes on with held work that has been accepted since. */
export function releaseHeld(
  { guards, holds, runId, notice }: RunContext,
  identity: Readonly<Record<string, string>>,
): void {
  const accepted = holds.newest();
  if (accepted?.decision !== 'accepted' || !guards.hasHeldSteps()) return;
  guards.releaseSteps();
  guards.setIdentity(identity);
  holds.use(accepted.id, runId);
  notice('guard-accepted', undefined, accepted.findings.map(shortWords).join('; '));
}

/** Ends the run here where some of its work is held. What was found has been written down before. */
export function assertNotHeld({ guards, holds, log, notice }: RunContext): void {
  if (!guards.hasHeldSteps()) return;
  const hold = holds.newest();
  const { vanished = 0, replaced = 0, files = 0, findings = [] } = hold ?? {};
  for (const finding of findings) notice('guard-tripped', undefined, shortWords(finding));
  log.warn('run-held', { vanished, replaced, files, guards: findings.map(({ guard }) => guard).join(', ') });
  throw new BackupError('guard-held', { facts: { vanished, replaced, files } });
}

const EXAMPLE_KINDS: Readonly<Record<GuardName, GuardedKind>> = {
  vanishedPercent: 'vanished',
  vanishedFiles: 'vanished',
  emptiedFolders: 'vanished',
  shrunkPercent: 'shrunk',
  changedPercent: 'changed',
  emptiedFiles: 'emptied',
  suffixPercent: 'suffix',
  serverChanged: 'changed',
};

function examplesOf({ guards }: RunContext, { guard, subject }: GuardFinding): string[] {
  const own = guards.examples(EXAMPLE_KINDS[guard], EXAMPLES_MAX, subject?.slice(1));
  // A site shrinks by files that have gone as well.
  const paths = own.length > 0 ? own : guards.examples('vanished', EXAMPLES_MAX);
  return paths.map((path) => decodeRemoteName(path));
}

/** For the log: `vanishedPercent 312/400 > 10`. */
function shortWords({ guard, count, total, limit, subject }: GuardFinding): string {
  return `${guard} ${count}/${total}${limit === 0 ? '' : ` > ${limit}`}${subject === undefined ? '' : ` (${subject})`}`;
}

/** Which of the facts that the server told last time are others now; undefined where none is, or none is known. */
function otherServer(
  before: Readonly<Record<string, string>> | undefined,
  now: Readonly<Record<string, string>>,
): string | undefined {
  const others = Object.keys(now).filter((name) => before?.[name] !== undefined && before[name] !== now[name]);
  return others.length === 0 ? undefined : others.join(', ');
}
