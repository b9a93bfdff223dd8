import type { Request, RequestHandler, Response } from 'express';
import type { RunnerEvent, TaskActivity } from '../tasks/task-runner.ts';
import { answerGone } from './error-pages.ts';
import { liveHubOf } from './live-hub.ts';
import type { LiveHub } from './live-hub.ts';
import { TRIAL_SETTING, newAddress } from './pages/settings-web.ts';
import { buildLiveRun } from './pages/live-run.ts';
import type { LiveRunView, TransferView } from './pages/live-run.ts';
import { outcomeState } from './pages/task-state.ts';
import { pageOf } from './page-context.ts';
import type { PageContext } from './page-context.ts';
import { askedText } from './query.ts';
import type { Services } from './services.ts';
import { storedReport } from './stored-report.ts';
import { idOf } from './task-path.ts';

/** Open streams of all browsers; further ones are told to ask again and again instead. */
export const STREAMS_MAX = 64;
const TOPICS_MAX = 4;
const HEARTBEAT_MS = 15_000;
const RETRY_MS = 3000;
/** More waiting than this, and the browser does not read: the stream is closed, and it can come again. */
const UNSENT_BYTES_MAX = 256 * 1024;

type Topic = { readonly kind: 'tasks' } | { readonly kind: 'task'; readonly taskId: number };

/** Words by their place in the page: `run.214.percent`. null: no value, such as a total that is not known. */
export type LiveValues = Readonly<Record<string, string | number | null>>;

/** The stream of what changes: `GET /events?topics=tasks,task:7`. */
export function streamEvents(services: Services): RequestHandler {
  const hub = liveHubOf(services);
  return (req, res) => {
    const topics = parseTopics(askedText(req, 'topics'));
    if (topics.length === 0) {
      res.status(400).json({ error: 'bad-request' });
      return;
    }
    if (hub.listenerCount >= STREAMS_MAX) {
      res.status(503).json({ error: 'busy' });
      return;
    }
    openStream(services, hub, topics, req, res);
  };
}

/** The same for browsers whose stream does not get through. */
export function showTasksLive(services: Services): RequestHandler {
  const hub = liveHubOf(services);
  return (_req, res) => {
    res.json({ sequence: hub.sequence, values: liveValues(services, [{ kind: 'tasks' }], pageOf(res)) });
  };
}

export function showTaskLive(services: Services): RequestHandler {
  const hub = liveHubOf(services);
  return async (req: Request, res: Response) => {
    const taskId = idOf(req.params['id']);
    if (taskId === undefined || services.tasks.get(taskId) === undefined) {
      await answerGone(req, res, 'task');
      return;
    }
    res.json({ sequence: hub.sequence, values: liveValues(services, [{ kind: 'task', taskId }], pageOf(res)) });
  };
}

function openStream(services: Services, hub: LiveHub, topics: readonly Topic[], req: Request, res: Response): void {
  const page = pageOf(res);
  const { webAccess } = services;
  const here = webAccess.current;
  // DSM's nginx passes the stream on at once only when it is told so.
  res.set({
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no',
  });
  res.flushHeaders();
  res.write(`retry: ${RETRY_MS}\n\n`);

  let events = 0;
  let sent: LiveValues = {};
  let changed: { words: string } | undefined;
  const send = (name: string, data: object): void => {
    if (res.writableLength > UNSENT_BYTES_MAX) {
      close();
      return;
    }
    res.write(`id: ${hub.sequence}.${++events}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const tell = (): void => {
    if (changed !== undefined) send('changed', { sequence: hub.sequence, say: changed.words });
    changed = undefined;
    const values = liveValues(services, topics, page);
    const news = Object.fromEntries(Object.entries(values).filter(([key, value]) => sent[key] !== value));
    sent = values;
    if (Object.keys(news).length > 0) send('values', news);
  };
  // What had failed before the page was opened stands in it.
  const failuresTold = new Map(services.runner.activities().map((activity) => [activity.runId, filesFailed(activity)]));
  const unlisten = hub.listen({
    onTick: tell,
    onChange(taskId, event) {
      if (!topics.some((topic) => topic.kind === 'tasks' || topic.taskId === taskId)) return;
      const words = announcement(services, taskId, event, failuresTold, page);
      changed = { words: words === '' ? (changed?.words ?? '') : words };
    },
  });
  const heartbeat = setInterval(() => {
    if (isStillSignedIn(services, page)) res.write(': still here\n\n');
    else close();
  }, HEARTBEAT_MS);
  const close = (): void => {
    clearInterval(heartbeat);
    unlisten();
    unfollow();
    res.end();
  };
  // A page that was opened at the new address, while it was tried, stays where it is.
  const isTrial = req.app.get(TRIAL_SETTING) !== undefined;
  const unfollow = webAccess.onKept((access) => {
    const address = newAddress(services, access, here, req);
    if (isTrial || address === `${req.protocol}://${req.get('Host') ?? ''}${page.basePath}`) return;
    send('moved', { address, words: page.t('live.moved', { address }) });
    close();
  });
  res.on('close', close);
  res.on('error', close);
  send('hello', { version: services.version, sequence: hub.sequence });
  tell();
}

/** Where that cannot be known, nobody is. */
function isStillSignedIn({ log }: Services, page: PageContext): boolean {
  try {
    return page.isStillSignedIn();
  } catch (error) {
    log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
    return false;
  }
}

function parseTopics(text: string): Topic[] {
  const topics = text.split(',').map((name): Topic | undefined => {
    if (name === 'tasks') return { kind: 'tasks' };
    const taskId = name.startsWith('task:') ? idOf(name.slice('task:'.length)) : undefined;
    return taskId === undefined ? undefined : { kind: 'task', taskId };
  });
  return topics.filter((topic) => topic !== undefined).slice(0, TOPICS_MAX);
}

function liveValues(services: Services, topics: readonly Topic[], page: PageContext): LiveValues {
  const values: Record<string, string | number | null> = {};
  for (const topic of topics) {
    if (topic.kind === 'tasks') {
      for (const activity of services.runner.activities()) {
        if (activity.phase === 'queued') continue;
        const view = liveRun(services, activity, page);
        values[`task.${activity.taskId}.line`] = view.short;
        values[`task.${activity.taskId}.progress`] = view.progress ?? null;
      }
    } else {
      const activity = services.runner.activity(topic.taskId);
      if (activity === undefined || activity.phase === 'queued') continue;
      const view = liveRun(services, activity, page);
      const key = `run.${activity.runId}`;
      for (const name of RUN_VALUES) values[`${key}.${name}`] = view[name] ?? null;
      for (const [slot, transfer] of view.transfers.entries()) {
        // Nothing but an empty name is told of an empty row.
        for (const name of transfer.name === '' ? (['name'] as const) : TRANSFER_VALUES) {
          values[`${key}.${slot}.${name}`] = transfer[name];
        }
      }
    }
  }
  return values;
}

const RUN_VALUES = [
  'percent',
  'progress',
  'headline',
  'left',
  'leftTime',
  'ends',
  'speed',
  'filesPerSecond',
  'elapsed',
  'connections',
  'failed',
  'retries',
  'scan',
  'stalled',
  'transferCount',
] as const satisfies readonly (keyof LiveRunView)[];

const TRANSFER_VALUES = ['folder', 'name', 'size', 'share', 'speed'] as const satisfies readonly (keyof TransferView)[];

function liveRun(services: Services, activity: TaskActivity, page: PageContext): LiveRunView {
  const trail = liveHubOf(services).trail(activity.runId);
  const filesLastTime = filesOf(services, activity);
  const input = { activity, trail, nowMs: services.clock.nowMs(), filesLastTime };
  return buildLiveRun(input, page.text, page.dates);
}

/** Only while the site is being looked at: the number is compared with. */
function filesOf(services: Services, activity: TaskActivity): number | undefined {
  if (activity.progress?.stage !== 'scanning') return undefined;
  return storedReport(services.runs.lastFinished(activity.taskId))?.counts.listed;
}

function filesFailed({ progress }: TaskActivity): number {
  return progress?.filesFailed ?? 0;
}

/** What a screen reader is told; empty for what is not worth it. `failuresTold`: files by run; kept up to date. */
function announcement(
  services: Services,
  taskId: number,
  event: RunnerEvent,
  failuresTold: Map<number, number>,
  page: PageContext,
): string {
  const name = services.tasks.get(taskId)?.name ?? '';
  if (event.kind === 'ended') {
    failuresTold.delete(event.runId);
    return page.t('live.ended', { name, state: page.t(`st.${outcomeState(event.outcome)}`) });
  }
  const { activity } = event;
  if (event.kind === 'phase') return activity.phase === 'running' ? page.t('live.started', { name }) : '';
  const count = filesFailed(activity);
  if (count <= (failuresTold.get(activity.runId) ?? 0)) return '';
  failuresTold.set(activity.runId, count);
  return page.t('live.failed', { name, count });
}
