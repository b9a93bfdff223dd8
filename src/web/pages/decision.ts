import type { RequestHandler, Response } from 'express';
import { isBackupError } from '../../errors.ts';
import type { Hold } from '../../state/hold-store.ts';
import { decideHold, readNewestHold } from '../../state/task-hold.ts';
import type { StoredTask } from '../../state/task-store.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { taskPath } from '../task-path.ts';
import { buildDecisionView } from './decision-view.ts';
import { taskOf } from './edit-task.ts';
import type { FieldMessage } from './form-words.ts';
import { noteActivity } from './note-activity.ts';
import { readTaskInput } from './task-reading.ts';
import { pillOf } from './tasks-view.ts';

/** What a guard has held, with numbers and examples, and the answers that there are. */
export function showDecision(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task !== undefined) await renderDecision(services, res, 200, task, []);
  };
}

/** Writes down the answer. Accepting needs the tick; and an answer counts only for what was shown. */
export function saveDecision(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { t, account } = pageOf(res);
    const form = formOf(req);
    const isAccepted = form.text('decision') === 'accept';
    if (isAccepted && form.text('confirm') !== 'yes') {
      await renderDecision(services, res, 422, task, [{ field: 'confirm', words: t('e.held.confirm') }]);
      return;
    }
    if (services.runner.activity(task.id) !== undefined) {
      await renderDecision(services, res, 409, task, []);
      return;
    }
    const hold = readNewestHold(services.stateDir, task.stateKey);
    const decision = isAccepted ? 'accepted' : 'kept';
    if (hold === undefined || !decide(services, task, Number(form.text('hold')), decision, account)) {
      flash(res, 'warn', 'ok.held.stale', { name: task.name });
      redirect(res, `${taskPath(task)}/decision`);
      return;
    }
    noteActivity(services, account, isAccepted ? 'hold-accepted' : 'hold-kept', task.name, countsOf(hold));
    // Kept changes would only be asked about again at once.
    const isRunWanted = isAccepted || hold.replaced === 0;
    const isStarted = isRunWanted && services.runner.start(task.id, 'user', account) !== undefined;
    flash(res, 'ok', `ok.held.${decision}${isStarted ? '.started' : ''}`, { name: task.name });
    redirect(res, taskPath(task));
  };
}

/** False where there is nothing to decide any more, or a run has just begun. */
function decide(
  services: Services,
  task: StoredTask,
  runId: number,
  decision: 'kept' | 'accepted',
  by: string | undefined,
): boolean {
  const decided = { atMs: services.clock.nowMs(), by };
  try {
    return decideHold(services.stateDir, task.stateKey, Number.isSafeInteger(runId) ? runId : 0, decision, decided);
  } catch (error) {
    if (isBackupError(error, 'already-running')) return false;
    throw error;
  }
}

function countsOf({ vanished, replaced, files }: Hold): string {
  return `${vanished} / ${replaced} / ${files}`;
}

async function renderDecision(
  services: Services,
  res: Response,
  status: number,
  task: StoredTask,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { t, text, dates, timeZone } = pageOf(res);
  const run = services.runs.list({ taskId: task.id, outcomes: ['held'], hasSimulations: false }, 1)[0];
  const view = buildDecisionView(
    {
      name: task.name,
      taskPath: taskPath(task),
      pill: pillOf(readTaskInput(services, task, timeZone), text),
      hold: readNewestHold(services.stateDir, task.stateKey),
      runPath: run === undefined ? undefined : `/runs/${run.id}`,
      isRunning: services.runner.activity(task.id) !== undefined,
      messages,
    },
    text,
    dates,
  );
  await render(res, 'decision', view, { status, title: t('dg.held.title', { name: task.name }), menu: 'tasks' });
}
