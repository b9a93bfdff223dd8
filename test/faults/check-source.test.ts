import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { checkLines } from '../../src/cli/check-lines.ts';
import { systemClock } from '../../src/clock.ts';
import { isBackupError } from '../../src/errors.ts';
import { openSource } from '../../src/remote/open-source.ts';
import { CHECK_STEPS, checkSource, type CheckStep } from '../../src/tasks/check-source.ts';
import { createText, LANGUAGES } from '../../src/text.ts';
import { sourceSettings, type FixtureOptions } from '../support/ftp-session-fixture.ts';
import { SCRIPTED_PASSWORD } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';

type Server = Awaited<ReturnType<typeof startScriptedServer>>;

async function check(options: FixtureOptions, signal = new AbortController().signal): Promise<CheckStep[]> {
  const settings = sourceSettings(options);
  const source = openSource(settings, { clock: systemClock });
  const steps: CheckStep[] = [];
  for await (const step of checkSource(settings, { source, clock: systemClock, signal })) steps.push(step);
  // Whatever happens, every step is there, in order, and can be put in words that hold no password.
  assert.deepEqual(
    steps.map(({ step }) => step),
    [...CHECK_STEPS],
  );
  for (const language of LANGUAGES) {
    const words = steps.flatMap((step) => checkLines(step, createText(language))).join('\n');
    assert.doesNotMatch(words, /check\.|error\.|[{}…]/);
    assert.ok(!words.includes(SCRIPTED_PASSWORD), words);
  }
  return steps;
}

function states(steps: readonly CheckStep[]): string {
  return steps.map((step) => (step.state === 'failed' ? step.code : step.state)).join(' ');
}

async function withServer(
  options: Parameters<typeof startScriptedServer>[0],
  work: (server: Server) => Promise<void>,
): Promise<void> {
  const server = await startScriptedServer(options);
  try {
    server.tree.writeFile('/index.html', 'x', { mtimeMs: Date.UTC(2026, 0, 1) });
    server.tree.makeFolder('/www');
    await work(server);
  } finally {
    await server.stop();
  }
}

describe('the connection test', () => {
  it('goes through every step on a good server, and warns of plain FTP', () =>
    withServer({}, async ({ address }) => {
      const steps = await check(address);
      assert.equal(states(steps), 'ok ok warning ok ok ok skipped');
      const listing = steps.find((step) => step.step === 'listing');
      assert.ok(listing?.state === 'ok' && listing.finding.kind === 'listing');
      assert.deepEqual([listing.finding.files, listing.finding.folders], [1, 1]);
    }));

  it('writes nothing on the server', () =>
    withServer({}, async (server) => {
      await check(server.address);
      const written = server.log.filter(({ command }) =>
        /^(STOR|STOU|APPE|DELE|RMD|MKD|RNFR|SITE|MFMT)$/.test(command),
      );
      assert.deepEqual(written, []);
    }));

  it('stops at the password where that is wrong, and tries it once', () =>
    withServer({}, async (server) => {
      const steps = await check({ ...server.address, password: 'wrong' });
      assert.equal(states(steps), 'ok ok warning login-rejected skipped skipped skipped');
      assert.equal(server.count('PASS'), 1);
    }));

  it('tells a missing folder from a refused login', () =>
    withServer({}, async ({ address }) => {
      const steps = await check({ ...address, folder: '/nope' });
      assert.equal(states(steps), 'ok ok warning ok remote-folder-missing skipped skipped');
    }));

  it('stops before the password where TLS is asked for and not offered', () =>
    withServer({}, async (server) => {
      const steps = await check({ ...server.address, protocol: 'ftps' });
      assert.equal(states(steps), 'ok ok tls-refused skipped skipped skipped skipped');
      assert.equal(server.count('PASS'), 0);
    }));

  it('stops before the password where the certificate is not trusted, and names its fingerprint', () =>
    withServer({ tls: 'explicit' }, async (server) => {
      const steps = await check({ ...server.address, protocol: 'ftps' });
      assert.equal(states(steps), 'ok ok certificate-untrusted skipped skipped skipped skipped');
      assert.equal(server.count('PASS'), 0);
      const tls = steps.find((step) => step.step === 'tls');
      assert.ok(tls?.state === 'failed');
      const fingerprint = String(tls.facts['fingerprint']);
      assert.match(fingerprint, /^[0-9a-f]{64}$/);
      assert.equal(
        states(await check({ ...server.address, protocol: 'ftps', fingerprint })),
        'ok ok ok ok ok ok skipped',
      );
    }));

  it('goes on after a listing that was not whole', () =>
    withServer({}, async (server) => {
      server.faults.push({
        on: { command: ['MLSD', 'LIST'] },
        action: { truncateListing: { lines: 1, reply: '226 Output truncated to 1 matches' } },
      });
      assert.equal(states(await check(server.address)), 'ok ok warning ok listing-truncated ok skipped');
    }));

  it('notices a file from the future', () =>
    withServer({}, async (server) => {
      server.tree.writeFile('/future', 'x', { mtimeMs: Date.now() + 7_200_000 });
      const clock = (await check(server.address)).at(-1);
      assert.ok(clock?.state === 'warning' && clock.finding.kind === 'clock-ahead');
      assert.ok(clock.finding.aheadMs > 3_600_000);
    }));

  it('tells an unknown name from a refused port', async () => {
    const vacant = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => vacant.once('listening', resolve));
    const { port } = vacant.address() as AddressInfo;
    await new Promise((resolve) => vacant.close(resolve));
    assert.equal(states(await check({ port })).split(' ')[1], 'connection-refused');
    assert.match(states(await check({ host: 'no-such-host.invalid', port })), /^(host-unknown|timed-out) skipped/);
  });

  it('ends where it is told to', () =>
    withServer({}, async ({ address }) => {
      await assert.rejects(check(address, AbortSignal.abort()), (error) => isBackupError(error, 'cancelled'));
    }));
});
