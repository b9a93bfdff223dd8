import { createHash } from 'node:crypto';
import type { EntryRow } from '../state/run-rows.ts';

/**
 * The name of the part for one file as it was listed: another size, time or identity is another part, so that a transfer
 * never goes on in what belongs to another content.
 */
export function partId(path: string, entry: Pick<EntryRow, 'sizeBytes' | 'stamp' | 'unique'>): string {
  return createHash('sha256')
    .update(`${path}\n${entry.sizeBytes}\n${entry.stamp ?? ''}\n${entry.unique ?? ''}`, 'latin1')
    .digest('hex')
    .slice(0, 20);
}
