import { SCRIPT_NAMES } from './check-shell.ts';
import type { PackageFile, Rule } from './package-file.ts';
import type { TarMember } from '../tar.ts';

/** What we promise, not DSM: a download that nobody has to wait for. */
const PACKAGE_BYTES_MAX = 8 * 1024 * 1024;
/** DSM Developer Guide, Package Structure. */
const LICENSE_BYTES_MAX = 1024 * 1024;

const OUTER_NAMES = /^(INFO|LICENSE|package\.tgz|PACKAGE_ICON(_256)?\.PNG|(scripts|conf|WIZARD_UIFILES)(\/[\w.-]+)?)$/;
/** Nothing that only a developer would want: sources, maps, tests, notes, another platform's modules. */
const NOT_FOR_THE_NAS =
  /(^|\/)(node_modules|test|tests|\.[^/]*)(\/|$)|\.(ts|map|md|orig|bak|swp|svg\.png|exe|dll|dylib)$|~$/;

const REQUIRED = [
  'INFO',
  'package.tgz',
  'PACKAGE_ICON.PNG',
  'PACKAGE_ICON_256.PNG',
  'LICENSE',
  'conf/privilege',
  'conf/resource',
  ...SCRIPT_NAMES.map((name) => `scripts/${name}`),
];

/** Names, owners, modes, kinds and times of all members, and which have to be there. */
export const checkArchive: Rule = (file) => [
  ...REQUIRED.filter((name) => !file.outer.has(name)).map((name) => `${name} is missing.`),
  ...file.members.filter(({ path }) => !OUTER_NAMES.test(path)).map(({ path }) => `${path} has no place in a package.`),
  ...membersFaults(file.members, ''),
  ...membersFaults(file.targetMembers, 'package.tgz: '),
  ...file.targetMembers
    .filter(({ path }) => NOT_FOR_THE_NAS.test(path))
    .map(({ path }) => `package.tgz: ${path} is of no use on a NAS.`),
  ...sizeFaults(file),
];

function membersFaults(members: readonly TarMember[], place: string): readonly string[] {
  const seen = new Set<string>();
  const times = new Set(members.map(({ modifiedAt }) => modifiedAt));
  const faults = times.size > 1 ? [`${place}members have ${times.size} different times: it is not reproducible.`] : [];
  for (const member of members) {
    const name = `${place}${member.path}`;
    if (seen.has(member.path)) faults.push(`${name} is there twice.`);
    seen.add(member.path);
    if (/^(\.?\/|\.$|\.\.(\/|$))|\/(\.\.?)(\/|$)|\/\/|\\|[^ -~]/.test(member.path)) {
      faults.push(`${name} is a name that DSM does not take: plain characters, without ./ or ../ (code 263).`);
    }
    if (member.typeflag !== '0' && member.typeflag !== '5') {
      faults.push(`${name} is neither a file nor a folder (type ${member.typeflag}).`);
    }
    if (member.uid !== 0 || member.gid !== 0 || member.owner !== 'root' || member.group !== 'root') {
      faults.push(
        `${name} belongs to ${member.owner}:${member.group} (${member.uid}:${member.gid}), not to root:root.`,
      );
    }
    const mode = modeOf(member, place !== '');
    if (member.mode !== mode) faults.push(`${name} has mode ${member.mode.toString(8)}, not ${mode.toString(8)}.`);
  }
  return faults;
}

function modeOf(member: TarMember, isTarget: boolean): number {
  const isProgram = isTarget
    ? member.path.startsWith('bin/') || member.path.endsWith('.cgi')
    : member.path.startsWith('scripts/') || (member.path.startsWith('WIZARD_UIFILES/') && member.path.endsWith('.sh'));
  return member.isFolder || isProgram ? 0o755 : 0o644;
}

function sizeFaults({ bytes, outer }: PackageFile): readonly string[] {
  const faults: string[] = [];
  if (bytes.length > PACKAGE_BYTES_MAX) {
    faults.push(`The package has ${bytes.length} bytes, more than ${PACKAGE_BYTES_MAX}.`);
  }
  const licenseBytes = outer.get('LICENSE')?.bytes.length ?? 0;
  if (licenseBytes >= LICENSE_BYTES_MAX) faults.push(`LICENSE has ${licenseBytes} bytes; DSM shows less than 1 MB.`);
  return faults;
}
