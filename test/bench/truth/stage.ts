/** Where a scenario is played: a server with its site, for any program that speaks FTP. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRealServer } from '../../support/real-ftp-servers.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../../support/scripted-ftp-server.ts';
import { writeTree } from '../../support/tree-compare.ts';
import { FolderSite } from './folder-site.ts';
import { isReal } from './scenario.ts';
import type { RealScenario, Scenario, ScriptedScenario, Site } from './scenario.ts';

export interface Account {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface Stage {
  readonly site: Site;
  readonly account: Account;
  /** One night after the other: what happens by day, then its trouble while `run` runs. */
  spend<T>(night: number, day: (site: Site) => void, run: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

export function openStage(scenario: Scenario): Promise<Stage> {
  return isReal(scenario) ? openRealStage(scenario) : openScriptedStage(scenario);
}

async function openScriptedStage(scenario: ScriptedScenario): Promise<Stage> {
  const server = await startScriptedServer({ hasMfmt: true, ...scenario.server });
  return {
    site: server.tree,
    account: { ...server.address, user: SCRIPTED_USER, password: SCRIPTED_PASSWORD },
    async spend(night, day, run) {
      day(server.tree);
      const options = { ...server.options };
      const undo = await scenario.nights[night]?.trouble?.(server);
      try {
        return await run();
      } finally {
        server.faults.length = 0;
        Object.assign(server.options, options);
        undo?.();
      }
    },
    stop: () => server.stop(),
  };
}

async function openRealStage(scenario: RealScenario): Promise<Stage> {
  const root = mkdtempSync(join(tmpdir(), 'site-backup-truth-'));
  writeTree(root, {});
  const server = await startRealServer({ software: scenario.software, tls: 'none', root });
  const site = new FolderSite(root);
  return {
    site,
    account: server,
    async spend(night, day, run) {
      day(site);
      const undo = await scenario.nights[night]?.trouble?.(server);
      try {
        return await run();
      } finally {
        undo?.();
      }
    },
    async stop() {
      await server.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
