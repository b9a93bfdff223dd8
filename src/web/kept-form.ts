import type { Request, Response } from 'express';
import { flash } from './flash.ts';
import type { Form } from './form.ts';
import { pageOf } from './page-context.ts';

/** The form that was typed on this page before the session ended; the page then says so. undefined: there is none. */
export function keptForm(req: Request, res: Response, nowMs: number): Form | undefined {
  const id = req.query['kept'];
  const page = pageOf(res);
  const form = typeof id === 'string' ? page.keptForms.get(id, page.account, req.path, nowMs) : undefined;
  if (form !== undefined) flash(res, 'info', 'ok.kept');
  return form;
}
