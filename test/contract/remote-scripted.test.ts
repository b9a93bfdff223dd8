import { Secret } from '../../src/settings/secret.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER, type ScriptedServerOptions } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedTree } from '../support/scripted-ftp-tree.ts';
import { TREE_TIME_MS } from '../support/tree-compare.ts';
import { CONTRACT_TREE, describeRemoteContract, type RemoteFixture } from './remote-session.ts';

/** Zeros, as the real servers show them, that cost no memory. */
function zeros(sizeBytes: number): { sizeBytes: number; seed: number } {
  return { sizeBytes, seed: 0 };
}

function writeScriptedTree(tree: ScriptedTree): void {
  for (const [path, given] of Object.entries(CONTRACT_TREE)) {
    const node = typeof given === 'string' ? { content: given } : given;
    const at = `/${path}`;
    if ('folder' in node) tree.makeFolder(at, node.mode === undefined ? {} : { mode: node.mode });
    else if ('linkTo' in node) tree.addLink(at, node.linkTo);
    else if ('zeroBytes' in node) tree.writeFile(at, zeros(node.zeroBytes), { mtimeMs: TREE_TIME_MS });
    else {
      const content = Buffer.from(node.content as string, 'latin1');
      tree.writeFile(at, content, { mtimeMs: TREE_TIME_MS, mode: node.mode ?? 0o644 });
    }
  }
}

function describeScripted(title: string, options: Partial<ScriptedServerOptions>): void {
  const makeFixture = async (): Promise<RemoteFixture> => {
    const server = await startScriptedServer({ nowMs: TREE_TIME_MS + 86_400_000, ...options });
    writeScriptedTree(server.tree);
    return {
      settings: {
        protocol: options.tls === 'explicit' ? 'ftps' : options.tls === 'implicit' ? 'ftps-implicit' : 'ftp',
        host: server.address.host,
        port: server.address.port,
        user: SCRIPTED_USER,
        password: new Secret(SCRIPTED_PASSWORD),
        folder: '/',
        tls: { fingerprint: server.certificate?.fingerprint },
        timeouts: { connectSeconds: 20, idleSeconds: 20 },
      },
      cut() {
        server.dropConnections();
        return Promise.resolve();
      },
      stop: () => server.stop(),
    };
  };
  describeRemoteContract(title, makeFixture, { skip: undefined });
}

describeScripted('a server that has MLSD', {});
describeScripted('a server that has MLSD, over explicit TLS', { tls: 'explicit', requireTlsSessionReuse: true });
describeScripted('a server that has MLSD, over implicit TLS', { tls: 'implicit' });
describeScripted('a server that has only LIST', { hasMlsd: false, hasMlst: false });
