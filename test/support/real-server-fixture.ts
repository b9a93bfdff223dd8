import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../src/settings/secret.ts';
import type { SourceProtocol } from '../../src/settings/task-settings.ts';
import {
  CONTRACT_TREE,
  describeRemoteContract,
  type RemoteFixture,
  type RemoteTraits,
} from '../contract/remote-session.ts';
import { whyServerIsMissing, type ServerSoftware } from './debian-package-files.ts';
import { startRealServer } from './real-ftp-servers.ts';
import { writeTree } from './tree-compare.ts';

type Tls = 'none' | 'explicit' | 'implicit';

const PROTOCOLS: Record<Tls, SourceProtocol> = { none: 'ftp', explicit: 'ftps', implicit: 'ftps-implicit' };

/** Declares the contract for one real server, once for each of `ways`. */
export function describeRealServer(software: ServerSoftware, ways: readonly Tls[], traits: RemoteTraits = {}): void {
  for (const tls of ways) {
    const title = tls === 'none' ? software : `${software} over ${tls} TLS`;
    const skip = whyServerIsMissing(software);
    describeRemoteContract(title, () => makeFixture(software, tls), { skip, traits });
  }
}

async function makeFixture(software: ServerSoftware, tls: Tls): Promise<RemoteFixture> {
  const root = mkdtempSync(join(tmpdir(), 'site-backup-root-'));
  writeTree(root, CONTRACT_TREE);
  const server = await startRealServer({ software, tls, root });
  return {
    settings: {
      protocol: PROTOCOLS[tls],
      host: server.host,
      port: server.port,
      user: server.user,
      password: new Secret(server.password),
      folder: '/',
      tls: { fingerprint: server.fingerprint },
      timeouts: { connectSeconds: 20, idleSeconds: 20 },
    },
    cut: () => server.restart(),
    async stop() {
      await server.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
