import type { Router } from 'express';
import type { DsmLogin } from './access/dsm-login.ts';
import { PasswordLogin } from './access/password-login.ts';
import { showTaskLive, showTasksLive, streamEvents } from './live.ts';
import { showAbout } from './pages/about.ts';
import { showTestSteps } from './pages/connection-test.ts';
import { showAdopt, startAdopt } from './pages/adopt.ts';
import { saveDecision, showDecision } from './pages/decision.ts';
import { deleteTask, showDeleteTask } from './pages/delete-task.ts';
import { deleteContentOf, deleteVersionOf, showDeleteContent, showDeleteVersion } from './pages/delete-version.ts';
import { enterByDsm, showDsmLogin } from './pages/dsm-login.ts';
import { downloadDiagnostics } from './pages/diagnostics.ts';
import { saveEditTask, showEditTask } from './pages/edit-task.ts';
import { downloadContent, showFileHistory } from './pages/file-history.ts';
import { showHelp, showHelpTopic } from './pages/help.ts';
import { enter, leave, showLogin } from './pages/login.ts';
import { downloadLogs, showLogs } from './pages/logs.ts';
import { pauseSchedules } from './pages/pause-schedules.ts';
import { showPermission, tryPermission } from './pages/permission.ts';
import { chooseLanguage, chooseTheme } from './pages/preferences.ts';
import { downloadRunErrors, showRun } from './pages/run-detail.ts';
import { downloadTaskRuns, showActivity, showTaskRuns } from './pages/run-list.ts';
import { saveGeneralSettings, showGeneralSettings } from './pages/settings-general.ts';
import { checkDatabases, compactDatabases, saveMaintenance, showMaintenance } from './pages/settings-maintenance.ts';
import { changePassword, saveSecuritySettings, showSecuritySettings } from './pages/settings-security.ts';
import {
  keepAddress,
  showKeepAddress,
  showWebSettings,
  takeBackWebSettings,
  tryWebSettings,
} from './pages/settings-web.ts';
import { saveSetup, showSetup } from './pages/setup.ts';
import {
  actOnTasks,
  duplicateTask,
  pauseTask,
  resumeTask,
  runTaskNow,
  simulateTask,
  stopTask,
} from './pages/task-actions.ts';
import { showTask } from './pages/task-overview.ts';
import { showTasks } from './pages/tasks.ts';
import { createTask, dropDraft, showCheckStep } from './pages/wizard-check.ts';
import { downloadVersionFile, showVersionFiles } from './pages/version-files.ts';
import { pinVersion, showVersions } from './pages/versions.ts';
import { newTask, saveConnectionStep, showConnectionStep } from './pages/wizard-connection.ts';
import { saveFoldersStep, showFoldersStep } from './pages/wizard-folders.ts';
import { saveScheduleStep, showScheduleStep } from './pages/wizard-schedule.ts';
import { redirect } from './redirect.ts';
import type { Services } from './services.ts';
import { idOf } from './task-path.ts';

/** The pages that are there for everybody, signed in or not. */
export const OPEN_PATHS = ['/language', '/login', '/settings/web/keep', '/setup', '/theme'] as const;

/** Every URL that is there for everybody. */
export function addOpenRoutes(app: Router, services: Services, access: PasswordLogin | DsmLogin): void {
  if (access instanceof PasswordLogin) {
    app.get('/login', showLogin(access));
    app.post('/login', enter(access));
    app.get('/setup', showSetup(access));
    app.post('/setup', saveSetup(services, access));
  } else {
    app.get('/login', showDsmLogin());
    app.post('/login', enterByDsm(access));
  }
  app.get('/settings/web/keep', showKeepAddress(services));
  app.post('/settings/web/keep', keepAddress(services));
  app.post('/language', chooseLanguage);
  app.post('/theme', chooseTheme);
}

/** Every other URL of the product, one line each, by page. Whoever gets there is signed in; forms have shown their token. */
export function addRoutes(app: Router, services: Services, access: PasswordLogin | DsmLogin): void {
  app.get('/', (_req, res) => {
    redirect(res, '/tasks');
  });
  app.post('/logout', leave(access, access instanceof PasswordLogin ? '/login' : '/login?left=yes'));

  // `/tasks/new` is no task: its own line comes further down.
  app.param('id', (_req, _res, next, value: string) => {
    next(idOf(value) === undefined ? 'route' : undefined);
  });

  // tasks
  app.get('/tasks', showTasks(services));
  app.get('/tasks/live.json', showTasksLive(services));
  app.get('/tasks/:id', showTask(services));
  app.get('/tasks/:id/live.json', showTaskLive(services));
  app.get('/tasks/:id/runs', showTaskRuns(services));
  app.get('/tasks/:id/runs.csv', downloadTaskRuns(services));
  app.get('/tasks/:id/versions', showVersions(services));
  app.get('/tasks/:id/versions/:run', showVersionFiles(services));
  app.get('/tasks/:id/versions/:run/file', downloadVersionFile(services));
  app.post('/tasks/:id/versions/:run/pin', pinVersion(services));
  app.get('/tasks/:id/versions/:run/delete', showDeleteVersion(services));
  app.post('/tasks/:id/versions/:run/delete', deleteVersionOf(services));
  app.get('/tasks/:id/file', showFileHistory(services));
  app.get('/tasks/:id/file/content', downloadContent(services));
  app.get('/tasks/:id/file/delete', showDeleteContent(services));
  app.post('/tasks/:id/file/delete', deleteContentOf(services));

  // activity, runs
  app.get('/runs', showActivity(services));
  app.get('/runs/:id', showRun(services));
  app.get('/runs/:id/errors.csv', downloadRunErrors(services));

  // log
  app.get('/logs', showLogs(services));
  app.get('/logs.txt', downloadLogs(services));

  // live
  app.get('/events', streamEvents(services));

  // wizard
  app.get('/tasks/new', newTask);
  app.get('/tasks/new/:draft/connection', showConnectionStep(services));
  app.post('/tasks/new/:draft/connection', saveConnectionStep(services));
  app.get('/tasks/new/:draft/test', showTestSteps(services));
  app.get('/tasks/new/:draft/folders', showFoldersStep(services));
  app.post('/tasks/new/:draft/folders', saveFoldersStep(services));
  app.get('/tasks/new/:draft/schedule', showScheduleStep(services));
  app.post('/tasks/new/:draft/schedule', saveScheduleStep(services));
  app.get('/tasks/new/:draft/check', showCheckStep(services));
  app.post('/tasks/new/:draft/check', createTask(services));
  app.post('/tasks/new/:draft/drop', dropDraft(services));

  // changing a task
  app.get('/tasks/:id/edit', showEditTask(services));
  app.post('/tasks/:id/edit', saveEditTask(services));
  app.get('/tasks/:id/test', showTestSteps(services));
  app.get('/tasks/:id/decision', showDecision(services));
  app.post('/tasks/:id/decision', saveDecision(services));
  app.get('/tasks/:id/adopt', showAdopt(services));
  app.post('/tasks/:id/adopt', startAdopt(services));
  app.get('/tasks/:id/delete', showDeleteTask(services));
  app.post('/tasks/:id/delete', deleteTask(services));
  app.post('/tasks/:id/run', runTaskNow(services));
  app.post('/tasks/:id/simulate', simulateTask(services));
  app.post('/tasks/:id/stop', stopTask(services));
  app.post('/tasks/:id/pause', pauseTask(services));
  app.post('/tasks/:id/resume', resumeTask(services));
  app.post('/tasks/:id/duplicate', duplicateTask(services));
  app.post('/tasks/bulk', actOnTasks(services));

  // settings
  app.get('/settings', (_req, res) => {
    redirect(res, '/settings/general');
  });
  app.get('/settings/general', showGeneralSettings(services));
  app.post('/settings/general', saveGeneralSettings(services));
  app.post('/settings/schedules', pauseSchedules(services));
  app.get('/settings/web', showWebSettings(services));
  app.post('/settings/web', tryWebSettings(services));
  app.post('/settings/web/back', takeBackWebSettings(services));
  app.get('/settings/security', showSecuritySettings(services, access));
  app.post('/settings/security', saveSecuritySettings(services, access));
  if (access instanceof PasswordLogin) {
    app.post('/settings/security/password', changePassword(services, access));
    // A wrong password shows the page below this address; the switch of languages leads back to it.
    app.get('/settings/security/password', (_req, res) => {
      redirect(res, '/settings/security');
    });
  }
  app.get('/settings/maintenance', showMaintenance(services));
  app.post('/settings/maintenance', saveMaintenance(services));
  app.post('/settings/maintenance/compact', compactDatabases(services));
  app.post('/settings/maintenance/integrity', checkDatabases(services));

  // help
  app.get('/help', showHelp);
  app.get('/help/:topic', showHelpTopic);
  app.get('/permission', showPermission(services));
  app.post('/permission', tryPermission(services));
  app.get('/about', showAbout(services));
  app.get('/diagnostics.zip', downloadDiagnostics(services));
}
