import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Request, RequestHandler, Response } from 'express';
import type { Clock } from '../../clock.ts';
import { APP_DATABASE, beginAnew, listCopies, restoreCopy } from '../../state/database-copies.ts';
import { asStateError } from '../../state/database.ts';
import { isBackupError } from '../../errors.ts';
import type { BackupError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import type { PageContext } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import { zipOf } from '../zip.ts';
import { logTail, machineFacts } from './diagnostics.ts';

/** What the pages of a service work with that cannot read its database. */
export interface RepairServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  readonly stateDir: string;
  readonly logFile: string;
  /** What stands in the way now. */
  readonly error: () => BackupError;
  /** Tries to start again; from then on other pages answer. False where something still stands in the way. */
  readonly retry: () => Promise<boolean>;
}

interface RepairView {
  readonly heading: string;
  readonly paragraphs: readonly string[];
  /** What the last press of a button came to. */
  readonly message: string;
  readonly path: string;
  readonly detail: string;
  readonly copies: readonly CopyView[];
  /** The database itself is what is wrong: another one may take its place. */
  readonly canReplace: boolean;
}

interface CopyView {
  readonly name: string;
  readonly madeMs: number;
  readonly words: string;
  readonly isUsable: boolean;
  readonly isChosen: boolean;
}

const FILES_MAX = 500;

/** What stands in the way of the service, and what can be done about it. */
export function showRepair(services: RepairServices): RequestHandler {
  return async (req, res) => {
    if (req.path === '/') await renderRepair(services, res, 200, '');
    else redirect(res, '/');
  };
}

export function repairRetry(services: RepairServices): RequestHandler {
  return async (_req, res) => {
    await goOn(services, res);
  };
}

/** Puts a copy in the place of the database and starts. */
export function repairRestore(services: RepairServices): RequestHandler {
  return async (req, res) => {
    const name = formOf(req).text('copy');
    const isThere = listCopies(services.stateDir).some((copy) => copy.name === name && copy.state === 'usable');
    await replace(services, req, res, isThere ? 'restore' : undefined, () => {
      restoreCopy(services.stateDir, name, services.clock.nowMs());
    });
  };
}

/** Lays everything aside and starts with an empty database. */
export function repairAnew(services: RepairServices): RequestHandler {
  return async (req, res) => {
    await replace(services, req, res, 'anew', () => {
      beginAnew(services.stateDir, services.clock.nowMs());
    });
  };
}

/** What helps to find the fault, without what the database holds. */
export function repairDiagnostics(services: RepairServices): RequestHandler {
  return async (_req, res) => {
    const { clock, stateDir, logFile } = services;
    const { code, facts, detail } = services.error();
    const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value, undefined, 2));
    const members = [
      { name: 'system.json', content: json(machineFacts(services.version, clock.nowMs())) },
      { name: 'error.json', content: json({ code, facts, detail }) },
      { name: 'files.json', content: json(filesOf(stateDir)) },
      { name: 'copies.json', content: json(listCopies(stateDir)) },
      { name: 'log.jsonl', content: Buffer.from(await logTail(logFile)) },
    ];
    const at = new Date(clock.nowMs());
    res.attachment(`site-backup-diagnostics-${at.toISOString().slice(0, 10)}.zip`);
    res.type('application/zip').send(zipOf(members, at));
  };
}

async function replace(
  services: RepairServices,
  req: Request,
  res: Response,
  what: 'restore' | 'anew' | undefined,
  act: () => void,
): Promise<void> {
  const { t, text } = pageOf(res);
  const isConfirmed = formOf(req).has('confirm');
  if (what === undefined || !isConfirmed || !canReplace(services)) {
    await renderRepair(services, res, 422, t(what === undefined ? 'rp.choose' : 'rp.confirm'));
    return;
  }
  try {
    act();
    services.log.warn(what === 'restore' ? 'database-restored' : 'database-begun-anew', {
      account: pageOf(res).account,
      copy: formOf(req).text('copy'),
    });
  } catch (cause) {
    const error = asStateError(cause, services.stateDir);
    services.log.error('database-not-replaced', { error });
    if (!isBackupError(error)) throw error;
    await renderRepair(services, res, 422, text.error(error.code, error.facts).cause);
    return;
  }
  await goOn(services, res);
}

async function goOn(services: RepairServices, res: Response): Promise<void> {
  // The answer goes to the pages that are there from now on.
  if (await services.retry()) redirect(res, '/');
  else await renderRepair(services, res, 422, pageOf(res).t('rp.still'));
}

function canReplace(services: RepairServices): boolean {
  const { code, facts } = services.error();
  return code !== 'disk-full' && basename(String(facts['path'])) === APP_DATABASE;
}

async function renderRepair(services: RepairServices, res: Response, status: number, message: string): Promise<void> {
  const page = pageOf(res);
  const { t } = page;
  const error = services.error();
  const isReplaced = canReplace(services);
  const kind = error.code === 'state-unreadable' && !isReplaced ? 'other' : error.code;
  const view: RepairView = {
    heading: t(`rp.${kind}.h`),
    paragraphs: [t(`rp.${kind}.p`, { version: services.version }), t('rp.safe')],
    message,
    path: String(error.facts['path'] ?? ''),
    detail: error.detail ?? '',
    copies: isReplaced ? copyViews(services, page) : [],
    canReplace: isReplaced,
  };
  // Without the menu: none of its pages is there.
  res.locals['page'] = { ...page, account: undefined } satisfies PageContext;
  await render(res, 'repair', view, { status, title: view.heading, menu: undefined });
}

function copyViews({ stateDir }: RepairServices, { t, text }: PageContext): CopyView[] {
  const copies = listCopies(stateDir);
  const newest = copies.find((copy) => copy.state === 'usable');
  return copies.map((copy) => ({
    name: copy.name,
    madeMs: copy.madeMs,
    words: t(`rp.copy.${copy.state}`, { count: copy.tasks, size: text.bytes(copy.sizeBytes) }),
    isUsable: copy.state === 'usable',
    isChosen: copy === newest,
  }));
}

function filesOf(stateDir: string): object[] {
  try {
    return readdirSync(stateDir, { recursive: true, encoding: 'utf8' })
      .slice(0, FILES_MAX)
      .map((name) => {
        const stats = statSync(join(stateDir, name), { throwIfNoEntry: false });
        return { name, bytes: stats?.size, modified: stats?.mtime };
      });
  } catch (error) {
    return [{ error: String(error) }];
  }
}
