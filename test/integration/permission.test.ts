/** A shared folder that DSM has not given to the user of the service: what the pages say, and what they see by trying. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createText } from '../../src/text.ts';
import { permissionPath } from '../../src/web/task-path.ts';
import { startWebApp } from '../support/web-app.ts';
import type { Visitor, WebApp } from '../support/web-app.ts';

/** The user `nobody` of Debian and DSM. */
const NOBODY = 65_534;

describe('a shared folder without permission', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'site-backup-permission-')));
  const [open, closed] = [join(folder, 'open'), join(folder, 'closed')];
  let app: WebApp;
  let visitor: Visitor;
  before(async () => {
    for (const path of [open, closed]) mkdirSync(path);
    chmodSync(folder, 0o755);
    chmodSync(open, 0o777);
    chmodSync(closed, 0o555);
    app = await startWebApp();
    app.services.settings.write({ folderRoots: [open, closed] });
    visitor = await app.owner();
  });
  after(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });

  /** What the page says where this process is not root, whom no mode stops. */
  const asNobody = async <T>(act: () => Promise<T>): Promise<T> => {
    if (process.getuid?.() !== 0) return act();
    process.seteuid?.(NOBODY);
    try {
      return await act();
    } finally {
      process.seteuid?.(0);
    }
  };
  const stateOf = (page: string, path: string): string =>
    new RegExp(`${path}</dt><dd class="t-(\\w+)"`).exec(page)?.[1] ?? '';

  it('is named with the steps in DSM and the user that this process really has', async () => {
    const page = (await visitor.ask('/permission')).text;
    assert.match(page, /System internal user/);
    assert.match(page, new RegExp(`“${userInfo().username}”`));
    assert.doesNotMatch(page, /\{self\}|…”/);
  });

  it('is tried by writing, renaming and deleting a file, of which nothing stays', async () => {
    const token = /name="_csrf" value="([^"]+)"/.exec((await visitor.ask('/permission')).text)?.[1] ?? '';
    const page = (await asNobody(() => visitor.ask('/permission', { form: { _csrf: token } }))).text;
    assert.equal(stateOf(page, open), 'ok');
    assert.equal(stateOf(page, closed), 'err');
    assert.deepEqual(readdirSync(open), []);
    chmodSync(closed, 0o777);
    const again = (await asNobody(() => visitor.ask('/permission', { form: { _csrf: token } }))).text;
    assert.equal(stateOf(again, closed), 'ok');
    chmodSync(closed, 0o555);
  });

  it('is tried for the folder of one task, too, and never outside of the shared folders', async () => {
    const page = await visitor.ask(`/permission?folder=${encodeURIComponent(`${open}/task`)}`);
    assert.match(page.text, new RegExp(`${open}/task`));
    const tried = await visitor.send('/permission', { folder: `${open}/task` });
    assert.equal(stateOf(tried.text, `${open}/task`), 'ok');
    assert.deepEqual(readdirSync(open), []);
    const outside = await visitor.send('/permission', { folder: '/etc' });
    assert.equal(stateOf(outside.text, '/etc'), 'err');
    const hostile = await visitor.send('/permission', { folder: '<script>alert(1)</script>' });
    assert.doesNotMatch(hostile.text, /<script>alert/);
  });

  it('is where the next step of a run leads that could not write, in both languages', () => {
    assert.equal(permissionPath('target-read-only', '/volume1/a b'), '/permission?folder=%2Fvolume1%2Fa%20b');
    assert.equal(permissionPath('disk-full', '/volume1'), undefined);
    for (const language of ['en', 'fr'] as const) {
      const words = createText(language).t('web.error.target-read-only.do');
      assert.ok(words.includes(userInfo().username), words);
    }
  });
});
