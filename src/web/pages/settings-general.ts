import type { RequestHandler, Response } from 'express';
import type { AppSettings } from '../../settings/app-settings.ts';
import { numberOf } from '../../settings/form-amounts.ts';
import { HOST_CONNECTIONS_MAX, RUNS_AT_ONCE_MAX, parseAppSettings } from '../../settings/parse-app-settings.ts';
import { folderRoots } from '../../tasks/local-folders.ts';
import { resolveTimeZone } from '../../settings/wall-clock.ts';
import { COOKIES, removeCookie } from '../access/cookies.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import type { Form } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { noteActivity } from './note-activity.ts';
import { PAUSE_LENGTHS } from './pause-schedules.ts';
import { pausedWords } from './tasks-view.ts';
import { SETTINGS_TABS } from './settings-tabs.ts';

/** As typed. */
interface GeneralForm {
  readonly language: string;
  readonly theme: string;
  readonly timeZone: string;
  readonly shortcuts: string;
  readonly runsMax: string;
  readonly hostConnectionsMax: string;
  readonly folderRoots: string;
}

interface GeneralView {
  readonly tabs: readonly string[];
  readonly form: GeneralForm;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  readonly zones: readonly string[];
  readonly systemZone: string;
  readonly foundRoots: readonly string[];
  /** Until when all schedules are paused; empty where they are not. */
  readonly paused: string;
  readonly pauseLengths: readonly string[];
}

export function showGeneralSettings(services: Services): RequestHandler {
  return async (req, res) => {
    const kept = keptForm(req, res, services.clock.nowMs());
    const form = kept === undefined ? typedOf(services.settings.read()) : sentForm(kept);
    await renderGeneral(services, res, 200, form, []);
  };
}

export function saveGeneralSettings(services: Services): RequestHandler {
  return async (req, res) => {
    const { t, account } = pageOf(res);
    const form = sentForm(formOf(req));
    const parsed = parseAppSettings({
      language: form.language,
      theme: form.theme,
      timeZone: form.timeZone.trim(),
      hasShortcuts: form.shortcuts === 'yes',
      runsMax: numberOf(form.runsMax) ?? '',
      hostConnectionsMax: numberOf(form.hostConnectionsMax) ?? '',
      folderRoots: linesOf(form.folderRoots),
    });
    if ('faults' in parsed) {
      const facts = { runsMax: RUNS_AT_ONCE_MAX, connectionsMax: HOST_CONNECTIONS_MAX };
      const messages = parsed.faults.map(({ path }) => {
        const field = path.slice(1);
        return { field, words: t(`e.set.${field}`, facts) };
      });
      await renderGeneral(services, res, 422, form, messages);
      return;
    }
    const before = services.settings.read();
    services.settings.write(parsed.changes);
    services.scheduler.reload();
    // A choice that this browser made in its menu would hide the one that was made here.
    if (form.language !== before.language) removeCookie(req, res, COOKIES.language);
    if (form.theme !== before.theme) removeCookie(req, res, COOKIES.theme);
    noteActivity(services, account, 'settings-changed', undefined, 'set.general');
    flash(res, 'ok', 'ok.saved');
    redirect(res, '/settings/general');
  };
}

function typedOf(settings: AppSettings): GeneralForm {
  return {
    language: settings.language,
    theme: settings.theme,
    timeZone: settings.timeZone,
    shortcuts: settings.hasShortcuts ? 'yes' : '',
    runsMax: String(settings.runsMax),
    hostConnectionsMax: String(settings.hostConnectionsMax),
    folderRoots: settings.folderRoots.join('\n'),
  };
}

function sentForm(form: Form): GeneralForm {
  return {
    language: form.text('language'),
    theme: form.text('theme'),
    timeZone: form.text('timeZone'),
    shortcuts: form.text('shortcuts'),
    runsMax: form.text('runsMax'),
    hostConnectionsMax: form.text('hostConnectionsMax'),
    folderRoots: form.text('folderRoots'),
  };
}

function linesOf(text: string): string[] {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim().replace(/(?<=.)\/+$/, ''))
    .filter((line) => line !== '');
}

async function renderGeneral(
  services: Services,
  res: Response,
  status: number,
  form: GeneralForm,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { t, text, dates } = pageOf(res);
  const roots = await folderRoots(services.settings.read().folderRoots);
  const view: GeneralView = {
    tabs: SETTINGS_TABS,
    form,
    messages,
    faults: messagesByField(messages),
    zones: Intl.supportedValuesOf('timeZone'),
    systemZone: resolveTimeZone('system'),
    foundRoots: roots.map((root) => root.path),
    paused: pausedWords(services.scheduler.pausedUntil(), text, dates),
    pauseLengths: Object.keys(PAUSE_LENGTHS),
  };
  await render(res, 'settings-general', view, { status, title: t('set.general'), menu: 'settings' });
}
