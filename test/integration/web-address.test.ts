/** Settings → Web access, over real sockets: a change is tried beside the old address, and kept only from the new one. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectSecurely } from 'node:tls';
import { afterEach, describe, it } from 'node:test';
import { DEFAULT_WEB_ACCESS } from '../../src/settings/web-access.ts';
import type { WebAccess } from '../../src/settings/web-access.ts';
import { TRIAL_MS } from '../../src/web/web-access-control.ts';
import { makeSelfSignedCertificate } from '../support/self-signed-certificate.ts';
import { Visitor, freePort, startWebApp, tokenIn } from '../support/web-app.ts';
import type { Answer, WebApp, WebAppOptions } from '../support/web-app.ts';

const PAGE = '/settings/web';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A service whose address may be changed, listening on this machine only. */
async function start(web: Partial<WebAccess> = {}, options: WebAppOptions = {}): Promise<WebApp & { owner1: Visitor }> {
  const port = await freePort();
  const app = await startWebApp({
    ...options,
    web: { ...DEFAULT_WEB_ACCESS, listen: '127.0.0.1', port, ...web },
  });
  endings.push(() => app.close());
  const owner1 = await app.owner();
  return { ...app, owner1 };
}

const typed = (access: WebAccess, changes: Record<string, string>): Record<string, string> => ({
  port: String(access.port),
  listen: access.listen === '' ? 'network' : 'local',
  encryption: access.encryption,
  certificateFile: access.certificateFile,
  keyFile: access.keyFile,
  basePath: access.basePath,
  trustedProxies: access.trustedProxies.join('\n'),
  ...changes,
});

async function change(app: WebApp & { owner1: Visitor }, changes: Record<string, string>): Promise<Answer> {
  const { current } = app.services.webAccess;
  const base = current.basePath;
  return app.owner1.send(`${base}settings/web`, typed(current, changes));
}

/** The link to the new address, as the page shows it. */
async function trialLink(app: WebApp & { owner1: Visitor }): Promise<URL> {
  const page = (await app.owner1.ask(`${app.services.webAccess.current.basePath}settings/web`)).text;
  const link = /href="(https?:\/\/[^"]+\/settings\/web\/keep\?token=[\w-]+)"/.exec(page)?.[1];
  assert.ok(link !== undefined, 'the page shows no link to the new address');
  return new URL(link);
}

/** Opens the link in a browser that has never been here and presses the button. */
async function keepAt(link: URL, port = Number(link.port)): Promise<Answer> {
  const visitor = new Visitor(port, undefined, link.protocol === 'https:');
  const page = await visitor.ask(link.pathname + link.search);
  assert.equal(page.status, 200, page.text.slice(0, 200));
  return visitor.ask(link.pathname, {
    form: { _csrf: tokenIn(page.text), token: link.searchParams.get('token') ?? '' },
  });
}

async function answers(port: number, path = '/login', isTls = false): Promise<number | string> {
  try {
    return (await new Visitor(port, undefined, isTls).ask(path)).status;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** As Activity tells it, to somebody who has just signed in there; the sign-in itself left out. */
async function newestDeed(app: WebApp & { owner1: Visitor }, port: number): Promise<string> {
  const { owner1 } = app;
  const visitor = new Visitor(port);
  for (const [name, value] of owner1.cookies) visitor.cookies.set(name, value);
  const { text } = await visitor.ask('/runs?kind=deeds');
  return (/<tr><td class="nw num">[\s\S]*?<\/tr>/.exec(text)?.[0] ?? '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
}

async function occupy(): Promise<{ port: number; server: Server }> {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  endings.push(() => server.close());
  return { port, server };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe('a new port', () => {
  it('opens beside the old one, and the old one closes when it is confirmed there', async () => {
    const app = await start();
    const port = await freePort();
    assert.equal((await change(app, { port: String(port) })).status, 303);
    assert.deepEqual([await answers(app.port), await answers(port)], [200, 200]);
    const link = await trialLink(app);
    assert.equal(link.port, String(port));
    assert.equal((await keepAt(link)).headers.location, '/settings/web');
    assert.deepEqual([await answers(app.port), await answers(port)], ['ECONNREFUSED', 200]);
    assert.equal(app.services.settings.read().web.port, port);
    assert.match(await newestDeed(app, port), /admin changed the settings: Web access/);
    app.clock.advance(2 * TRIAL_MS);
    await settle();
    assert.equal(await answers(port), 200, 'what was confirmed is not taken back');
  });

  it('is given up after a minute without a confirmation, and the page says so', async () => {
    const app = await start();
    const port = await freePort();
    await change(app, { port: String(port) });
    app.clock.advance(TRIAL_MS - 1000);
    await settle();
    assert.match((await app.owner1.ask(PAGE)).text, /1 second left/);
    assert.equal(await answers(port), 200);
    app.clock.advance(1000);
    await settle();
    assert.deepEqual([await answers(app.port), await answers(port)], [200, 'ECONNREFUSED']);
    assert.match((await app.owner1.ask(PAGE)).text, /Nobody confirmed the new address in time/);
    assert.deepEqual(app.services.settings.read().web.port, app.port);
    assert.match(await newestDeed(app, app.port), /admin signed in/, 'nothing was changed');
  });

  it('can be taken back at once', async () => {
    const app = await start();
    const port = await freePort();
    await change(app, { port: String(port) });
    await app.owner1.send('/settings/web/back', {}, PAGE);
    assert.deepEqual([await answers(app.port), await answers(port)], [200, 'ECONNREFUSED']);
    assert.match((await app.owner1.ask(PAGE)).text, /The change was taken back/);
  });

  it('that is taken gives a clear message, keeps what was typed, and leaves the old address alone', async () => {
    const app = await start();
    const { port } = await occupy();
    const answer = await change(app, { port: String(port) });
    assert.equal(answer.status, 422);
    assert.match(answer.text, new RegExp(`The port ${port} is in use by another program`));
    assert.match(answer.text, new RegExp(`name="port" value="${port}"`));
    assert.match(answer.text, /<title>Error: /);
    assert.equal(app.services.webAccess.trial, undefined);
    assert.equal(await answers(app.port), 200);
  });

  it('cannot be confirmed at the old address, with a guessed token, or twice', async () => {
    const app = await start();
    const port = await freePort();
    await change(app, { port: String(port) });
    const link = await trialLink(app);
    const at = link.pathname + link.search;
    assert.equal((await app.owner1.ask(at)).status, 404, 'at the old address nothing is proved');
    assert.equal(await answers(port, `${link.pathname}?token=${'A'.repeat(43)}`), 404);
    assert.equal(await answers(port, link.pathname), 404);
    const visitor = new Visitor(port);
    const foreign = await visitor.ask(link.pathname, { form: { token: link.searchParams.get('token') ?? '' } });
    assert.equal(foreign.status, 403, 'a form without its token');
    assert.notEqual(app.services.webAccess.trial, undefined);
    assert.equal((await keepAt(link)).status, 303);
    assert.equal(await answers(port, at), 404);
  });

  it('replaces a trial that is under way', async () => {
    const app = await start();
    const [first, second] = [await freePort(), await freePort()];
    await change(app, { port: String(first) });
    await change(app, { port: String(second) });
    assert.deepEqual([await answers(first), await answers(second)], ['ECONNREFUSED', 200]);
    app.clock.advance(TRIAL_MS);
    await settle();
    assert.deepEqual([await answers(app.port), await answers(second)], [200, 'ECONNREFUSED']);
  });
});

describe('HTTPS of the service itself', () => {
  it('comes with a certificate of its own making, on the same port, and HTTP leads there once it is confirmed', async () => {
    const app = await start();
    assert.equal((await change(app, { encryption: 'self-signed' })).status, 303);
    const link = await trialLink(app);
    assert.equal(link.protocol, 'https:');
    assert.deepEqual([await answers(app.port), await answers(app.port, '/login', true)], [200, 200]);
    assert.equal((await keepAt(link)).status, 303);
    const plain = await new Visitor(app.port).ask('/tasks?q=a', { headers: { Host: `nas.example:${app.port}` } });
    assert.deepEqual([plain.status, plain.headers.location], [302, `https://nas.example:${app.port}/tasks?q=a`]);
    const file = join(app.services.stateDir, 'web', 'self-signed.pem');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const shown = app.services.webAccess.certificate?.fingerprint;
    assert.equal(await peerFingerprint(app.port), shown);
    const secure = new Visitor(app.port, undefined, true);
    await secure.ask('/login');
    assert.match(secure.setCookies[0] ?? '', /^__Secure-sitebackup_form=.*; Secure/);
    assert.doesNotMatch(JSON.stringify((await secure.ask('/login')).headers), /strict-transport/i);
  });

  it('can be left again: a browser that holds the secure cookies signs in over HTTP', async () => {
    const app = await start();
    await change(app, { encryption: 'self-signed' });
    await keepAt(await trialLink(app));
    const secure = new Visitor(app.port, undefined, true);
    await secure.send('/login', { name: 'admin', password: 'correct horse battery' });
    const { current } = app.services.webAccess;
    assert.equal((await secure.send(PAGE, typed(current, { encryption: 'none' }))).status, 303);
    const { token } = app.services.webAccess.trial ?? { token: '' };
    const kept = await keepAt(new URL(`http://127.0.0.1:${app.port}/settings/web/keep?token=${token}`));
    assert.equal(kept.status, 303);
    const plain = new Visitor(app.port);
    await plain.send('/login', { name: 'admin', password: 'correct horse battery' });
    assert.equal((await plain.ask('/tasks')).status, 200);
    const names = [...secure.cookies.keys()].filter((name) => plain.cookies.has(name));
    assert.deepEqual(names, [], 'a plain cookie of the name of a secure one is refused by browsers');
  });

  it('takes the two files of an administrator, and takes renewed ones into use', async () => {
    const app = await start();
    const certificate = await makeSelfSignedCertificate();
    const renewed = await makeSelfSignedCertificate();
    endings.push(
      () => certificate.remove(),
      () => renewed.remove(),
    );
    const { certFile: certificateFile, keyFile } = certificate;
    assert.equal((await change(app, { encryption: 'own', certificateFile, keyFile })).status, 303);
    await keepAt(await trialLink(app));
    assert.equal(hex(await peerFingerprint(app.port)), certificate.fingerprint);
    writeFileSync(certificate.certFile, renewed.cert);
    writeFileSync(certificate.keyFile, renewed.key);
    app.clock.advance(60 * 60_000);
    await waitFor(async () => hex(await peerFingerprint(app.port)) === renewed.fingerprint);
    assert.equal(await answers(app.port, '/login', true), 200);
  });

  it('names what is wrong with a file, and the old address lives on', async () => {
    const app = await start();
    const folder = mkdtempSync(join(tmpdir(), 'site-backup-pem-'));
    endings.push(() => {
      rmSync(folder, { recursive: true });
    });
    const [one, other] = [await makeSelfSignedCertificate(), await makeSelfSignedCertificate()];
    endings.push(
      () => one.remove(),
      () => other.remove(),
    );
    const noPem = join(folder, 'no.pem');
    writeFileSync(noPem, 'not a certificate');
    const locked = join(folder, 'locked.pem');
    writeFileSync(locked, '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END ENCRYPTED PRIVATE KEY-----\n');
    const huge = join(folder, 'huge.pem');
    writeFileSync(huge, 'x'.repeat(2_000_000));
    mkdirSync(join(folder, 'folder'));
    const wrong: [string, string, RegExp][] = [
      [join(folder, 'missing.pem'), one.keyFile, /This file cannot be read/],
      [join(folder, 'folder'), one.keyFile, /This file cannot be read/],
      ['/dev/zero', one.keyFile, /This file cannot be read/],
      [huge, one.keyFile, /This file cannot be read/],
      [noPem, one.keyFile, /not a usable certificate/],
      [one.certFile, noPem, /not a private key/],
      [one.certFile, locked, /locked with a passphrase/],
      [one.certFile, other.keyFile, /does not belong to the certificate/],
      ['relative.pem', one.keyFile, /whole path of the certificate file/],
      ['', '', /whole path of the certificate file/],
    ];
    for (const [certificateFile, keyFile, words] of wrong) {
      const answer = await change(app, { encryption: 'own', certificateFile, keyFile });
      assert.equal(answer.status, 422, certificateFile);
      assert.match(answer.text, words);
      assert.doesNotMatch(answer.text, /root:|PRIVATE KEY-----|not a certificate/, 'no content of a file is shown');
    }
    assert.equal(await answers(app.port), 200);
    assert.equal(app.services.webAccess.trial, undefined);
  });

  it('goes on with a certificate of its own making where the one that was set has gone at the next start', async () => {
    const missing = { certificateFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' };
    const port = await freePort();
    const web = { ...DEFAULT_WEB_ACCESS, listen: '127.0.0.1', port, encryption: 'own', ...missing } as const;
    const app = await startWebApp({ web });
    endings.push(() => app.close());
    assert.equal(await answers(port, '/setup', true), 200);
    assert.equal(app.services.webAccess.emergency?.key, 'file');
  });
});

describe('who can open the pages', () => {
  it('can be narrowed to this machine and widened again on the same port', async () => {
    const app = await start({ listen: '' });
    assert.equal((await change(app, { listen: 'local' })).status, 303);
    assert.equal((await trialLink(app)).hostname, 'localhost');
    assert.equal((await keepAt(await trialLink(app), app.port)).status, 303);
    assert.equal(app.services.webAccess.current.listen, '127.0.0.1');
    await change(app, { listen: 'network' });
    assert.equal(await answers(app.port), 200);
    await keepAt(await trialLink(app));
    assert.equal(app.services.webAccess.current.listen, '');
    assert.equal(await answers(app.port), 200);
  });

  it('stays as it was where widening fails because another program has the port elsewhere', async () => {
    const app = await start();
    const other = createServer();
    await new Promise<void>((resolve, reject) => {
      other.once('error', reject);
      other.listen(app.port, '127.0.0.2', resolve);
    });
    endings.push(() => other.close());
    const answer = await change(app, { listen: 'network' });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /is in use by another program/);
    assert.equal(await answers(app.port), 200);
  });

  it('counts a wrong base path or proxy as a fault of its field', async () => {
    const app = await start();
    for (const basePath of ['sitebackup', '/a/../', '/a b/', '/<b>/', '//evil.example/', `/${'a'.repeat(300)}/`]) {
      const answer = await change(app, { basePath });
      assert.equal(answer.status, 422, basePath);
      assert.match(answer.text, /id="basePath-err"/);
    }
    for (const trustedProxies of ['evil.example', '10.0.0.0/33', '::1/129', '1.2.3.4/8/8', 'everyone']) {
      const answer = await change(app, { trustedProxies });
      assert.equal(answer.status, 422, trustedProxies);
      assert.match(answer.text, /id="trustedProxies-err"/);
    }
    for (const port of ['', '0', '65536', '80.5', '-1', 'http']) {
      assert.equal((await change(app, { port })).status, 422, port);
    }
  });

  it('moves below another path, with both working until it is confirmed', async () => {
    const app = await start();
    await change(app, { basePath: '/sitebackup/', trustedProxies: '127.0.0.1, uniquelocal' });
    assert.deepEqual([await answers(app.port), await answers(app.port, '/sitebackup/login')], [200, 200]);
    const link = await trialLink(app);
    assert.equal(link.pathname, '/sitebackup/settings/web/keep');
    await keepAt(link);
    assert.deepEqual([await answers(app.port), await answers(app.port, '/sitebackup/login')], [404, 200]);
    assert.deepEqual(app.services.settings.read().web.trustedProxies, ['127.0.0.1', 'uniquelocal']);
  });
});

describe('start options', () => {
  it('go before what is set, and the page says so and offers nothing to change', async () => {
    const app = await startWebApp();
    endings.push(() => app.close());
    const owner = await app.owner();
    const page = (await owner.ask(PAGE)).text;
    assert.match(page, /set when the service was started/);
    assert.doesNotMatch(page, /name="port"/);
    const token = tokenIn(page);
    const port = await freePort();
    await owner.ask(PAGE, { form: { _csrf: token, ...typed(DEFAULT_WEB_ACCESS, { port: String(port) }) } });
    assert.equal(app.services.webAccess.trial, undefined);
    assert.equal(await answers(port), 'ECONNREFUSED');
  });
});

describe('connections', () => {
  it('that talk nonsense are ended, and one that says nothing keeps nobody waiting', async () => {
    const app = await start();
    const silent = connect(app.port, '127.0.0.1');
    const garbage = connect(app.port, '127.0.0.1');
    const tls = connect(app.port, '127.0.0.1');
    for (const socket of [silent, garbage, tls]) socket.on('error', () => undefined);
    garbage.write(Buffer.from([0x00, 0xff, 0x13, 0x0a, 0x0d, 0x0a]));
    tls.write(Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 0, 0, 0, 0, 0]));
    await Promise.all([garbage, tls].map((socket) => new Promise((resolve) => socket.resume().once('close', resolve))));
    assert.equal(await answers(app.port), 200);
    silent.destroy();
  });
});

function peerFingerprint(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectSecurely({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const hex = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 250; turn++) {
    if (await isSo()) return;
    await settle();
  }
  assert.fail('waited in vain');
}
