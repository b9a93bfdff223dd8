import type Database from 'better-sqlite3';
import { pathIn } from '../paths.ts';
import { Statements } from './statements.ts';

/** Why a record is not believed any more; see the column `doubt` in the migrations. */
export type Doubt = 'differs' | 'copy';

/** A file of the index whose content is to be read again. Paths of the server as latin1 text. */
export interface ProofFile {
  readonly folderId: number;
  readonly folderPath: string;
  readonly name: string;
  /** Relative to `current/`. */
  readonly localPath: string;
  readonly sizeBytes: number;
  readonly sha256: Buffer;
  /** When it was last read in this way; 0: never. */
  readonly provenMs: number;
}

/** The same, with the time that was set on the copy. */
export interface TimedFile extends ProofFile {
  readonly modifiedMs: number | undefined;
}

/** Older content that is to be read again. */
export interface ProofVersion {
  readonly id: number;
  readonly path: string;
  readonly place: { readonly folder: string; readonly localPath: string };
  readonly sizeBytes: number;
  readonly sha256: Buffer;
  readonly provenMs: number;
}

/** Bytes that the index holds, and how many of them were read again since a moment. */
export interface ProofShares {
  readonly bytes: number;
  readonly verifiedBytes: number;
  readonly rehashedBytes: number;
}

type ProofRow = Omit<ProofFile, 'localPath'> & { readonly folderLocalPath: string; readonly localName: string };

type VersionRow = Omit<ProofVersion, 'place'> & ProofVersion['place'];

/** A row that sorts before all others. */
const FIRST = { provenMs: 0, folderId: 0, name: '' };

const FILE_COLUMNS = `folder_id AS folderId, folder.path AS folderPath, folder.local_path AS folderLocalPath, name,
  coalesce(local_name, name) AS localName, size_bytes AS sizeBytes, sha256`;

/** Which content was read again and when, from the server and here, and which is doubted since. */
export class ProofTables {
  readonly #db: Database.Database;
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  /**
   * Files that the server had at the last look, never verified first, then the oldest, at most `limit` after `after`.
   * Those that run `exceptRun` has brought, and those that are asked about anyway, are left out.
   */
  filesToVerify(isCode: boolean, after: ProofFile | undefined, limit: number, exceptRun: number): ProofFile[] {
    const { provenMs, folderId, name } = after ?? FIRST;
    const rows = this.#statements
      .sql(
        `SELECT ${FILE_COLUMNS}, coalesce(verified_ms, 0) AS provenMs
         FROM file JOIN folder ON folder.id = folder_id
         WHERE is_code = @isCode AND file.missing_since_run IS NULL AND coalesce(verified_ms, 0) >= @provenMs
           AND (coalesce(verified_ms, 0) > @provenMs OR (folder_id, name) > (@folderId, @name))
           AND run_id <> @exceptRun AND is_unsettled = 0 AND doubt IS NULL
         ORDER BY coalesce(verified_ms, 0), folder_id, name LIMIT @limit`,
      )
      .all({ isCode: isCode ? 1 : 0, provenMs, folderId, name, limit, exceptRun }) as ProofRow[];
    return rows.map(proofFile);
  }

  /** Everything that `body` writes is kept, or nothing of it. */
  transaction(body: () => void): void {
    this.#db.transaction(body)();
  }

  /** The content was read from the server and is what the index says. */
  setVerified({ folderId, name }: Pick<ProofFile, 'folderId' | 'name'>, nowMs: number): void {
    this.#statements.sql('UPDATE file SET verified_ms = ? WHERE folder_id = ? AND name = ?').run(nowMs, folderId, name);
  }

  /** The record is not believed any more; the next run compares its folder entry by entry. */
  doubt({ folderId, name }: Pick<ProofFile, 'folderId' | 'name'>, doubt: Doubt): void {
    this.#db.transaction(() => {
      this.#statements.sql('UPDATE file SET doubt = ? WHERE folder_id = ? AND name = ?').run(doubt, folderId, name);
      this.#statements.sql('UPDATE folder SET fingerprint = NULL WHERE id = ?').run(folderId);
    })();
  }

  /** What lies here is what was brought after all. */
  clearDoubt({ folderId, name }: Pick<ProofFile, 'folderId' | 'name'>): void {
    this.#statements.sql('UPDATE file SET doubt = NULL WHERE folder_id = ? AND name = ?').run(folderId, name);
  }

  /** Files whose copy is doubted, at most `limit` after `after`. */
  doubtedCopies(after: ProofFile | undefined, limit: number): ProofFile[] {
    const rows = this.#statements
      .sql(
        `SELECT ${FILE_COLUMNS}, 0 AS provenMs FROM file JOIN folder ON folder.id = folder_id
         WHERE doubt = 'copy' AND (folder_id, name) > (?, ?) ORDER BY folder_id, name LIMIT ?`,
      )
      .all(after?.folderId ?? 0, after?.name ?? '', limit) as ProofRow[];
    return rows.map(proofFile);
  }

  /** Files whose copy was last read before `beforeMs`, the oldest first, at most `limit` after `after`. As `filesToVerify`. */
  filesToRehash(beforeMs: number, after: ProofFile | undefined, limit: number, exceptRun: number): ProofFile[] {
    const { provenMs, folderId, name } = after ?? FIRST;
    const rows = this.#statements
      .sql(
        `SELECT ${FILE_COLUMNS}, coalesce(rehashed_ms, 0) AS provenMs
         FROM file JOIN folder ON folder.id = folder_id
         WHERE coalesce(rehashed_ms, 0) >= @provenMs AND coalesce(rehashed_ms, 0) < @beforeMs
           AND (coalesce(rehashed_ms, 0) > @provenMs OR (folder_id, name) > (@folderId, @name))
           AND run_id <> @exceptRun AND doubt IS NOT 'copy'
         ORDER BY coalesce(rehashed_ms, 0), folder_id, name LIMIT @limit`,
      )
      .all({ beforeMs, provenMs, folderId, name, limit, exceptRun }) as ProofRow[];
    return rows.map(proofFile);
  }

  setRehashed({ folderId, name }: Pick<ProofFile, 'folderId' | 'name'>, nowMs: number): void {
    this.#statements.sql('UPDATE file SET rehashed_ms = ? WHERE folder_id = ? AND name = ?').run(nowMs, folderId, name);
  }

  /** The same for older content; what run `exceptRun` has moved there is left out. */
  versionsToRehash(
    beforeMs: number,
    after: ProofVersion | undefined,
    limit: number,
    exceptRun: number,
  ): ProofVersion[] {
    const rows = this.#statements
      .sql(
        `SELECT id, path, folder, local_path AS localPath, size_bytes AS sizeBytes, sha256,
           coalesce(rehashed_ms, 0) AS provenMs
         FROM version WHERE state = 'kept' AND folder IS NOT NULL AND coalesce(rehashed_ms, 0) >= @provenMs
           AND coalesce(rehashed_ms, 0) < @beforeMs AND (coalesce(rehashed_ms, 0) > @provenMs OR id > @id)
           AND until_run <> @exceptRun
         ORDER BY coalesce(rehashed_ms, 0), id LIMIT @limit`,
      )
      .all({ beforeMs, provenMs: after?.provenMs ?? 0, id: after?.id ?? 0, limit, exceptRun }) as VersionRow[];
    return rows.map(proofVersion);
  }

  /** All older content that is kept, at most `limit` after `after`. */
  versions(after: ProofVersion | undefined, limit: number): ProofVersion[] {
    const rows = this.#statements
      .sql(
        `SELECT id, path, folder, local_path AS localPath, size_bytes AS sizeBytes, sha256, 0 AS provenMs
         FROM version WHERE state = 'kept' AND folder IS NOT NULL AND id > ? ORDER BY id LIMIT ?`,
      )
      .all(after?.id ?? 0, limit) as VersionRow[];
    return rows.map(proofVersion);
  }

  setVersionRehashed(id: number, nowMs: number): void {
    this.#statements.sql('UPDATE version SET rehashed_ms = ? WHERE id = ?').run(nowMs, id);
  }

  /** The older content is not what was kept, or is not there: the trees of the past say so from here on. */
  loseVersion(id: number, state: 'altered' | 'lost'): void {
    this.#statements
      .sql(
        `UPDATE version SET state = @state, folder = CASE @state WHEN 'lost' THEN NULL ELSE folder END,
           local_path = CASE @state WHEN 'lost' THEN NULL ELSE local_path END WHERE id = @id`,
      )
      .run({ id, state });
  }

  /** All files, in the order of their places, at most `limit` after `after`. */
  files(after: ProofFile | undefined, limit: number): TimedFile[] {
    const { folderId, name } = after ?? FIRST;
    const rows = this.#statements
      .sql(
        `SELECT ${FILE_COLUMNS}, 0 AS provenMs, modified_ms AS modifiedMs FROM file JOIN folder ON folder.id = folder_id
         WHERE (folder_id, name) > (@folderId, @name) ORDER BY folder_id, name LIMIT @limit`,
      )
      .all({ folderId, name, limit }) as (ProofRow & { modifiedMs: number | null })[];
    return rows.map(({ modifiedMs, ...row }) => ({ ...proofFile(row), modifiedMs: modifiedMs ?? undefined }));
  }

  /** No folder is passed over at the next look. */
  forgetFingerprints(): void {
    this.#statements.sql('UPDATE folder SET fingerprint = NULL').run();
  }

  /** Counts and bytes of what `filesToRehash` and `versionsToRehash` would give. */
  rehashTotals(beforeMs: number): { files: number; bytes: number } {
    return this.#statements
      .sql(
        `SELECT count(*) AS files, coalesce(sum(size_bytes), 0) AS bytes FROM (
           SELECT size_bytes FROM file WHERE coalesce(rehashed_ms, 0) < @beforeMs AND doubt IS NOT 'copy'
           UNION ALL SELECT size_bytes FROM version
             WHERE state = 'kept' AND folder IS NOT NULL AND coalesce(rehashed_ms, 0) < @beforeMs)`,
      )
      .get({ beforeMs }) as { files: number; bytes: number };
  }

  /** What was read by a clock that was ahead counts as never read: it would pass for read just now until that time comes. */
  forgetReadAfter(nowMs: number): void {
    for (const [table, column, isKept] of [
      ['file', 'verified_ms', 'is_code IN (0, 1) AND missing_since_run IS NULL'],
      ['file', 'rehashed_ms', 'TRUE'],
      ['version', 'rehashed_ms', `state = 'kept' AND folder IS NOT NULL`],
    ] as const) {
      this.#statements
        .sql(`UPDATE ${table} SET ${column} = NULL WHERE ${isKept} AND coalesce(${column}, 0) > ?`)
        .run(nowMs);
    }
  }

  /** What of `current/` was read again since `sinceMs`, and not after `nowMs`. */
  shares(sinceMs: number, nowMs: number): ProofShares {
    const bytesRead = (column: string): string =>
      `coalesce(sum(size_bytes) FILTER (WHERE ${column} BETWEEN @sinceMs AND @nowMs AND doubt IS NULL), 0)`;
    return this.#statements
      .sql(
        `SELECT coalesce(sum(size_bytes), 0) AS bytes, ${bytesRead('verified_ms')} AS verifiedBytes,
           ${bytesRead('rehashed_ms')} AS rehashedBytes
         FROM file`,
      )
      .get({ sinceMs, nowMs }) as ProofShares;
  }
}

function proofFile({ folderLocalPath, localName, ...file }: ProofRow): ProofFile {
  return { ...file, localPath: pathIn(folderLocalPath, localName) };
}

function proofVersion({ folder, localPath, ...version }: VersionRow): ProofVersion {
  return { ...version, place: { folder, localPath } };
}
