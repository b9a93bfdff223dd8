import type { BackupError } from '../errors.ts';
import { isBackupError } from '../errors.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { Part } from '../local/part.ts';
import type { Target } from '../local/target.ts';
import type { Arrived, Step } from '../state/run-rows.ts';
import { partId } from './part-id.ts';
import type { RunContext } from './run-context.ts';

/** Files that are made visible together: two waits for the disk serve them all. */
const BATCH_FILES_MAX = 64;
/** No whole file waits longer for its place than this. */
const BATCH_WAIT_MS = 300;

interface Pending {
  readonly step: Step;
  readonly part: Part;
  readonly arrived: Arrived;
}

/**
 * Puts whole files into their places and into the index, in batches. Killed at any instruction, it leaves no record of
 * what is not there: first the intention is kept and the old record dropped, then the file moves, then the new record
 * is made; `recover` finishes what was begun.
 */
export class Recorder {
  readonly #context: RunContext;
  readonly #target: Target;
  readonly #versionName: string;
  readonly #onFailed: (step: Step, error: BackupError) => void;
  #pending: Pending[] = [];
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #fault: Error | undefined;

  constructor(
    context: RunContext,
    target: Target,
    versionName: string,
    onFailed: (step: Step, error: BackupError) => void,
  ) {
    this.#context = context;
    this.#target = target;
    this.#versionName = versionName;
    this.#onFailed = onFailed;
  }

  /** Takes over a finished part. Waits while a full batch is being put away, and throws what stopped an earlier one. */
  async add(step: Step, part: Part, arrived: Arrived): Promise<void> {
    this.#throwFault();
    this.#noteWhole(step, arrived);
    this.#pending.push({ step, part, arrived });
    if (this.#pending.length >= BATCH_FILES_MAX) {
      await this.flush();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush().catch((error: unknown) => {
        this.#fault ??= error instanceof Error ? error : new Error(String(error));
      });
    }, BATCH_WAIT_MS);
  }

  /** Resolves once all that was added is in its place and in the index. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#pending;
    this.#pending = [];
    const working = this.#working.then(() => this.#put(batch));
    // The next batch goes its own way; this one's error is the caller's.
    this.#working = working.catch(() => undefined);
    await working;
    this.#throwFault();
  }

  /** What an earlier process had whole, and perhaps not in its place or not in the index. */
  async recover(): Promise<void> {
    const { tables } = this.#context;
    for (;;) {
      const steps = tables.steps('whole', ['download'], 0, BATCH_FILES_MAX);
      if (steps.length === 0) return;
      for (const step of steps) {
        try {
          if (await this.#recoverStep(step)) continue;
        } catch (error) {
          if (!isBackupError(error) || error.scope !== 'file') throw error;
        }
        tables.setStep(step.id, 'todo');
      }
    }
  }

  async #recoverStep(step: Step): Promise<boolean> {
    if (step.got === undefined) return false;
    const { tables, index } = this.#context;
    const entry = tables.entry(step.runFolderId, step.name);
    if (entry === undefined) return false;
    const path = step.localPath as LocalPath;
    const part = await this.#target.openPart(partId(tables.pathOf(step), entry));
    if (await part.adopt(step.got)) {
      index.removeFile(tables.folderIdOf(step.runFolderId), step.name);
      await this.#place(part, path);
    } else {
      await part.discard();
      if (!(await this.#target.holds(path, step.got))) return false;
    }
    await this.#target.flush();
    const got = step.got;
    tables.transaction(() => {
      this.#record(step, got);
    });
    return true;
  }

  /** Without a wait for the disk: enough for a process that is killed. For a power cut, `#put` writes it again. */
  #noteWhole(step: Step, arrived: Arrived): void {
    const { tables } = this.#context;
    tables.setDurable(false);
    tables.setWhole(step.id, arrived);
    tables.setDurable(true);
  }

  async #put(batch: readonly Pending[]): Promise<void> {
    if (batch.length === 0) return;
    const { tables, index } = this.#context;
    tables.transaction(() => {
      for (const { step, arrived } of batch) {
        tables.setWhole(step.id, arrived);
        index.removeFile(tables.folderIdOf(step.runFolderId), step.name);
      }
    });
    const placed: Pending[] = [];
    for (const pending of batch) {
      try {
        await this.#place(pending.part, pending.step.localPath as LocalPath);
        placed.push(pending);
      } catch (error) {
        if (!isBackupError(error) || error.scope !== 'file') throw error;
        await pending.part.discard();
        this.#onFailed(pending.step, error);
      }
    }
    await this.#target.flush();
    tables.transaction(() => {
      for (const { step, arrived } of placed) this.#record(step, arrived);
    });
  }

  async #place(part: Part, path: LocalPath): Promise<void> {
    try {
      await part.moveTo(path);
    } catch (error) {
      if (!isBackupError(error) || error.scope !== 'file' || (await this.#target.kindOf(path)) !== 'folder')
        throw error;
      // No record claims it: an earlier run dropped the records, and then could not move the folder away.
      await this.#target.retire(path, this.#versionName);
      await part.moveTo(path);
    }
  }

  #record(step: Step, arrived: Arrived): void {
    const { tables, index, runId, progress } = this.#context;
    const entry = tables.entry(step.runFolderId, step.name);
    if (entry === undefined) throw new Error('a step without its entry');
    index.putFile(
      tables.folderIdOf(step.runFolderId),
      {
        name: step.name,
        sizeBytes: arrived.sizeBytes,
        stamp: entry.stamp,
        stampMs: entry.stampMs,
        precision: entry.precision,
        modifiedMs: arrived.modifiedMs,
        unique: entry.unique,
        mode: entry.mode,
        sha256: arrived.sha256,
        localName: step.localPath.slice(step.localPath.lastIndexOf('/') + 1),
        isUnsettled: arrived.isUnsettled,
      },
      runId,
    );
    tables.setStep(step.id, 'done');
    progress.filesDone++;
  }

  #throwFault(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }
}
