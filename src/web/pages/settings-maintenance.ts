import type { RequestHandler, Response } from 'express';
import { numberOf } from '../../settings/form-amounts.ts';
import { LOG_DAYS_MAX, parseAppSettings } from '../../settings/parse-app-settings.ts';
import { databaseFiles } from '../../state/database-care.ts';
import { RUNS_KEPT } from '../../state/run-store.ts';
import type { Job, JobKind } from '../../tasks/jobs.ts';
import { careFor } from '../../tasks/maintenance.ts';
import type { Text } from '../../text.ts';
import { errorWords } from '../error-words.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { noteActivity } from './note-activity.ts';
import { SETTINGS_TABS } from './settings-tabs.ts';

interface MaintenanceView {
  readonly tabs: readonly string[];
  readonly databases: readonly { readonly name: string; readonly size: string; readonly path: string }[];
  readonly total: string;
  readonly compact: JobView | undefined;
  readonly integrity: JobView | undefined;
  readonly logDays: string;
  readonly runsKept: number;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  readonly now: string;
}

/** A job under way, or the last one and how it ended. */
export interface JobView {
  readonly isRunning: boolean;
  readonly done: number;
  /** 0: not known yet. */
  readonly total: number;
  readonly tone: 'info' | 'ok' | 'warn' | 'err';
  readonly words: string;
  readonly action: string;
  readonly atMs: number;
}

const DATABASES_SHOWN_MAX = 100;

export function showMaintenance(services: Services): RequestHandler {
  return async (req, res) => {
    const kept = keptForm(req, res, services.clock.nowMs());
    const logDays = kept?.text('logDays') ?? String(services.settings.read().logDays);
    await renderMaintenance(services, res, 200, logDays, []);
  };
}

/** How long the log is kept. */
export function saveMaintenance(services: Services): RequestHandler {
  return async (req, res) => {
    const { t, account } = pageOf(res);
    const logDays = formOf(req).text('logDays');
    const parsed = parseAppSettings({ logDays: numberOf(logDays) ?? '' });
    if ('faults' in parsed) {
      const words = t('e.set.logDays', { max: LOG_DAYS_MAX });
      await renderMaintenance(services, res, 422, logDays, [{ field: 'logDays', words }]);
      return;
    }
    services.settings.write(parsed.changes);
    noteActivity(services, account, 'settings-changed', undefined, 'set.maint');
    flash(res, 'ok', 'ok.saved');
    redirect(res, '/settings/maintenance');
  };
}

export function compactDatabases(services: Services): RequestHandler {
  return careAction(services, 'compact');
}

export function checkDatabases(services: Services): RequestHandler {
  return careAction(services, 'integrity');
}

function careAction(services: Services, kind: 'compact' | 'integrity'): RequestHandler {
  return (_req, res) => {
    const { account } = pageOf(res);
    const work = careFor(kind, databaseFiles(services.stateDir, services.tasks.list()));
    const job = services.jobs.start(kind, undefined, work, (ended) => {
      if (ended.result === undefined) return;
      noteActivity(services, account, kind === 'compact' ? 'database-compacted' : 'integrity-checked');
    });
    flash(res, job === undefined ? 'warn' : 'info', job === undefined ? 'job.busy' : `job.${kind}.started`);
    redirect(res, '/settings/maintenance');
  };
}

async function renderMaintenance(
  services: Services,
  res: Response,
  status: number,
  logDays: string,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { t, text, dates } = pageOf(res);
  const files = databaseFiles(services.stateDir, services.tasks.list());
  const view: MaintenanceView = {
    tabs: SETTINGS_TABS,
    databases: files.slice(0, DATABASES_SHOWN_MAX).map((file) => ({
      name: file.task?.name ?? t('mt.own'),
      size: text.bytes(file.bytes),
      path: file.path,
    })),
    total: text.bytes(files.reduce((sum, file) => sum + file.bytes, 0)),
    compact: buildJobView(services.jobs.latest('compact'), 'compact', text),
    integrity: buildJobView(services.jobs.latest('integrity'), 'integrity', text),
    logDays,
    runsKept: RUNS_KEPT,
    messages,
    faults: messagesByField(messages),
    now: dates.clock(services.clock.nowMs()),
  };
  await render(res, 'settings-maintenance', view, {
    status,
    title: t('set.maint'),
    menu: 'settings',
    scripts: ['forms.js'],
  });
}

/** `name`: of the task that the job is about. */
export function buildJobView(job: Job | undefined, kind: JobKind, text: Text, name?: string): JobView | undefined {
  if (job === undefined) return undefined;
  const { done, total } = job;
  const base = { done, total, action: '', atMs: job.endedMs ?? job.startedMs };
  if (job.endedMs === undefined) {
    return { ...base, isRunning: true, tone: 'info', words: text.t(`job.${kind}.running`, { done, total, name }) };
  }
  if (job.result !== undefined) {
    const { tone, key, facts } = job.result;
    return { ...base, isRunning: false, tone, words: text.t(`job.${kind}.${key}`, facts) };
  }
  const { cause, action } = errorWords(text, job.failure?.code ?? 'internal', job.failure?.facts);
  return { ...base, isRunning: false, tone: 'err', words: cause, action };
}
