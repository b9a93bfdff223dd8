import type { Router } from 'express';
import type { PasswordLogin } from './access/password-login.ts';
import { showTaskLive, showTasksLive, streamEvents } from './live.ts';
import { enter, leave, showLogin } from './pages/login.ts';
import { downloadLogs, showLogs } from './pages/logs.ts';
import { chooseLanguage, chooseTheme } from './pages/preferences.ts';
import { downloadRunErrors, showRun } from './pages/run-detail.ts';
import { downloadTaskRuns, showActivity, showTaskRuns } from './pages/run-list.ts';
import { saveSetup, showSetup } from './pages/setup.ts';
import { showTask } from './pages/task-overview.ts';
import { showTasks } from './pages/tasks.ts';
import { redirect } from './redirect.ts';
import type { Services } from './services.ts';
import { idOf } from './task-path.ts';

/** The pages that are there for everybody, signed in or not. */
export const OPEN_PATHS = ['/language', '/login', '/setup', '/theme'] as const;

/** Every URL that is there for everybody. */
export function addOpenRoutes(app: Router, services: Services, access: PasswordLogin): void {
  app.get('/login', showLogin(access));
  app.post('/login', enter(access));
  app.get('/setup', showSetup(access));
  app.post('/setup', saveSetup(services, access));
  app.post('/language', chooseLanguage);
  app.post('/theme', chooseTheme);
}

/** Every other URL of the product, one line each, by page. Whoever gets there is signed in; forms have shown their token. */
export function addRoutes(app: Router, services: Services, access: PasswordLogin): void {
  app.get('/', (_req, res) => {
    redirect(res, '/tasks');
  });
  app.post('/logout', leave(access));

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

  // settings

  // help
}
