import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVER_SOFTWARE, whyServerIsMissing } from '../support/debian-package-files.ts';
import { startRealServer } from '../support/real-ftp-servers.ts';
import { findFreePort, startServerProcess } from '../support/server-process.ts';
import { writeTree } from '../support/tree-compare.ts';

const root = mkdtempSync(join(tmpdir(), 'site-backup-root-'));
writeTree(root, { 'index.html': 'hello' });
after(() => {
  rmSync(root, { recursive: true, force: true });
});

/** The first answer of whoever listens at `port`, or undefined where nobody does. */
function greetingAt(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('data', (chunk) => {
      resolve(chunk.toString('latin1'));
      socket.destroy();
    });
    // `close` follows; with an answer before, it changes nothing.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      resolve(undefined);
    });
  });
}

describe('the real servers of the integration tests', { concurrency: 1 }, () => {
  for (const software of SERVER_SOFTWARE) {
    const skip = whyServerIsMissing(software) ?? false;

    it(`${software} starts, restarts at the same port with its connections cut, and stops`, { skip }, async () => {
      const server = await startRealServer({ software, tls: 'none', root });
      try {
        assert.match((await greetingAt(server.port)) ?? 'nobody', /^220/);
        const held = createConnection({ host: '127.0.0.1', port: server.port });
        await once(held, 'data');
        const isCut = new Promise((resolve) => held.once('close', resolve).once('error', resolve));
        held.resume();
        await server.restart();
        await isCut;
        assert.match((await greetingAt(server.port)) ?? 'nobody', /^220/);
      } finally {
        await server.stop();
      }
      assert.equal(await greetingAt(server.port), undefined);
      await server.stop();
    });

    it(`${software} ends when the process that started it is killed`, { skip }, async () => {
      const script = `
        import { startRealServer } from ${JSON.stringify(new URL('../support/real-ftp-servers.ts', import.meta.url).href)};
        const server = await startRealServer({ software: ${JSON.stringify(software)}, tls: 'none', root: ${JSON.stringify(root)} });
        process.stdout.write(String(server.port));
        setInterval(() => undefined, 1000);
      `;
      const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
        // What a killed process cannot tidy up goes with this test's folder.
        env: { ...process.env, TMPDIR: root },
      });
      const [printed] = (await once(owner.stdout, 'data')) as [Buffer];
      const port = Number(printed.toString());
      assert.match((await greetingAt(port)) ?? 'nobody', /^220/);
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      while ((await greetingAt(port)) !== undefined) await sleep(20);
    });
  }

  it('say in their own words why they cannot start', async () => {
    const command = ['/bin/sh', '-c', 'echo 500 OOPS: no such folder; exit 2'] as const;
    const options = { port: await findFreePort(), environment: {} };
    await assert.rejects(startServerProcess(command, options), /did not start on port \d+: 500 OOPS: no such folder/);
  });
});
