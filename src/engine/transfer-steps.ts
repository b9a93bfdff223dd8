import { isBackupError } from '../errors.ts';
import type { BackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { Target } from '../local/target.ts';
import type { RemoteSession } from '../remote/remote.ts';
import type { RenameTables } from '../state/rename-tables.ts';
import type { Step } from '../state/run-rows.ts';
import { partId } from './part-id.ts';
import { Recorder } from './recorder.ts';
import { followRenames } from './renames.ts';
import { retireFiles, retireSubtree } from './retire.ts';
import type { RetireTools } from './retire.ts';
import type { RunContext } from './run-context.ts';
import type { WorkQueue } from './pool-run.ts';
import { FileTransfer } from './transfer.ts';

/** Rows read from a table at a time. */
const PAGE = 500;
/** Files that failed whose parts are kept for the next run. */
const PARTS_KEPT_MAX = 10_000;

/**
 * Does the steps of the plan: makes room where a file and a folder have changed places, makes the folders, brings the
 * files. What is done stays done when it is called again.
 */
export async function transferSteps(tools: RetireTools, renames: RenameTables, versionName: string): Promise<void> {
  const { context, target, keeper } = tools;
  const { tables, pool } = context;
  const recorder = new Recorder(context, target, keeper, versionName, (step, error) => {
    failStep(context, step, error);
  });
  tables.setDurable(true);
  try {
    await recorder.recover();
    await makeWay(tools, versionName);
    await makeFolders(context, target, versionName);
    await followRenames(tools, renames, versionName);
    const transfer = new FileTransfer(context, target, recorder);
    await pool.run(new StepQueue(context), {
      work: (session: RemoteSession, step: Step, attempt: number) => transfer.transfer(session, step, attempt),
      giveUp: (step: Step, error: BackupError) => {
        failStep(context, step, error);
      },
    });
  } finally {
    // Also when the run ends early: what is whole is kept.
    try {
      await recorder.flush();
    } finally {
      tables.setDurable(false);
    }
  }
  await removeUselessParts(context, target);
}

class StepQueue implements WorkQueue<Step> {
  readonly #context: RunContext;
  #page: Step[] = [];
  #lastId = 0;

  constructor(context: RunContext) {
    this.#context = context;
  }

  take(): Step | undefined {
    if (this.#page.length === 0) {
      this.#page = this.#context.tables.steps('todo', ['download', 'recheck'], this.#lastId, PAGE);
    }
    const step = this.#page.shift();
    if (step !== undefined) this.#lastId = step.id;
    return step;
  }
}

function failStep(context: RunContext, step: Step, error: BackupError): void {
  const { tables, progress, log } = context;
  const path = tables.pathOf(step);
  if (error.code === 'file-vanished') {
    tables.setStep(step.id, 'gone');
    context.notice('file-gone', path, undefined);
  } else {
    tables.setStepFailed(step.id, error.code, error.detail);
    progress.filesFailed++;
    log.warn('file-failed', { path: decodeRemoteName(path), code: error.code, detail: error.detail });
  }
  progress.bytesDone += step.sizeBytes;
  progress.touch();
}

/** What gives its name to something of another kind goes to the versions. */
async function makeWay(tools: RetireTools, versionName: string): Promise<void> {
  const { context, target } = tools;
  const { tables } = context;
  for (;;) {
    const steps = tables.steps('todo', ['retire', 'retire-folder'], 0, PAGE);
    if (steps.length === 0) return;
    for (const step of steps) {
      try {
        await makeWayFor(tools, step);
        // What no record claims, such as a file that somebody laid there, is kept as well. A file with a record lies where a
        // folder has no place yet: the run that was to give it one was held.
        if (!context.index.hasFileAt(tables.pathOf(step)))
          await target.retire(step.localPath as LocalPath, versionName);
        tables.setStep(step.id, 'done');
      } catch (error) {
        if (!isBackupError(error) || error.scope !== 'file') throw error;
        failStep(context, step, error);
      }
    }
    await target.flush();
  }
}

async function makeWayFor(tools: RetireTools, step: Step): Promise<void> {
  const { tables } = tools.context;
  let error: BackupError | undefined;
  if (step.action === 'retire-folder') {
    error = await retireSubtree(tools, tables.pathOf(step), 'made-way');
  } else {
    const folderId = tables.folderIdOf(step.runFolderId);
    const origin = step.localPath as LocalPath;
    const file = { folderId, name: step.name, origin, reason: 'made-way' } as const;
    error = (await retireFiles(tools, [file], () => undefined)).get(0);
  }
  if (error !== undefined) throw error;
}

/** Parts stay for the files that this run could not bring, and for all where a folder was not seen. */
async function removeUselessParts({ tables, results }: RunContext, target: Target): Promise<void> {
  if (results.counts().foldersIncomplete > 0) return;
  const useful = new Set<string>();
  for (const step of tables.steps('failed', ['download', 'recheck'], 0, PARTS_KEPT_MAX)) {
    const entry = tables.entry(step.runFolderId, step.name);
    if (entry !== undefined) useful.add(partId(tables.pathOf(step), entry));
  }
  await target.removePartsExcept(useful);
}

async function makeFolders(context: RunContext, target: Target, versionName: string): Promise<void> {
  const { tables, log, guards } = context;
  guards.findBlocked();
  for (let afterId = 0; ;) {
    const places = tables.folderPlaces(afterId, PAGE);
    if (places.length === 0) return;
    for (const { id, path, localPath } of places) {
      afterId = id;
      // A file that waits for a decision lies there.
      if (guards.isBlocked(id)) continue;
      try {
        const isClaimed = context.index.hasFileAt(path);
        await makeFolder(target, localPath as LocalPath, isClaimed ? undefined : versionName);
      } catch (error) {
        if (!isBackupError(error) || error.scope !== 'file') throw error;
        // Its files will fail for the same reason, each by name; the folder itself must not be taken for complete.
        log.warn('folder-unwritable', { path: localPath, code: error.code, detail: error.detail });
        tables.setFailed(id, error.code, error.detail);
      }
    }
  }
}

/** A file in the way goes to `versionName`; undefined where the index claims the file, which could not be retired then. */
async function makeFolder(target: Target, path: LocalPath, versionName: string | undefined): Promise<void> {
  try {
    await target.makeFolder(path);
  } catch (error) {
    const isFile = isBackupError(error) && error.scope === 'file' && (await target.kindOf(path)) === 'file';
    if (!isFile || versionName === undefined) throw error;
    await target.retire(path, versionName);
    await target.makeFolder(path);
  }
}
