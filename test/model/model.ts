/**
 * `npm run model -- --seeds 500 [--from 1] [--steps 120]`, `npm run model -- --seed 17 --shrink`: random histories, one for
 * each seed. `--history FILE`: the last one that stands in a file with the output of such a run.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { History } from './history.ts';
import { KilledRuns } from './killed-runs.ts';
import { playSeed } from './play-seed.ts';
import { playHistory } from './play-history.ts';
import type { Tally } from './play-history.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    steps: { type: 'string', default: '120' },
    shrink: { type: 'boolean', default: false },
    history: { type: 'string' },
    minutes: { type: 'string', default: '1440' },
  },
});
const first = Number(values.seed ?? values.from);
const last = values.seed === undefined ? first + Number(values.seeds) - 1 : first;
const endMs = performance.now() + Number(values.minutes) * 60_000;
const tally: Tally = new Map();
const killed = new KilledRuns();
const runAndKill = killed.run.bind(killed);
if (values.history !== undefined) {
  const lines = readFileSync(values.history, 'utf8').split('\n');
  const history = JSON.parse(lines.findLast((line) => line.startsWith('{"server"')) ?? '') as History;
  await playHistory(history, tally, runAndKill).finally(() => {
    killed.remove();
  });
  process.exit();
}
const failed: number[] = [];
let played = 0;
for (let seed = first; seed <= last && performance.now() < endMs; seed++) {
  const failure = await playSeed(seed, Number(values.steps), tally, { isShrunk: values.shrink, runAndKill });
  played++;
  if (failure !== undefined) {
    failed.push(seed);
    process.stdout.write(`\nseed ${seed}:\n${failure}\n`);
  }
}
killed.remove();
const counts = [...tally].map(([what, count]) => `${count} ${what}`).join(', ');
process.stdout.write(`${played} histories: ${counts}\n`);
process.stdout.write(failed.length === 0 ? 'all as promised\n' : `failed: ${failed.join(' ')}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
