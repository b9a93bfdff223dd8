/** One scenario by one program, as its user would see it: files and an exit code. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunOutcome } from '../../../src/engine/run-report.ts';
import { snapshotFolder } from '../../support/tree-compare.ts';
import { siteContents } from './folder-site.ts';
import { judge } from './judge.ts';
import type { Contents } from './judge.ts';
import type { Scenario } from './scenario.ts';
import { editSite, makeSite } from './site.ts';
import { openStage } from './stage.ts';
import { runTool } from './tools.ts';
import type { Told, Tool } from './tools.ts';

export interface Verdict {
  readonly hasKept: boolean;
  readonly hasTold: boolean;
  /** The exit code of each run of this program was the one that its outcome asks for: who always fails never lies. */
  readonly hasEndedAsExpected: boolean;
  /** What a doubter wants to know, a line for each run. */
  readonly notes: readonly string[];
  /** Of the last run. */
  readonly told: Told;
}

/** As README.md has them. */
const EXIT_CODES: Readonly<Record<RunOutcome, number>> = {
  complete: 0,
  incomplete: 1,
  failed: 2,
  held: 3,
  cancelled: 3,
};

const IN_ROOM = ['target', 'aside', 'home', 'state', 'task.json'];

/** Plays all nights. Rejects only where the stage itself fails. */
export async function contest(scenario: Scenario, tool: Tool): Promise<Verdict> {
  const stage = await openStage(scenario);
  const room = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'site-backup-truth-'));
  const notes: string[] = [];
  let hasKept = true;
  let hasTold = true;
  let hasEndedAsExpected = true;
  let told: Told = { exitCode: undefined, printed: '' };
  const spend = async (run: number, day: () => void, outcome: RunOutcome, mayComplain = false): Promise<void> => {
    const before = contentsOf(join(room, tool.copy));
    told = await stage.spend(run - 1, day, () => runTool(tool, { scenario, account: stage.account, room, run }));
    const verdict = judge({
      before,
      after: contentsOf(join(room, tool.copy)),
      aside: contentsOf(join(room, tool.aside)),
      server: siteContents(stage.site),
      saidWhole: told.exitCode === 0,
      hasWarned: tool.warns(told.printed),
      canBeWhole: outcome === 'complete' && !mayComplain,
      isDisaster: scenario.isDisaster === true,
    });
    const strays = readdirSync(room).filter((name) => !IN_ROOM.includes(name));
    hasKept &&= verdict.hasKept && strays.length === 0;
    hasTold &&= verdict.hasTold;
    hasEndedAsExpected &&= told.exitCode === EXIT_CODES[outcome];
    notes.push(note(run, told, verdict.lost, verdict.behind, strays));
  };
  try {
    (scenario.site ?? makeSite)(stage.site);
    if (scenario.isFirstRun !== true) await spend(0, () => undefined, 'complete', scenario.nights[0]?.mayComplain);
    for (const [index, night] of scenario.nights.entries()) {
      const day = (): void => {
        (night.change ?? editSite)(stage.site);
      };
      await spend(index + 1, day, night.expect.outcome, night.mayComplain);
    }
    return { hasKept, hasTold, hasEndedAsExpected, notes, told };
  } finally {
    await stage.stop();
    rmSync(room, { recursive: true, force: true });
  }
}

function note(
  run: number,
  told: Told,
  lost: readonly string[],
  behind: readonly string[],
  strays: readonly string[],
): string {
  const parts = [`run ${run}: ${told.exitCode === undefined ? 'did not end' : `exit code ${told.exitCode}`}`];
  for (const [word, paths] of [
    ['lost', lost],
    ['behind', behind],
    ['outside its folder', strays],
  ] as const) {
    if (paths.length > 0)
      parts.push(`${word}: ${paths.slice(0, 4).join(' ')}${paths.length > 4 ? ` … ${paths.length}` : ''}`);
  }
  return parts.join(', ');
}

function contentsOf(folder: string): Contents {
  if (!existsSync(folder)) return new Map();
  return new Map([...snapshotFolder(folder)].map(([path, { sha256 }]) => [path, sha256]));
}
