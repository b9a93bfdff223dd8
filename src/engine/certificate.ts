import type { ErrorCode } from '../errors.ts';
import type { RemoteCapabilities } from '../remote/remote.ts';
import type { ProofShares } from '../state/proof-tables.ts';

/** How far a server can be believed: A tells changes exactly and is encrypted, E leaves them to be guessed. */
export type Grade = 'A' | 'B' | 'C' | 'D' | 'E';

/** What a server's grade comes from, each with the best grade that it leaves. Texts: `grade.<reason>`. */
const GRADE_REASONS = {
  'exact-times': 'A',
  'no-identity': 'B',
  'asked-singly': 'C',
  'not-encrypted': 'C',
  'coarse-times': 'D',
  'hidden-unseen': 'D',
  'listings-unreadable': 'D',
  'listings-cut': 'E',
  'no-times': 'E',
} as const satisfies Record<string, Grade>;

export type GradeReason = keyof typeof GRADE_REASONS;

/** The shares count what was read again within so many days. */
export const PROOF_DAYS = 30;

/** What a run can vouch for. Old reports have none. */
export interface Certificate {
  readonly folders: { readonly complete: number; readonly total: number };
  readonly filesFailed: number;
  /** In `current/`, and of these, read again within PROOF_DAYS: from the server, and on the NAS. */
  readonly bytes: number;
  readonly verifiedBytes: number;
  readonly rehashedBytes: number;
  readonly grade: Grade;
  /** What holds the grade down, the worst first; for A, what makes it. */
  readonly reasons: readonly GradeReason[];
}

export interface CertificateFacts {
  readonly folders: { readonly complete: number; readonly incomplete: number };
  readonly filesFailed: number;
  readonly shares: ProofShares;
  readonly server: Pick<RemoteCapabilities, 'timePrecision' | 'hasStat' | 'isEncrypted' | 'showsHidden'>;
  /** The server tells an identity (device and inode) of each object. */
  readonly hasIdentity: boolean;
  readonly failureCodes: readonly ErrorCode[];
}

export function certify(facts: CertificateFacts): Certificate {
  const { folders, filesFailed, shares } = facts;
  const reasons = gradeReasons(facts).sort((a, b) => GRADE_REASONS[b].localeCompare(GRADE_REASONS[a]));
  const worst = reasons[0];
  return {
    folders: { complete: folders.complete, total: folders.complete + folders.incomplete },
    filesFailed,
    ...shares,
    grade: worst === undefined ? 'A' : GRADE_REASONS[worst],
    reasons: worst === undefined ? ['exact-times'] : reasons,
  };
}

function gradeReasons({ server, hasIdentity, failureCodes }: CertificateFacts): GradeReason[] {
  const found: GradeReason[] = [];
  if (server.timePrecision === 'none') found.push('no-times');
  else if (server.timePrecision !== 'second') found.push(server.hasStat ? 'asked-singly' : 'coarse-times');
  else if (!hasIdentity) found.push('no-identity');
  if (!server.isEncrypted) found.push('not-encrypted');
  if (server.showsHidden === 'no') found.push('hidden-unseen');
  if (failureCodes.includes('listing-unparsed')) found.push('listings-unreadable');
  if (failureCodes.includes('listing-truncated')) found.push('listings-cut');
  return found;
}
