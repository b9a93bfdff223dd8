import { openAppDatabase } from './app-database.ts';

/** After this long a host that once refused connections is asked for one more again. */
const LIMIT_BELIEVED_MS = 7 * 24 * 3_600_000;

/** How many connections each host and account has been seen to allow; shared by all tasks. */
export interface HostLimits {
  /** The number learned, one more when that was long ago; undefined where nothing is known. */
  read(hostKey: string, nowMs: number): number | undefined;
  remember(hostKey: string, connections: number, nowMs: number): void;
  close(): void;
}

/** Opens the application's database below `stateDir`. Throws as `openDatabase` does. */
export function openHostLimits(stateDir: string): HostLimits {
  const db = openAppDatabase(stateDir);
  return {
    read(hostKey, nowMs) {
      const row = db.prepare('SELECT connections, learned_ms FROM host_limit WHERE host_key = ?').get(hostKey) as
        { connections: number; learned_ms: number } | undefined;
      if (row === undefined) return undefined;
      return Math.abs(nowMs - row.learned_ms) > LIMIT_BELIEVED_MS ? row.connections + 1 : row.connections;
    },
    remember(hostKey, connections, nowMs) {
      db.prepare(
        `INSERT INTO host_limit (host_key, connections, learned_ms) VALUES (?, ?, ?)
         ON CONFLICT (host_key) DO UPDATE SET connections = excluded.connections, learned_ms = excluded.learned_ms`,
      ).run(hostKey, connections, nowMs);
    },
    close() {
      db.close();
    },
  };
}
