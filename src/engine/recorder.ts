import type { BackupError } from '../errors.ts';
import { isBackupError } from '../errors.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { Part } from '../local/part.ts';
import type { Target } from '../local/target.ts';
import { nameOf } from '../paths.ts';
import type { Arrived, Step } from '../state/run-rows.ts';
import { partId } from './part-id.ts';
import type { RunContext } from './run-context.ts';
import type { Departure, VersionKeeper } from './version-keeper.ts';

/** Files that are made visible together: two waits for the disk serve them all. */
const BATCH_FILES_MAX = 64;
/** No whole file waits longer for its place than this. */
const BATCH_WAIT_MS = 300;

interface Pending {
  readonly step: Step;
  readonly part: Part;
  readonly arrived: Arrived;
}

/** A pending file, and what has to make room for it. */
interface Arrival extends Pending {
  readonly departure: Departure | undefined;
}

/**
 * Puts whole files into their places and into the index, in batches; what they replace goes to the versions first. Killed
 * at any instruction, it leaves no record of what is not there: first the intention is kept and the old record dropped,
 * then the files move, then the new record is made; `recover` finishes what was begun.
 */
export class Recorder {
  readonly #context: RunContext;
  readonly #target: Target;
  readonly #keeper: VersionKeeper;
  readonly #versionName: string;
  readonly #onFailed: (step: Step, error: BackupError) => void;
  #pending: Pending[] = [];
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #fault: Error | undefined;

  constructor(
    context: RunContext,
    target: Target,
    keeper: VersionKeeper,
    versionName: string,
    onFailed: (step: Step, error: BackupError) => void,
  ) {
    this.#context = context;
    this.#target = target;
    this.#keeper = keeper;
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
    const { tables } = this.#context;
    const entry = tables.entry(step.runFolderId, step.name);
    if (entry === undefined) return false;
    const part = await this.#target.openPart(partId(tables.pathOf(step), entry));
    const arrived = step.got;
    if (await part.adopt(arrived)) {
      await this.#put([{ step, part, arrived }]);
      return true;
    }
    await part.discard();
    if (!(await this.#target.holds(step.localPath as LocalPath, arrived))) return false;
    await this.#target.flush();
    tables.transaction(() => {
      this.#record(step, arrived);
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
    const { tables } = this.#context;
    const arrivals = await this.#eachOf(batch, async (pending) => ({
      ...pending,
      departure: await this.#departureFor(pending),
    }));
    tables.transaction(() => {
      for (const { step, arrived, departure } of arrivals) {
        tables.setWhole(step.id, arrived);
        departure?.note();
      }
    });
    const kept = await this.#eachOf(arrivals, async (arrival) => {
      await arrival.departure?.keep('link');
      return arrival;
    });
    // What was there survives a power cut in the versions before anything takes its place.
    if (kept.some(({ departure }) => departure !== undefined)) await this.#target.flush();
    const placed = await this.#eachOf(kept, async (arrival) => {
      await this.#place(arrival);
      return arrival;
    });
    await this.#target.flush();
    tables.transaction(() => {
      for (const { step, arrived, departure } of placed) {
        departure?.settle();
        this.#record(step, arrived);
      }
    });
  }

  /** Does `work` for each; one whose own file is at fault fails alone, and what made room for it comes back. */
  async #eachOf<T extends Pending & { departure?: Departure | undefined }>(
    items: readonly T[],
    work: (item: T) => Promise<Arrival>,
  ): Promise<Arrival[]> {
    const done: Arrival[] = [];
    for (const item of items) {
      try {
        done.push(await work(item));
      } catch (error) {
        if (!isBackupError(error) || error.scope !== 'file') throw error;
        await item.departure?.undo();
        await item.part.discard();
        this.#onFailed(item.step, error);
      }
    }
    return done;
  }

  /** undefined where nothing is known to lie there, or the same content does. */
  #departureFor({ step, arrived }: Pending): Promise<Departure | undefined> {
    const { tables } = this.#context;
    const folderId = tables.folderIdOf(step.runFolderId);
    if (this.#hasSame(folderId, step.name, arrived)) return Promise.resolve(undefined);
    const origin = step.localPath as LocalPath;
    return this.#keeper.prepare({ folderId, name: step.name, origin, reason: 'replaced' });
  }

  #hasSame(folderId: number, name: string, arrived: Arrived): boolean {
    const record = this.#context.index.file(folderId, name);
    return record?.sizeBytes === arrived.sizeBytes && record.sha256.equals(arrived.sha256);
  }

  async #place({ part, step, arrived, departure }: Arrival): Promise<void> {
    const { tables, subtrees } = this.#context;
    const path = step.localPath as LocalPath;
    // Nothing is replaced here without being kept, not even what no record tells of.
    if (departure === undefined) await this.#target.setAside(path, arrived, this.#versionName);
    try {
      await part.moveTo(path);
    } catch (error) {
      const isFolder = isBackupError(error) && error.scope === 'file' && (await this.#target.kindOf(path)) === 'folder';
      // What the index claims to lie in it must not leave unnoticed.
      if (!isFolder || subtrees.filesBelow(tables.pathOf(step)) > 0) throw error;
      await this.#target.retire(path, this.#versionName);
      await part.moveTo(path);
    }
  }

  #record(step: Step, arrived: Arrived): void {
    const { tables, index, runId, progress } = this.#context;
    const entry = tables.entry(step.runFolderId, step.name);
    if (entry === undefined) throw new Error('a step without its entry');
    const folderId = tables.folderIdOf(step.runFolderId);
    const { modifiedMs, isUnsettled } = arrived;
    if (this.#hasSame(folderId, step.name, arrived)) {
      index.confirmFile(folderId, step.name, { ...entry, modifiedMs, isUnsettled });
    } else {
      const localName = nameOf(step.localPath);
      const { sizeBytes, sha256 } = arrived;
      index.putFile(folderId, { ...entry, sizeBytes, sha256, modifiedMs, isUnsettled, localName }, runId);
      tables.noteChange(runId);
    }
    tables.setStep(step.id, 'done');
    progress.filesDone++;
  }

  #throwFault(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }
}
