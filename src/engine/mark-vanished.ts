import type { RunContext } from './run-context.ts';

const STEPS_PAGE = 500;
/** Of a step that marks what has gone: it stays, by decision. */
const KEPT_REASON = 'kept';

/** Marks in the index what has gone from folders that were seen whole. Everything, or nothing of it. */
export function markVanished({
  tables,
  index,
  subtrees,
  runId,
}: Pick<RunContext, 'tables' | 'index' | 'subtrees' | 'runId'>): void {
  tables.transaction(() => {
    for (;;) {
      const steps = tables.steps('todo', ['vanish', 'vanish-folder'], 0, STEPS_PAGE);
      if (steps.length === 0) return;
      for (const step of steps) {
        const isKept = step.reason === KEPT_REASON;
        if (step.action === 'vanish') {
          index.markFileMissing(tables.folderIdOf(step.runFolderId), step.name, runId, isKept);
        } else subtrees.markSubtreeMissing(tables.pathOf(step), runId, isKept);
        tables.setStep(step.id, 'done');
      }
    }
  });
}
