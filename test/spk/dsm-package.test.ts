/** The package as it is shipped, on a NAS of its own, behind nginx with the location that Package Center links there. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { EN, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import { whyNginxIsMissing } from '../support/dsm-nginx.ts';
import { startFakeNas, whyNasIsMissing } from './fake-nas.ts';
import type { FakeNas } from './fake-nas.ts';
import { PackageCenter } from './package-center.ts';
import { spkForTests } from './spk-for-tests.ts';

const NODE = '/var/packages/Node.js_v22/target/usr/local/bin/node';
const SESSIONS = { boss: ['a1', 'token-boss'], anna: ['b2', 'token-anna'] } as const;

/** Checks cookie, token and address, as DSM's does. */
const authenticate = (address: string): string => `#!/bin/sh
[ "$REMOTE_ADDR" = '${address}' ] || exit 1
case ";$HTTP_COOKIE;$HTTP_X_SYNO_TOKEN;" in
${Object.entries(SESSIONS)
  .map(([user, [id, token]]) => `*'id=${id};${token};') echo ${user} ;;`)
  .join('\n')}
*) exit 7 ;;
esac
`;

const NGINX = `
user www-data; pid /tmp/nginx.pid; error_log /tmp/nginx.log;
events {}
http {
  access_log off;
  map $cookie_id $token { ${Object.values(SESSIONS)
    .map(([id, token]) => `${id} ${token};`)
    .join(' ')} }
  server {
    listen 5000;
    include /usr/local/etc/nginx/conf.d/dsm.*.conf;
    location = /webman/login.cgi { default_type text/plain; return 200 '{"SynoToken":"$token","success":true}'; }
    location / { default_type text/html; return 200 '<title>DSM</title><a href="/sitebackup/">Site Backup</a>'; }
  }
}
`;

const skip = whyNasIsMissing() ?? whyNginxIsMissing() ?? whyBrowserIsMissing() ?? false;

describe('the package behind DSM’s web server', { skip }, () => {
  let nas: FakeNas;
  let center: PackageCenter;
  let browser: Browser;
  before(async () => {
    const spk = await spkForTests('0.1.0-0001');
    nas = await startFakeNas();
    center = new PackageCenter(nas);
    const put = (path: string, content: string, mode: number): void => {
      mkdirSync(dirname(nas.file(path)), { recursive: true, mode: 0o755 });
      writeFileSync(nas.file(path), content, { mode });
    };
    put('/usr/syno/synoman/webman/modules/authenticate.cgi', authenticate(nas.clientAddress), 0o755);
    put('/etc/nginx/dsm.conf', NGINX, 0o644);
    // 101 is the number on every DSM; here another group may have it.
    await nas.must(['sh', '-c', 'groupadd -o -g 101 administrators; useradd -G administrators boss && useradd anna']);
    assert.equal((await center.install(spk)).isDone, true);
    assert.equal((await center.start()).isDone, true);
    await nas.must(['nginx', '-c', '/etc/nginx/dsm.conf']);
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  });
  after(async () => {
    await browser.close();
    await nas.stop();
  });

  const open = async (user?: keyof typeof SESSIONS): Promise<Page> => {
    const context = await browser.newContext({ locale: 'en-GB' });
    const url = `http://${nas.address}:5000`;
    if (user !== undefined) await context.addCookies([{ name: 'id', value: SESSIONS[user][0], url }]);
    const page = await context.newPage();
    await page.goto(url);
    await page.getByRole('link', { name: 'Site Backup' }).click();
    return page;
  };

  it('leads an administrator from the menu of DSM straight to the list of tasks', async () => {
    const page = await open('boss');
    await page.waitForURL('**/sitebackup/tasks');
    await page.getByRole('heading', { name: EN.t('dash.empty.h') }).waitFor();
  });

  it('refuses another user of DSM, and who has no session there', async () => {
    const anna = await open('anna');
    await anna.getByText(EN.t('dl.not-administrator.h', { name: 'anna' })).waitFor();
    const nobody = await open();
    await nobody.getByText(EN.t('dl.nobody.h')).waitFor();
  });

  it('refuses another user of the NAS directly at the port, who cannot read the secret either', async () => {
    const ask = `fetch('http://127.0.0.1:8377/sitebackup/').then((answer) => process.stdout.write(String(answer.status)))`;
    assert.equal((await nas.run([NODE, '-e', ask], { user: 'anna' })).stdout, '403');
    const secret = `${center.place('var')}/data/dsm-gate.conf`;
    assert.notEqual((await nas.run(['cat', secret], { user: 'anna' })).code, 0);
  });

  it('lets in again after a restart that nginx did not take part in', async () => {
    assert.equal((await center.stop()).isDone, true);
    assert.equal((await center.start()).isDone, true);
    const page = await open('boss');
    await page.waitForURL('**/sitebackup/tasks');
  });
});
