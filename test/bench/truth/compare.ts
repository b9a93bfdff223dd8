/**
 * The truth suite as a table: what this program, lftp and rclone keep and say when a server, a network or a clock
 * misbehaves. Prints Markdown.
 *
 *   npm run bench:truth
 *   npm run bench:truth -- --only cut,renamed --notes   those with such words in their names, and what each run did
 *   npm run bench:truth -- --at-once 4                  most of the time is waiting for servers that say nothing
 *
 * Needs lftp and rclone, and for the chapter on real servers root and test/support/install-servers.sh.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { whyServerIsMissing } from '../../support/debian-package-files.ts';
import { compileCli } from '../../support/compiled-cli.ts';
import { contest } from './contest.ts';
import type { Verdict } from './contest.ts';
import { CHAPTERS } from './scenarios.ts';
import { isReal } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { LFTP, RCLONE, RCLONE_ASIDE, siteBackup } from './tools.ts';
import type { Tool } from './tools.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    notes: { type: 'boolean', default: false },
    'at-once': { type: 'string', default: '2' },
  },
});

for (const program of ['lftp', 'rclone']) {
  if (spawnSync(program, ['--version']).error !== undefined) {
    say(`${program} is missing: apt-get install ${program}`);
    process.exit(1);
  }
}

const cli = compileCli();
try {
  process.exitCode = (await compare([siteBackup(cli.cliFile), LFTP, RCLONE, RCLONE_ASIDE])) ? 0 : 1;
} finally {
  cli.remove();
}

/** True where this program answers yes everywhere. */
async function compare(tools: readonly Tool[]): Promise<boolean> {
  const wanted = CHAPTERS.map(([title, scenarios]) => ({ title, scenarios: scenarios.filter(isWanted) }));
  const tables = new Map<Scenario, readonly Verdict[]>();
  const queue = wanted.flatMap(({ scenarios }) => scenarios);
  const work = async (): Promise<void> => {
    for (let scenario = queue.shift(); scenario !== undefined; scenario = queue.shift()) {
      const verdicts: Verdict[] = [];
      for (const tool of tools) verdicts.push(await contest(scenario, tool));
      tables.set(scenario, verdicts);
      process.stderr.write(`${scenario.name}: ${verdicts.map(cell).join(', ')}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values['at-once']) }, work));

  say(`Kept everything? / Told the truth? — ${new Date().toISOString().slice(0, 10)}`);
  for (const { title, scenarios } of wanted) {
    if (scenarios.length > 0) showChapter(title, scenarios, tools, tables);
  }
  showSums(wanted, tools, tables);
  for (const [scenario, [own]] of tables) {
    if (own?.hasEndedAsExpected === false) say(`\n${scenario.name}: not as expected: ${own.notes.join('; ')}`);
  }
  const ownOnly = CHAPTERS.flatMap(([, scenarios]) => scenarios.filter(({ ownOnly: reason }) => reason !== undefined));
  say(`\n${ownOnly.length} more scenarios are about what only this program does: \`npm run test:faults\`.`);
  return [...tables.values()].every(([own]) => own?.hasKept === true && own.hasTold && own.hasEndedAsExpected);
}

function isWanted(scenario: Scenario): boolean {
  if (scenario.ownOnly !== undefined || !values.only.split(',').some((part) => scenario.name.includes(part)))
    return false;
  const missing = isReal(scenario) ? whyServerIsMissing(scenario.software) : undefined;
  if (missing !== undefined) process.stderr.write(`${scenario.name}: ${missing}\n`);
  return missing === undefined;
}

function showChapter(
  title: string,
  scenarios: readonly Scenario[],
  tools: readonly Tool[],
  tables: ReadonlyMap<Scenario, readonly Verdict[]>,
): void {
  say(`\n### ${title}\n`);
  say(`| | ${tools.map(({ name }) => name).join(' | ')} |`);
  say(`|---|${tools.map(() => ':-:').join('|')}|`);
  for (const scenario of scenarios) {
    const cells = (tables.get(scenario) ?? []).map(cell);
    say(`| \`${scenario.name}\` ${scenario.about} | ${cells.join(' | ')} |`);
  }
  if (!values.notes) return;
  for (const scenario of scenarios) {
    for (const [index, { notes, told }] of (tables.get(scenario) ?? []).entries()) {
      say(`\n${scenario.name}, ${tools[index]?.name ?? ''}:\n  ${notes.join('\n  ')}`);
      if (index > 0 && told.printed.trim() !== '') say(`  ${told.printed.trim().replaceAll('\n', '\n  ').slice(-600)}`);
    }
  }
}

/** How many yes in each chapter: kept / told. */
function showSums(
  chapters: readonly { readonly title: string; readonly scenarios: readonly Scenario[] }[],
  tools: readonly Tool[],
  tables: ReadonlyMap<Scenario, readonly Verdict[]>,
): void {
  say('\n### In short\n');
  say(`| scenarios | ${tools.map(({ name }) => name).join(' | ')} |`);
  say(`|---|${tools.map(() => ':-:').join('|')}|`);
  for (const { title, scenarios } of [...chapters, { title: 'All', scenarios: [...tables.keys()] }]) {
    if (scenarios.length === 0) continue;
    const sums = tools.map((_tool, index) => {
      const verdicts = scenarios.flatMap((scenario) => tables.get(scenario)?.[index] ?? []);
      return `${count(verdicts, 'hasKept')} / ${count(verdicts, 'hasTold')}`;
    });
    say(`| ${title}: ${scenarios.length} | ${sums.join(' | ')} |`);
  }
  say('');
  for (const { name, version, legend } of tools) say(`- ${name}, ${version()}: ${legend}.`);
}

function count(verdicts: readonly Verdict[], question: 'hasKept' | 'hasTold'): number {
  return verdicts.filter((verdict) => verdict[question]).length;
}

function cell({ hasKept, hasTold }: Verdict): string {
  return `${word(hasKept)} / ${word(hasTold)}`;
}

function word(isTrue: boolean): string {
  return isTrue ? 'yes' : '**no**';
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
