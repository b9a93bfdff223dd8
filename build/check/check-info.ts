import { createHash } from 'node:crypto';
import { PROCESSORS } from '../targets.ts';
import { entriesOf, jsonOf, textOf, valueAt } from './package-file.ts';
import type { PackageFile, Rule } from './package-file.ts';

/** DSM Developer Guide, INFO necessary fields. */
const REQUIRED = ['package', 'version', 'os_min_ver', 'description', 'arch', 'maintainer'] as const;
/** Those that we set beside: without each of them something does not work. */
const ALSO_REQUIRED = [
  'displayname',
  'displayname_enu',
  'displayname_fre',
  'description_enu',
  'description_fre',
  'dsmuidir',
  'dsmappname',
  'install_dep_packages',
  'extractsize',
  'checksum',
  'create_time',
] as const;
/** INFO optional fields: anything else is a slip of the pen, which DSM would pass over in silence. */
const KNOWN =
  /^((displayname|description)(_(enu|cht|chs|krn|ger|fre|ita|spn|jpn|dan|nor|sve|nld|rus|plk|ptb|ptg|hun|trk|csy))?|package|version|os_(min|max)_ver|arch|exclude_arch|model|exclude_model|maintainer(_url)?|distributor(_url)?|support_url|report_url|helpurl|beta|admin(protocol|port|url)|checkport|dsmuidir|dsmapp(name|page|launchname)|ctl_(stop|uninstall)|precheckstartstop|install_(dep_packages|dep_services|conflict_packages|break_packages|replace_packages|reboot|on_cold_storage)|start_dep_services|(instuninst|startstop)_restart_services|extractsize|checksum|create_time|toolkit_version|auto_upgrade_from|offline_install|silent_(install|upgrade|uninstall)|support_move)$/;

/** It is the identity of the package: under another name it would be another one, without the data of the first. */
const PACKAGE = 'SiteBackup';
/** As DSM 7 logs it, `correct-format`; the second part is ours, so that each build counts as an upgrade of the last. */
const VERSION = /^\d+(\.\d+){0,5}-\d+$/;
const VERSION_NUMBER_MAX = 2_147_483_647;
/** DSM 7.2, the first one with Node.js_v22 and nginx locations of packages. */
const OS_MIN_VER = [7, 2, 64_570] as const;

/** INFO: its form, the fields, and that they tell the truth about the rest of the package. */
export const checkInfo: Rule = (file) => {
  const { info } = file;
  const text = textOf(file.outer.get('INFO'));
  const faults: string[] = [];
  if (/\r/.test(text)) faults.push('INFO has the line ends of Windows.');
  if (text.startsWith('\ufeff') || text.includes('\ufffd')) faults.push('INFO is not plain UTF-8.');
  if (!text.endsWith('\n')) faults.push('INFO does not end with a line end.');
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length !== info.size) faults.push('INFO names a field twice.');
  for (const [key, value] of info) {
    if (value === undefined) faults.push(`INFO: this line is not of the form key="value": ${key}`);
    else if (!KNOWN.test(key)) faults.push(`INFO: DSM 7 knows no field ${key}.`);
  }
  for (const key of [...REQUIRED, ...ALSO_REQUIRED]) {
    if ((info.get(key) ?? '') === '') faults.push(`INFO: ${key} is missing (code 261).`);
  }
  return [
    ...faults,
    ...identityFaults(info),
    ...platformFaults(file),
    ...contentFaults(file),
    ...integrationFaults(file),
  ];
};

function identityFaults(info: PackageFile['info']): readonly string[] {
  const faults: string[] = [];
  const name = info.get('package') ?? '';
  if (name !== PACKAGE) faults.push(`INFO: package is "${name}"; it stays "${PACKAGE}" for ever.`);
  const version = info.get('version') ?? '';
  if (!VERSION.test(version)) faults.push(`INFO: version "${version}" is not of the form 1.2.3-4 (code 261).`);
  if (version.split(/[.-]/).some((number) => Number(number) > VERSION_NUMBER_MAX)) {
    faults.push(`INFO: version "${version}" has a number above ${VERSION_NUMBER_MAX}.`);
  }
  const osMinVer = /^(\d+)\.(\d+)-(\d+)$/.exec(info.get('os_min_ver') ?? '');
  if (osMinVer === null) {
    faults.push(`INFO: os_min_ver is not of the form 7.2-64570.`);
  } else if (Number(osMinVer[1]) !== OS_MIN_VER[0] || isBelow(osMinVer.slice(1).map(Number), OS_MIN_VER)) {
    faults.push(
      `INFO: os_min_ver "${osMinVer[0]}" lets in a DSM that it does not run on, or of another major version.`,
    );
  }
  return faults;
}

function isBelow(found: readonly number[], wanted: readonly number[]): boolean {
  for (const [at, number] of wanted.entries()) {
    const own = found[at] ?? 0;
    if (own !== number) return own < number;
  }
  return false;
}

/** It is offered to those NAS, and those only, whose native modules are in it. */
function platformFaults({ info, target }: PackageFile): readonly string[] {
  const archs = (info.get('arch') ?? '').split(' ').filter((arch) => arch !== '');
  const faults = archs
    .filter((arch) => !Object.values(PROCESSORS).some(({ dsmArch }) => dsmArch === arch))
    .map((arch) => `INFO: arch names ${arch}, for which the package has nothing.`);
  for (const [processor, { dsmArch }] of Object.entries(PROCESSORS)) {
    const hasModule = [...target.keys()].some((path) => path.startsWith(`app/native/better_sqlite3-${processor}-`));
    if (hasModule !== archs.includes(dsmArch)) {
      faults.push(`INFO: arch "${archs.join(' ')}" and the native modules for ${processor} do not agree.`);
    }
  }
  return faults;
}

function contentFaults({ info, outer, targetMembers }: PackageFile): readonly string[] {
  const faults: string[] = [];
  const packageTgz = outer.get('package.tgz')?.bytes ?? Buffer.alloc(0);
  const checksum = createHash('md5').update(packageTgz).digest('hex');
  if (info.get('checksum') !== checksum) {
    faults.push(`INFO: checksum is not the MD5 of package.tgz, ${checksum}: DSM refuses it.`);
  }
  const kilobytes = Math.ceil(targetMembers.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1024);
  if (info.get('extractsize') !== String(kilobytes)) {
    faults.push(`INFO: extractsize is "${info.get('extractsize') ?? ''}", and package.tgz unpacks to ${kilobytes} KB.`);
  }
  if (!/^\d{8}-\d\d:\d\d:\d\d$/.test(info.get('create_time') ?? '')) {
    faults.push('INFO: create_time is not of the form 20261121-09:55:37.');
  }
  return faults;
}

/** What INFO says of DSM's desktop, of Node.js and of nginx fits the files that it speaks of. */
function integrationFaults({ info, outer, target }: PackageFile): readonly string[] {
  const faults: string[] = [];
  if (!/^Node\.js_v22\b/.test(info.get('install_dep_packages') ?? '')) {
    faults.push('INFO: install_dep_packages does not ask for Node.js_v22.');
  }
  const uiDir = info.get('dsmuidir') ?? '';
  const config = jsonOf(target.get(`${uiDir}/config`));
  if (config === undefined) faults.push(`INFO: dsmuidir "${uiDir}" has no config in package.tgz.`);
  const apps = entriesOf(config).flatMap(([, entries]) => entriesOf(entries).map(([name]) => name));
  for (const name of (info.get('dsmappname') ?? '').split(' ')) {
    if (config !== undefined && !apps.includes(name)) {
      faults.push(`INFO: dsmappname "${name}" is not in ${uiDir}/config, which has ${apps.join(', ') || 'none'}.`);
    }
  }
  const usesNginx = valueAt(jsonOf(outer.get('conf/resource')), 'web-config') !== undefined;
  for (const key of ['instuninst_restart_services', 'startstop_restart_services']) {
    const restartsNginx = (info.get(key) ?? '').split(' ').includes('nginx.service');
    if (usesNginx && !restartsNginx)
      faults.push(`INFO: ${key} has no nginx.service, so nginx never reads our location.`);
  }
  return faults;
}
