import type { Response } from 'express';
import type { Language, Text, TextFacts } from '../text.ts';
import type { Dates } from './dates.ts';
import type { FlashBox } from './flash-box.ts';
import type { KeptForms } from './kept-forms.ts';
import type { SideView } from './side.ts';
import type { UiFiles } from './ui-files.ts';

export type Theme = 'auto' | 'light' | 'dark';

/** What every page knows about the request that asks for it. */
export interface PageContext {
  readonly language: Language;
  readonly text: Text;
  readonly t: (key: string, facts?: TextFacts) => string;
  readonly dates: Dates;
  readonly theme: Theme;
  /** IANA name. */
  readonly timeZone: string;
  /** `/`, or `/sitebackup/` behind the web server of DSM: always with a slash at both ends. */
  readonly basePath: string;
  /** Path and query of this page below the base path, beginning with a slash. */
  readonly path: string;
  /** `url('/tasks')` is `/sitebackup/tasks`. */
  readonly url: (path: string) => string;
  /** Stands in every form as `_csrf`. */
  readonly csrfToken: string;
  /** Who is signed in; undefined on the pages before that. */
  readonly account: string | undefined;
  /** SHA-256 of this session's token, where there is one: the row in the list of sessions that is this browser. */
  readonly sessionHash: Buffer | undefined;
  /** Asks again, without counting as use: a stream must end with its session. */
  readonly isStillSignedIn: () => boolean;
  /** Asked by an open page itself: nobody reads what is only said once. */
  readonly isBackground: boolean;
  /** True in a window of the DSM desktop, which has its own title bar. */
  readonly isEmbedded: boolean;
  /** The name of the NAS. */
  readonly machine: string;
  readonly version: string;
  readonly hasShortcuts: boolean;
  readonly flashes: FlashBox;
  readonly keptForms: KeptForms;
  readonly ui: UiFiles;
  /** What stands beside the page, for who is signed in. */
  readonly side: () => Promise<SideView>;
  /** Views are read from disk for each page: for people who change them. */
  readonly isViewReloaded: boolean;
}

/** The context that create-app.ts laid there before any handler ran. */
export function pageOf(res: Response): PageContext {
  return (res.locals as { page: PageContext }).page;
}
