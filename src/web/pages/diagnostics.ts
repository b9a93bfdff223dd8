import { open } from 'node:fs/promises';
import { freemem, loadavg, release, totalmem, uptime } from 'node:os';
import type { RequestHandler } from 'express';
import { taskSettingsJson } from '../../settings/task-settings-json.ts';
import { databaseFiles } from '../../state/database-care.ts';
import { pageOf } from '../page-context.ts';
import type { Services } from '../services.ts';
import { zipOf } from '../zip.ts';
import { noteActivity } from './note-activity.ts';

const LOG_BYTES_MAX = 2 * 1024 * 1024;
const RUNS_MAX = 300;
const DEEDS_MAX = 300;

/** What helps to find a fault, in one file, without passwords and without the names of FTP users. */
export function downloadDiagnostics(services: Services): RequestHandler {
  return async (_req, res) => {
    const nowMs = services.clock.nowMs();
    const clean = cleanerOf(services);
    const json = (value: unknown): Buffer => Buffer.from(clean(JSON.stringify(value, undefined, 2)));
    const members = [
      { name: 'system.json', content: json(systemFacts(services, nowMs)) },
      { name: 'settings.json', content: json(services.settings.read()) },
      { name: 'tasks.json', content: json(taskFacts(services)) },
      { name: 'runs.json', content: json(runFacts(services)) },
      { name: 'activity.json', content: json(services.activity.list(undefined, DEEDS_MAX)) },
      { name: 'log.jsonl', content: Buffer.from(clean(await logTail(services.logFile))) },
    ];
    noteActivity(services, pageOf(res).account, 'diagnostics-downloaded');
    const day = new Date(nowMs).toISOString().slice(0, 10);
    res.attachment(`site-backup-diagnostics-${day}.zip`);
    res.type('application/zip').send(zipOf(members, new Date(nowMs)));
  };
}

function systemFacts(services: Services, nowMs: number): object {
  return {
    ...machineFacts(services.version, nowMs),
    databases: databaseFiles(services.stateDir, services.tasks.list()),
    runs: services.runner.activities(),
  };
}

export function machineFacts(version: string, nowMs: number): object {
  return {
    madeAt: new Date(nowMs).toISOString(),
    version,
    node: process.version,
    platform: `${process.platform} ${process.arch} ${release()}`,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    memory: { ...process.memoryUsage(), freeBytes: freemem(), totalBytes: totalmem() },
    load: loadavg(),
    processSeconds: Math.round(process.uptime()),
    machineSeconds: Math.round(uptime()),
  };
}

function taskFacts(services: Services): object[] {
  return services.tasks.list().map(({ settings, ...task }) => {
    return {
      ...task,
      settings: settings === undefined ? undefined : taskSettingsJson(settings),
      next: services.scheduler.nextRun(task.id),
    };
  });
}

/** Reports as data, not as text within text: the cleaner reads names of fields. */
function runFacts({ runs }: Services): object[] {
  return runs.list({}, RUNS_MAX).map(({ report, ...run }) => ({ ...run, report: parsedReport(report) }));
}

function parsedReport(report: string | undefined): unknown {
  try {
    return report === undefined ? undefined : JSON.parse(report);
  } catch {
    return undefined;
  }
}

/** The log is written without passwords; this is for what nobody has thought of. */
function cleanerOf(services: Services): (text: string) => string {
  const secrets = services.tasks.list().flatMap((task) => task.settings?.source.password.reveal() ?? []);
  const forms = secrets
    .filter((secret) => secret.length >= SECRET_LENGTH_MIN)
    .flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
    ]);
  // Longest first: a form that holds another one must go as a whole.
  const needles = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (text) =>
    needles
      .reduce((result, needle) => result.replaceAll(needle, '[removed]'), text)
      .replace(/"user":\s*"(?:[^"\\]|\\.)*"/g, '"user": "[removed]"')
      .replace(/(?<=:\/\/)[^\s/"]*@/g, '');
}

/** Shorter ones are words that occur by themselves; passwords of this length are not logged in the first place. */
const SECRET_LENGTH_MIN = 4;

/** The end of the log, by whole lines; empty where it cannot be read. */
export async function logTail(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const length = Math.min(size, LOG_BYTES_MAX);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
      const text = buffer.toString('utf8', 0, bytesRead);
      // The first line may have lost its beginning.
      return length < size ? text.slice(text.indexOf('\n') + 1) : text;
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}
