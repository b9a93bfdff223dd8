import { join } from 'node:path';
import ejs from 'ejs';
import type { Response } from 'express';
import { pageOf } from './page-context.ts';
import type { PageContext } from './page-context.ts';

export type MenuEntry = 'tasks' | 'activity' | 'log' | 'settings' | 'help';

export interface RenderOptions {
  /** 200 by default. With 422 the title begins with the word for an error. */
  readonly status?: number;
  /** Words for the tab, most particular first: `History – My site`. The product's name is added. */
  readonly title: string;
  /** The entry of the main menu that this page belongs to. */
  readonly menu: MenuEntry | undefined;
  /** Scripts of ui/public that only this page loads, beside app.js. */
  readonly scripts?: readonly string[];
}

/**
 * Sends `ui/views/<view>.ejs` inside the layout. Beside the fields of `data`, views have `page`, `t`, `n`, `bytes`,
 * `duration`, `when` (HTML), `url`, `asset`, `csrf` (HTML) and `icon` (HTML).
 */
export async function render(res: Response, view: string, data: object, options: RenderOptions): Promise<void> {
  const page = pageOf(res);
  const status = options.status ?? 200;
  const given = { ...data, ...viewWords(page) };
  const body = await renderFile(page, view, given);
  // Taken after the view was made: a page that fails does not swallow the notice.
  const flash = page.isBackground ? undefined : page.flashes.take(page.csrfToken);
  const html = await renderFile(page, 'layout', {
    ...viewWords(page),
    body,
    flash: flash === undefined ? undefined : { tone: flash.tone, words: page.t(flash.key, flash.facts) },
    title: status === 422 ? page.t('page.error-title', { title: options.title }) : options.title,
    menu: options.menu,
    side: page.account === undefined ? undefined : await page.side(),
    scripts: options.scripts ?? [],
  });
  res.status(status).type('html').send(withIcons(html, page));
}

/** Sends `ui/views/parts/<part>.ejs` alone, with the icons that it uses where it has a place for them. */
export async function renderPart(res: Response, part: string, data: object): Promise<void> {
  const page = pageOf(res);
  const html = await renderFile(page, `parts/${part}`, { ...data, ...viewWords(page) });
  res.type('html').send(withIcons(html, page));
}

/** Puts the icons that the page uses, and those of its scripts, in their place in the layout. */
function withIcons(html: string, { ui }: PageContext): string {
  const names = new Set(ui.scriptIcons);
  for (const [, name = ''] of html.matchAll(/"#i-([\w-]+)"/g)) names.add(name);
  return html.replace('<!--icons-->', () => [...names].map((name) => ui.icons.get(name) ?? '').join(''));
}

/** What all views, and all parts of views, may use. */
function viewWords(page: PageContext): object {
  const { text } = page;
  return {
    page,
    t: page.t,
    n: (value: number) => text.number(value),
    bytes: (value: number) => text.bytes(value),
    duration: (durationMs: number) => text.duration(durationMs),
    when: page.dates.html,
    url: page.url,
    asset: (name: string) => page.url(`/static/${page.ui.version}/${name}`),
    csrf: () => `<input type="hidden" name="_csrf" value="${page.csrfToken}">`,
    icon: (name: string, extraClass = '') =>
      `<svg class=${extraClass === '' ? 'i' : `"i ${extraClass}"`} aria-hidden=true><use href="#i-${name}"/></svg>`,
  };
}

function renderFile(page: PageContext, view: string, data: object): Promise<string> {
  return ejs.renderFile(join(page.ui.viewsDir, `${view}.ejs`), data, { cache: !page.isViewReloaded });
}
