import type { RequestHandler, Response } from 'express';
import { folderRoots, probeLocalFolder } from '../../tasks/local-folders.ts';
import type { FolderRoot } from '../../tasks/local-folders.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { askedText } from '../query.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';

interface PermissionView {
  /** The folder that somebody came here for; empty for all shared folders. */
  readonly folder: string;
  readonly folders: readonly FolderState[];
  readonly isTried: boolean;
}

interface FolderState {
  readonly path: string;
  readonly tone: 'ok' | 'err' | 'idle';
  readonly words: string;
}

/** Folders that one press of the button tries: each costs a file that is written, renamed and deleted. */
const TRIED_MAX = 30;

/** How DSM gives the user of this process the right to write, and where it has it. */
export function showPermission(services: Services): RequestHandler {
  return async (req, res) => {
    const folder = askedText(req, 'folder');
    const roots = await folderRoots(services.settings.read().folderRoots);
    const { t } = pageOf(res);
    const idle = { tone: 'idle', words: t('perm.untried') } as const;
    const refused = { tone: 'err', words: t('perm.no') } as const;
    const states =
      folder === '' ? roots.map((root) => ({ path: root.path, ...(root.isWritable ? idle : refused) })) : [];
    const asked = folder === '' ? [] : [{ path: folder, ...idle }];
    await renderPermission(res, { folder, folders: [...asked, ...states], isTried: false });
  };
}

/** Writes, renames and deletes a file in each: what DSM shows of rights is not all that counts. */
export function tryPermission(services: Services): RequestHandler {
  return async (req, res) => {
    const folder = formOf(req).text('folder');
    const roots = await folderRoots(services.settings.read().folderRoots);
    const paths = folder === '' ? roots.map((root) => root.path).slice(0, TRIED_MAX) : [folder];
    const folders: FolderState[] = [];
    for (const path of paths) folders.push(await tried(path, roots, res));
    await renderPermission(res, { folder, folders, isTried: true });
  };
}

async function tried(path: string, roots: readonly FolderRoot[], res: Response): Promise<FolderState> {
  const { t } = pageOf(res);
  const fault = await probeLocalFolder(path, roots);
  if (fault === undefined) return { path, tone: 'ok', words: t('perm.yes') };
  return { path, tone: 'err', words: fault === 'denied' ? t('perm.no') : t(`folder.${fault}`, { path }) };
}

async function renderPermission(res: Response, view: PermissionView): Promise<void> {
  await render(res, 'permission', view, { title: pageOf(res).t('perm.h'), menu: 'help' });
}
