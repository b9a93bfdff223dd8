import type { GuardFinding, GuardName } from '../settings/guard-finding.ts';
import type { GuardSettings } from '../settings/task-settings.ts';
import type { GuardTotals } from '../state/guard-tables.ts';
import type { HoldFindings } from '../state/hold-store.ts';

/**
 * A share is a sign by itself from so many files on: in a small site every evening's work is a large share, and what it
 * replaces is easily looked through among the versions.
 */
export const SHARE_FILES_MIN = 20;
/** From so many on, two signs together count: a small site whose files have gone and whose new ones all end alike. */
export const JOINT_FILES_MIN = 5;
/** A server that shows another identity counts where more than this share of the files has gone or changed, too. */
const OTHER_SERVER_PERCENT = 5;

interface Sign {
  readonly finding: GuardFinding;
  /** Enough by itself to hold the run. */
  readonly isEnough: boolean;
}

/**
 * The limits that a plan passes: more than was allowed, never as much as. Empty: the plan may go on. `otherServer` is
 * what shows that the server is another one than at the last run. Nothing is found while the backup holds no files.
 */
export function checkGuards(
  totals: GuardTotals,
  limits: GuardSettings,
  otherServer: string | undefined,
): readonly GuardFinding[] {
  if (totals.heldFiles === 0) return [];
  const signs = [
    ...lossSigns(totals, limits),
    ...changeSigns(totals, limits),
    ...suffixSigns(totals, limits),
    ...serverSigns(totals, limits, otherServer),
  ];
  const isHeld = signs.some(({ isEnough }) => isEnough) || signs.length > 1;
  return isHeld ? signs.map(({ finding }) => finding) : [];
}

/** True where everything that was found is among what has been accepted, about the same subject and in no larger number. */
export function isCovered(found: readonly GuardFinding[], accepted: HoldFindings): boolean {
  return found.every((finding) =>
    accepted.findings.some(
      ({ guard, subject, count }) => guard === finding.guard && subject === finding.subject && finding.count <= count,
    ),
  );
}

function lossSigns(totals: GuardTotals, limits: GuardSettings): Sign[] {
  const { heldFiles, heldBytes, vanishedFiles, emptiedFolders } = totals;
  const signs = share('vanishedPercent', vanishedFiles, heldFiles, vanishedFiles, limits.vanishedPercent);
  if (limits.vanishedFiles !== undefined && vanishedFiles > limits.vanishedFiles) {
    signs.push(enough('vanishedFiles', vanishedFiles, heldFiles, limits.vanishedFiles));
  }
  const emptied = emptiedFolders.filter(({ files }) => files >= JOINT_FILES_MIN);
  const [first] = emptied;
  if (limits.emptiedFolders && first !== undefined) {
    const files = emptied.reduce((sum, folder) => sum + folder.files, 0);
    signs.push(enough('emptiedFolders', files, heldFiles, 0, first.path));
  }
  // What has come counts against what has gone: an archive that is made anew each night under another name is no loss.
  const lostBytes = totals.vanishedBytes - totals.grownBytes - totals.newBytes;
  const files = vanishedFiles + totals.shrunkFiles;
  return [...signs, ...share('shrunkPercent', lostBytes, heldBytes, files, limits.shrunkPercent)];
}

function changeSigns(totals: GuardTotals, limits: GuardSettings): Sign[] {
  const { heldFiles, changedFiles, emptiedFiles } = totals;
  const signs = share('changedPercent', changedFiles, heldFiles, changedFiles, limits.changedPercent);
  if (limits.emptiedFiles !== undefined && emptiedFiles > limits.emptiedFiles) {
    signs.push(enough('emptiedFiles', emptiedFiles, heldFiles, limits.emptiedFiles));
  }
  return signs;
}

/** Only new files with a new ending are an upload; where old ones go with it, they have been renamed or rewritten. */
function suffixSigns(totals: GuardTotals, limits: GuardSettings): Sign[] {
  const { suffix, newFiles, changedFiles, vanishedFiles } = totals;
  if (suffix === undefined || (vanishedFiles + changedFiles) * 2 < suffix.files) return [];
  return share(
    'suffixPercent',
    suffix.files,
    newFiles + changedFiles,
    suffix.files,
    limits.suffixPercent,
    `.${suffix.text}`,
  );
}

/** Certificates and greetings are renewed for good reasons; together with other content they say that the server moved. */
function serverSigns(totals: GuardTotals, limits: GuardSettings, otherServer: string | undefined): Sign[] {
  const touched = totals.vanishedFiles + totals.changedFiles;
  const isMuch = touched >= JOINT_FILES_MIN && touched * 100 > OTHER_SERVER_PERCENT * totals.heldFiles;
  return limits.serverChanged && otherServer !== undefined && isMuch
    ? [enough('serverChanged', touched, totals.heldFiles, 0, otherServer)]
    : [];
}

function share(
  guard: GuardName,
  count: number,
  total: number,
  files: number,
  limit: number | undefined,
  subject?: string,
): Sign[] {
  if (limit === undefined || files < JOINT_FILES_MIN || count * 100 <= limit * total) return [];
  return [{ finding: { guard, count, total, limit, subject }, isEnough: files >= SHARE_FILES_MIN }];
}

function enough(guard: GuardName, count: number, total: number, limit: number, subject?: string): Sign {
  return { finding: { guard, count, total, limit, subject }, isEnough: true };
}
