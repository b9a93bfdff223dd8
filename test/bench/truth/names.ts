/** Names and places that tools get wrong. All of them are honest: everything can be had. */
import { utf8Name } from '../../support/scripted-ftp-tree.ts';
import type { Expected, ScriptedScenario, Site } from './scenario.ts';
import { editSite, makeSite } from './site.ts';

const LIST_ONLY = { hasMlsd: false, hasMlst: false } as const;

/** A site with `paths`, each of which is edited on the day. */
function named(
  name: string,
  about: string,
  paths: readonly string[],
  more: Partial<ScriptedScenario> & { expect?: Partial<Expected> } = {},
): ScriptedScenario {
  const { expect, ...rest } = more;
  const write = (site: Site, text: string): void => {
    for (const [index, path] of paths.entries()) site.writeFile(path, `${text} ${index} of ${name}`);
  };
  return {
    name,
    about,
    site: (site) => {
      makeSite(site);
      write(site, 'first');
    },
    nights: [
      {
        change: (site) => {
          editSite(site);
          write(site, 'second, edited');
        },
        expect: { outcome: 'complete', ...expect },
      },
    ],
    ...rest,
  };
}

export const NAME_SCENARIOS: readonly ScriptedScenario[] = [
  named('accents', 'Names in UTF-8', [utf8Name('/docs/été à Paris.txt'), utf8Name('/Où êtes-vous ?/日本の椅子.webp')]),
  named('latin1-beside-utf8', 'The same name in Latin-1 and in UTF-8 in one folder', [
    '/docs/caf\xe9.txt',
    utf8Name('/docs/café.txt'),
  ]),
  named('latin1-folder', 'A folder whose name is Latin-1', ['/docs/\xc9t\xe9/a.txt', '/docs/\xc9t\xe9/b.txt']),
  named('nfc-beside-nfd', 'The same name composed and decomposed', [
    utf8Name('/docs/é.txt'.normalize('NFC')),
    utf8Name('/docs/é.txt'.normalize('NFD')),
  ]),
  named('case-pair', 'Two names that differ in case alone', ['/docs/README', '/docs/readme']),
  named('name-of-255-bytes', 'The longest name that a file can have', [`/docs/${'n'.repeat(251)}.txt`]),
  named('spaces-at-the-ends', 'Names that begin or end with spaces, by MLSD', [
    '/docs/ lead',
    '/docs/trail ',
    '/docs/ both ',
  ]),
  named('spaces-at-the-ends-list', 'The same by LIST', ['/docs/ lead', '/docs/trail ', '/docs/a  b'], {
    server: LIST_ONLY,
  }),
  named('globs', 'Folders named [slug], * and ?, and one with a leading dash', [
    '/app/[slug]/page.tsx',
    '/app/[slug]/[...rest]/page.tsx',
    '/app/*/star.txt',
    '/app/what?/query.txt',
    '/app/-draft/notes.txt',
  ]),
  named('globs-list', 'The same by LIST', ['/app/[slug]/page.tsx', '/app/*/star.txt', '/app/-draft/notes.txt'], {
    server: LIST_ONLY,
  }),
  named('quotes-and-backslashes', 'Names with quotes, backslashes, colons and per cent signs', [
    '/docs/"quoted".txt',
    '/docs/back\\slash.txt',
    '/docs/C:drive.txt',
    '/docs/100%25.txt',
    '/docs/<b>.html',
  ]),
  named('control-characters', 'A name with an escape sequence', ['/docs/esc\x1b[31m.txt']),
  named('names-of-the-nas', 'Names that mean something to a Synology NAS', [
    '/@eaDir/a.txt',
    '/docs/#recycle/b.txt',
    '/docs/~$draft.doc',
  ]),
  {
    name: 'links',
    about: 'Links: to a file, to /etc/passwd, and to themselves',
    site: (site) => {
      makeSite(site);
      site.addLink('/docs/to-file', 'read me.txt');
      site.addLink('/docs/absolute', '/etc/passwd');
      site.addLink('/docs/loop', 'loop');
    },
    // One of them leads nowhere, one to what the server has not.
    nights: [{ mayComplain: true, expect: { outcome: 'complete' } }],
  },
  {
    name: 'folder-reached-twice',
    about: 'A folder that is found at two places, as panels of hosters make it',
    nights: [
      {
        trouble: (server) => {
          server.tree.addAlias('/www', '/photos');
          return () => {
            server.tree.remove('/www');
          };
        },
        expect: { outcome: 'complete', notices: ['folder-alias /www'] },
      },
    ],
  },
  {
    name: 'folder-loop',
    about: 'A folder that contains the site itself',
    nights: [
      {
        mayComplain: true,
        trouble: (server) => {
          server.tree.addAlias('/docs/site', '/');
          return () => {
            server.tree.remove('/docs/site');
          };
        },
        expect: { outcome: 'complete', notices: ['folder-alias /docs/site'] },
      },
    ],
  },
];
