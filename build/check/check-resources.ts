import { entriesOf, jsonOf, listOf, textOf, valueAt } from './package-file.ts';
import type { PackageFile, Rule } from './package-file.ts';

/** The user of the package. Another name in a later release breaks every upgrade (code 313). */
const USER = 'sitebackup';

/** Resource workers of DSM 7 that a package may use without Synology's signature. */
const WORKERS = [
  'data-share',
  'port-config',
  'syslog-config',
  'sysnotify',
  'systemd-user-unit',
  'usr-local-linker',
  'web-config',
];
const NGINX_TYPES = ['dsm', 'www', 'http', 'server', 'x-accel', 'main'];

/** conf/privilege: nothing runs as root, and the user's name stays. */
export const checkPrivilege: Rule = ({ outer, target }) => {
  const name = 'conf/privilege';
  const member = outer.get(name);
  if (member === undefined) return [];
  const privilege = jsonOf(member);
  if (privilege === undefined) return [`${name} is no JSON (code 319).`];
  const faults: string[] = [];
  if (valueAt(privilege, 'defaults', 'run-as') !== 'package') {
    faults.push(`${name}: defaults.run-as has to be "package" (code 319).`);
  }
  for (const key of ['username', 'groupname']) {
    if (valueAt(privilege, key) !== USER) faults.push(`${name}: ${key} has to stay "${USER}" (code 313).`);
  }
  for (const list of ['ctrl-script', 'executable', 'tool']) {
    for (const entry of listOf(valueAt(privilege, list))) {
      const runAs = valueAt(entry, 'run-as') ?? valueAt(entry, 'user') ?? 'package';
      const path = valueAt(entry, 'relpath');
      if (runAs !== 'package')
        faults.push(`${name}: ${list} wants to run as ${JSON.stringify(runAs)}: DSM refuses that.`);
      if (valueAt(entry, 'capabilities') !== undefined)
        faults.push(`${name}: ${list} wants capabilities: DSM refuses that.`);
      if (typeof path === 'string' && !target.has(path)) faults.push(`${name}: ${path} is not in package.tgz.`);
    }
  }
  return faults;
};

/** conf/resource: known workers, and files that are there. */
export const checkResource: Rule = (file) => {
  const name = 'conf/resource';
  const member = file.outer.get(name);
  if (member === undefined) return [];
  const resource = jsonOf(member);
  if (resource === undefined) return [`${name} is no JSON.`];
  const workers = entriesOf(resource);
  const unknown = workers
    .filter(([worker]) => !WORKERS.includes(worker))
    .map(([worker]) => `unknown worker ${worker}.`);
  const missing = pathsOf(resource)
    .filter((path) => !file.target.has(path))
    .map((path) => `${path} is not in package.tgz.`);
  const faults = [...unknown, ...missing, ...shareFaults(file, resource), ...nginxFaults(resource)];
  return [...faults.map((fault) => `${name}: ${fault}`), ...portFaults(file, resource), ...linkFaults(file, resource)];
};

/** Every member of package.tgz that a worker is told of. */
function pathsOf(resource: unknown): readonly string[] {
  return [
    valueAt(resource, 'port-config', 'protocol-file'),
    valueAt(resource, 'syslog-config', 'logrotate-relpath'),
    valueAt(resource, 'syslog-config', 'patterndb-relpath'),
    ...nginxEntries(resource).map((entry) => valueAt(entry, 'relpath')),
    ...['bin', 'lib', 'etc'].flatMap((kind) => listOf(valueAt(resource, 'usr-local-linker', kind))),
  ].filter((path) => typeof path === 'string');
}

function nginxEntries(resource: unknown): readonly unknown[] {
  return listOf(valueAt(resource, 'web-config', 'nginx-static-config', 'enable'));
}

function nginxFaults(resource: unknown): readonly string[] {
  return nginxEntries(resource)
    .map((entry) => valueAt(entry, 'type'))
    .filter((type) => typeof type !== 'string' || !NGINX_TYPES.includes(type))
    .map((type) => `web-config has the unknown type ${String(type)}.`);
}

/** The user that is let into the shared folder is ours, and the folder is one that each install wizard asks for. */
function shareFaults({ outer }: PackageFile, resource: unknown): readonly string[] {
  const wizards = [...outer].filter(([path]) => path.startsWith('WIZARD_UIFILES/install_uifile'));
  return listOf(valueAt(resource, 'data-share', 'shares')).flatMap((share) => {
    const faults: string[] = [];
    const users = [...listOf(valueAt(share, 'permission', 'rw')), ...listOf(valueAt(share, 'permission', 'ro'))];
    if (users.length === 0 || users.some((user) => user !== USER)) {
      faults.push(`data-share lets in ${users.join(', ') || 'nobody'}, not ${USER}.`);
    }
    const key = /^\{\{(\w+)\}\}$/.exec(String(valueAt(share, 'name')))?.[1];
    if (key !== undefined && wizards.length === 0)
      faults.push(`data-share wants ${key}, and there is no install wizard.`);
    for (const [path, member] of key === undefined ? [] : wizards) {
      if (!textOf(member).includes(`"${key}"`)) faults.push(`data-share wants ${key}, which ${path} does not ask for.`);
    }
    return faults;
  });
}

/** DSM Developer Guide, port-config: one section, English words, ports. */
function portFaults({ target }: PackageFile, resource: unknown): readonly string[] {
  const path = valueAt(resource, 'port-config', 'protocol-file');
  const member = typeof path === 'string' ? target.get(path) : undefined;
  if (typeof path !== 'string' || member === undefined) return [];
  const text = textOf(member);
  const wanted: readonly (readonly [string, RegExp])[] = [
    ['a section', /^\[[A-Za-z0-9.-]+\]\n/],
    ['title', /^title="[ -~]+"$/m],
    ['desc', /^desc="[ -~]+"$/m],
    ['port_forward', /^port_forward="(yes|no)"$/m],
    ['dst.ports', /^dst\.ports="\d+(:\d+)?(,\d+(:\d+)?)*\/(tcp|udp|tcp,udp)"$/m],
  ];
  return wanted
    .filter(([, form]) => !form.test(text))
    .map(([what]) => `${path} has no ${what} in the form that DSM reads.`);
}

function linkFaults({ target }: PackageFile, resource: unknown): readonly string[] {
  return listOf(valueAt(resource, 'usr-local-linker', 'bin'))
    .filter((path) => typeof path === 'string')
    .filter((path) => target.get(path)?.mode !== 0o755 && target.has(path))
    .map((path) => `conf/resource: ${path} is linked as a command and cannot be run.`);
}
