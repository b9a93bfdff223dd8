import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { textOf } from './package-file.ts';
import type { PackageFile, Rule } from './package-file.ts';

/** DSM Developer Guide, Scripts: all of them, though DSM insists on fewer. */
export const SCRIPT_NAMES = [
  'preinst',
  'postinst',
  'preuninst',
  'postuninst',
  'preupgrade',
  'postupgrade',
  'start-stop-status',
] as const;

/** Where people also read `\r` as an end of line and DSM does not. */
const READ_BY_LINES = /^(conf|nginx|lib|bin|ui\/texts)\//;

const SHELLCHECK_MS_MAX = 60_000;

/** Every shell program: named as one, without the line ends of Windows, POSIX, and without a finding of shellcheck. */
export const checkShell: Rule = (file) => {
  const programs = shellPrograms(file);
  const faults: string[] = [];
  for (const [path, text] of programs) {
    const isSourced = path.startsWith('lib/');
    if (!isSourced && !text.startsWith('#!/bin/sh\n')) faults.push(`${path} does not begin with #!/bin/sh.`);
  }
  const read = [...file.outer].filter(([path]) => /^(scripts|conf)\//.test(path));
  for (const [path, member] of [...read, ...[...file.target].filter(([name]) => READ_BY_LINES.test(name))]) {
    if (member.bytes.includes(0x0d)) faults.push(`${path} has the line ends of Windows.`);
  }
  return [...faults, ...syntaxFaults(programs)];
};

/** The path of each in the package, and its text. */
function shellPrograms({ outer, target }: PackageFile): ReadonlyMap<string, string> {
  const outside = [...outer].filter(([path]) => path.startsWith('scripts/') || /^WIZARD_UIFILES\/.*\.sh$/.test(path));
  const inside = [...target].filter(([path]) => path.startsWith('bin/') || /^lib\/.*\.sh$/.test(path));
  return new Map([...outside, ...inside].map(([path, member]) => [path, textOf(member)]));
}

function syntaxFaults(programs: ReadonlyMap<string, string>): readonly string[] {
  // As in the checkout: that is where the `source=` comments point from.
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-check-'));
  try {
    const files = [...programs.keys()].map((path) => join('spk', path));
    for (const [path, text] of programs) {
      const file = join(folder, 'spk', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    const faults = files.flatMap((name) => {
      const { status, stderr } = spawnSync('sh', ['-n', name], { cwd: folder, encoding: 'utf8' });
      return status === 0 ? [] : [`${name.slice(4)} is no shell program: ${stderr.trim()}`];
    });
    if (faults.length > 0 || files.length === 0) return faults;
    return shellcheckFaults(folder, files);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Nothing where shellcheck is not installed, except where `CI` is set: there it has to be. */
function shellcheckFaults(folder: string, files: readonly string[]): readonly string[] {
  const args = ['--shell=sh', '--external-sources', '--format=gcc', ...files];
  const { error, stdout } = spawnSync('shellcheck', args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: SHELLCHECK_MS_MAX,
  });
  if (error !== undefined) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isMissing && process.env['CI'] === undefined) return [];
    return [`shellcheck did not run: ${isMissing ? 'apt-get install shellcheck' : error.message}`];
  }
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^spk\//, ''));
}
