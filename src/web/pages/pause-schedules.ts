import type { RequestHandler } from 'express';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import type { Services } from '../services.ts';
import { noteActivity } from './note-activity.ts';

const HOUR_MS = 60 * 60_000;

/** How long all schedules can be paused, by the names on the page. */
export const PAUSE_LENGTHS: Readonly<Record<string, number>> = {
  hours: 4 * HOUR_MS,
  day: 24 * HOUR_MS,
  week: 7 * 24 * HOUR_MS,
  open: Infinity,
};

/** Pauses the schedules of all tasks for a time, or ends the pause. Runs under way go on. */
export function pauseSchedules(services: Services): RequestHandler {
  return (req, res) => {
    const { account, dates } = pageOf(res);
    const form = formOf(req);
    const length = form.text('length');
    const lengthMs = Object.hasOwn(PAUSE_LENGTHS, length) ? PAUSE_LENGTHS[length] : undefined;
    if (form.text('do') === 'resume') {
      services.scheduler.pauseAll(undefined);
      noteActivity(services, account, 'schedules-resumed');
      flash(res, 'ok', 'ok.all.resumed');
    } else if (lengthMs !== undefined) {
      const untilMs = services.clock.nowMs() + lengthMs;
      services.scheduler.pauseAll(untilMs);
      noteActivity(services, account, 'schedules-paused');
      const when = untilMs === Infinity ? undefined : dates.inWords(untilMs);
      flash(res, 'ok', 'ok.all.paused', { when });
    }
    redirect(res, '/settings/general');
  };
}
