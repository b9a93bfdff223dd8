import type { Response } from 'express';
import type { TextFacts } from '../text.ts';
import type { FlashTone } from './flash-box.ts';
import { pageOf } from './page-context.ts';

/** Says `key` on the next page that this browser opens. */
export function flash(res: Response, tone: FlashTone, key: string, facts: TextFacts = {}): void {
  const page = pageOf(res);
  page.flashes.put(page.csrfToken, { tone, key, facts });
}
