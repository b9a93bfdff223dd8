/**
 * Real FTP servers for the integration tests: vsftpd, ProFTPD and Pure-FTPd as Debian builds them, each on a free port
 * of 127.0.0.1, and nothing left behind. Linux and root only: see whyServerIsMissing in debian-package-files.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverEnvironment } from './debian-package-files.ts';
import { accountName, prepareServer, type RealServerOptions } from './real-ftp-configs.ts';
import { makeSelfSignedCertificate } from './self-signed-certificate.ts';
import { findFreePort, startServerProcess, type ServerProcess } from './server-process.ts';

const STARTS_MAX = 3;

export interface RealServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** SHA-256 of the certificate as 64 lower-case hex digits; undefined without TLS. */
  readonly fingerprint: string | undefined;
  /** What the server has printed so far, for a failing test. */
  output(): string;
  /** Cuts every connection and starts again at the same port, with the same account and certificate, but `changes`. */
  restart(changes?: Pick<RealServerOptions, 'maxClientsPerIp' | 'listingEntriesMax'>): Promise<void>;
  /** Cuts every connection and removes everything but the served folder. May be called twice. */
  stop(): Promise<void>;
}

interface RunningServer {
  readonly runFolder: string;
  readonly process: ServerProcess;
}

/** Starts a server that shows `options.root`, read-only, to one account. Throws with the server's own words. */
export async function startRealServer(options: RealServerOptions): Promise<RealServer> {
  const certificate = options.tls === 'none' ? undefined : await makeSelfSignedCertificate();
  const account = { user: accountName(options.software), password: 'correct horse' };

  const startAt = async (port: number, changes: Partial<RealServerOptions> = {}): Promise<RunningServer> => {
    const runFolder = mkdtempSync(join(tmpdir(), `site-backup-${options.software}-`));
    try {
      const command = prepareServer({ options: { ...options, ...changes }, port, ...account, runFolder, certificate });
      return { runFolder, process: await startServerProcess(command, { port, environment: serverEnvironment() }) };
    } catch (error) {
      rmSync(runFolder, { recursive: true, force: true });
      throw error;
    }
  };

  const first = await startAtFreePort(startAt).catch(async (error: unknown) => {
    await certificate?.remove();
    throw error;
  });
  const { port } = first;
  let running = first.running;

  const end = async (): Promise<void> => {
    await running.process.stop();
    rmSync(running.runFolder, { recursive: true, force: true });
  };
  return {
    host: '127.0.0.1',
    port,
    ...account,
    fingerprint: certificate?.fingerprint,
    output: () => running.process.output(),
    async restart(changes) {
      await end();
      running = await startAt(port, changes);
    },
    async stop() {
      await end();
      await certificate?.remove();
    },
  };
}

/** Another program may take a free port before the server does: then another one is tried. */
async function startAtFreePort(
  startAt: (port: number) => Promise<RunningServer>,
): Promise<{ port: number; running: RunningServer }> {
  for (let tries = 1; ; tries++) {
    const port = await findFreePort();
    try {
      return { port, running: await startAt(port) };
    } catch (error) {
      if (tries === STARTS_MAX) throw error;
    }
  }
}
