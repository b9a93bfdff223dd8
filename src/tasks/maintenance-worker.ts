/** The thread that compacts or checks databases, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { checkDatabase, compactDatabase } from '../state/database-care.ts';
import type { CareAssignment, CareMessage } from './maintenance.ts';

const port = parentPort;
if (port === null) throw new Error('maintenance-worker is started by maintenance.ts');
const { kind, files } = workerData as CareAssignment;
for (const file of files) {
  const result = kind === 'compact' ? compactDatabase(file) : checkDatabase(file);
  port.postMessage({ result } satisfies CareMessage);
}
