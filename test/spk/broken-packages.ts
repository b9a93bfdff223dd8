/** One broken package for each rule. */
import assert from 'node:assert/strict';
import type { SpkDraft } from './broken-spk.ts';

/** What is done to a good package, and the sentence that has to come. No other one may come. */
export interface BrokenPackage {
  readonly broken: string;
  readonly by: (draft: SpkDraft) => void;
  readonly says: RegExp;
  readonly isShell?: boolean;
  readonly needsShellcheck?: boolean;
}

/** What the check is told to be a folder of the machine that built the package. */
export const BUILD_FOLDER = '/home/builder/site-backup';

const MODULE = 'app/native/better_sqlite3-x64-abi127.node';
const WIZARD = 'WIZARD_UIFILES/install_uifile';

const header =
  (path: string, field: SpkDraft['headerEdits'][number]['field'], value: string, place: 'outer' | 'target' = 'outer') =>
  (draft: SpkDraft): void => {
    draft.headerEdits.push({ place, path, field, value });
  };
const info =
  (key: string, value: string | undefined) =>
  (draft: SpkDraft): void => {
    draft.setInfo(key, value);
  };
const without =
  (...paths: readonly string[]) =>
  (draft: SpkDraft): void => {
    for (const path of paths) draft.remove(path);
  };
const json =
  (path: string, change: (value: never) => void) =>
  (draft: SpkDraft): void => {
    draft.editJson(path, change);
  };
const replaced =
  (path: string, from: string | RegExp, to: string) =>
  (draft: SpkDraft): void => {
    draft.edit(path, (text) => text.replace(from, () => to));
  };
/** In a native module, where every byte keeps its place. */
const patched =
  (path: string, from: string, to: string) =>
  (draft: SpkDraft): void => {
    assert.equal(to.length, from.length);
    const bytes = Buffer.from(draft.target.get(path)?.bytes ?? []);
    let count = 0;
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1), count++)
      bytes.write(to, at, 'latin1');
    assert.ok(count > 0, `${path} does not hold ${from}`);
    draft.write(path, bytes);
  };

const ARCHIVE: readonly BrokenPackage[] = [
  ...['LICENSE', 'PACKAGE_ICON.PNG', 'conf/resource', 'conf/privilege', 'scripts/preupgrade', 'scripts/postuninst'].map(
    (path) => ({ broken: `has no ${path}`, by: without(path), says: new RegExp(`^${path} is missing`) }),
  ),
  {
    broken: 'has a member with ./ before its name',
    by: (draft) => {
      draft.write('./LICENSE2', 'x', 'outer');
    },
    says: /^\.(\/LICENSE2)? (has no place|is a name that DSM does not take)/,
  },
  {
    broken: 'has a member that leads out of its folder',
    by: (draft) => {
      draft.write('ui/../../etc/passwd', 'x');
    },
    says: /^package\.tgz: ui\/\.\.\/?.*(is a name that DSM does not take|is of no use|is there twice)/,
  },
  {
    broken: 'has a member that DSM does not know',
    by: (draft) => {
      draft.write('notes.txt', 'x', 'outer');
    },
    says: /^notes\.txt has no place in a package/,
  },
  {
    broken: 'belongs to a user of the build machine',
    by: header('INFO', 'uid', '0001751\0'),
    says: /^INFO belongs to root:root \(1001:0\)/,
  },
  {
    broken: 'names a user of the build machine',
    by: header('INFO', 'uname', 'runner'),
    says: /^INFO belongs to runner:root/,
  },
  {
    broken: 'has a script that cannot be run',
    by: header('scripts/preinst', 'mode', '0000644\0'),
    says: /^scripts\/preinst has mode 644, not 755/,
  },
  {
    broken: 'has settings that everybody may change',
    by: header('conf/privilege', 'mode', '0000666\0'),
    says: /^conf\/privilege has mode 666, not 644/,
  },
  {
    broken: 'has a command that cannot be run',
    by: header('bin/site-backup', 'mode', '0000644\0', 'target'),
    says: /^(package\.tgz: bin\/site-backup has mode 644|conf\/resource: bin\/site-backup is linked as a command)/,
  },
  {
    broken: 'has a link',
    by: header('public/app.js', 'typeflag', '2', 'target'),
    says: /^package\.tgz: public\/app\.js is neither a file nor a folder \(type 2\)/,
  },
  {
    broken: 'has a member of another time',
    by: header('INFO', 'mtime', '00000000001\0'),
    says: /^members have 2 different times/,
  },
  {
    broken: 'has a member twice',
    by: (draft) => {
      draft.twice.push({ path: 'LICENSE', mode: 0o644, bytes: Buffer.from('x') });
    },
    says: /^LICENSE is there twice/,
  },
  {
    broken: 'has a source map',
    by: (draft) => {
      draft.write('app/main.js.map', '{}');
    },
    says: /^package\.tgz: app\/main\.js\.map is of no use/,
  },
  {
    broken: 'has node_modules',
    by: (draft) => {
      draft.write('node_modules/express/index.js', '');
    },
    says: /^package\.tgz: node_modules(\/.*)? is of no use/,
  },
  {
    broken: 'has a licence longer than DSM shows',
    by: (draft) => {
      draft.write('LICENSE', 'x'.repeat(1024 * 1024));
    },
    says: /^LICENSE has 1048576 bytes/,
  },
  {
    broken: 'is larger than was promised',
    by: (draft) => {
      draft.write('public/noise', noise(9 * 1024 * 1024));
    },
    says: /^The package has \d+ bytes, more than 8388608/,
  },
];

const INFO: readonly BrokenPackage[] = [
  ...['package', 'version', 'os_min_ver', 'description', 'arch', 'maintainer', 'displayname_fre', 'create_time'].map(
    (key) => ({
      broken: `says no ${key}`,
      by: info(key, undefined),
      says: new RegExp(`^(INFO: (${key}|arch|os_min_ver|version|create_time|package)\\b|app/package.json: version)`),
    }),
  ),
  {
    broken: 'has an INFO with the line ends of Windows',
    by: (draft) => {
      draft.info = draft.info.replace('\n', '\r\n');
    },
    says: /^INFO(: this line is not| has the line ends|: package)/,
  },
  {
    broken: 'has an INFO without its last line end',
    by: (draft) => {
      draft.isChecksumKept = true;
      draft.isSizeKept = true;
      draft.info = draft.info.trimEnd();
    },
    says: /^INFO does not end with a line end/,
  },
  {
    broken: 'has an INFO in another encoding',
    by: (draft) => {
      draft.info = `\ufeff${draft.info}`;
    },
    says: /^INFO(: this line is not| is not plain UTF-8|: package)/,
  },
  {
    broken: 'says something twice',
    by: (draft) => {
      draft.info += 'ctl_stop="no"\n';
    },
    says: /^INFO names a field twice/,
  },
  {
    broken: 'has a line that is none',
    by: (draft) => {
      draft.info += 'beta=yes\n';
    },
    says: /^INFO: this line is not of the form/,
  },
  {
    broken: 'has a field that DSM does not know',
    by: info('startable', 'yes'),
    says: /^INFO: DSM 7 knows no field startable/,
  },
  { broken: 'has another name', by: info('package', 'SiteBackup2'), says: /^INFO: package is "SiteBackup2"/ },
  {
    broken: 'has a version with letters',
    by: info('version', '0.1.0-beta1'),
    says: /^(INFO: version "0\.1\.0-beta1" is not|app\/package\.json: version)/,
  },
  {
    broken: 'has a version without a build number',
    by: info('version', '0.1.0'),
    says: /^INFO: version "0\.1\.0" is not/,
  },
  {
    broken: 'has a version too large to count',
    by: info('version', '0.1.0-2147483648'),
    says: /^INFO: version "0\.1\.0-2147483648" has a number above/,
  },
  {
    broken: 'is for a DSM without Node.js 22',
    by: info('os_min_ver', '7.1-42661'),
    says: /^INFO: os_min_ver "7\.1-42661" lets in/,
  },
  { broken: 'is for another DSM', by: info('os_min_ver', '8.0-10000'), says: /^INFO: os_min_ver "8\.0-10000" lets in/ },
  {
    broken: 'has an os_min_ver in another form',
    by: info('os_min_ver', '7.2'),
    says: /^INFO: os_min_ver is not of the form/,
  },
  {
    broken: 'is for a processor that it has nothing for',
    by: info('arch', 'x86_64 armv8 armv7'),
    says: /^INFO: arch names armv7/,
  },
  {
    broken: 'is kept from a processor that it has modules for',
    by: info('arch', 'x86_64'),
    says: /^INFO: arch "x86_64" and the native modules for arm64 do not agree/,
  },
  {
    broken: 'was cut short after it was counted',
    by: (draft) => {
      draft.isChecksumKept = true;
      draft.setInfo('checksum', '0'.repeat(32));
    },
    says: /^INFO: checksum is not the MD5/,
  },
  {
    broken: 'says another size',
    by: (draft) => {
      draft.isSizeKept = true;
      draft.setInfo('extractsize', '1');
    },
    says: /^INFO: extractsize is "1"/,
  },
  { broken: 'has a time in another form', by: info('create_time', '2026-11-21'), says: /^INFO: create_time is not/ },
  {
    broken: 'does not ask for Node.js 22',
    by: info('install_dep_packages', 'Node.js_v18'),
    says: /^INFO: install_dep_packages does not ask/,
  },
  {
    broken: 'names a desktop folder that is not there',
    by: info('dsmuidir', 'desktop'),
    says: /^(INFO: dsmuidir "desktop" has no config|desktop\/texts)/,
  },
  {
    broken: 'names an application that is not there',
    by: info('dsmappname', 'com.example.other'),
    says: /^INFO: dsmappname "com\.example\.other" is not in ui\/config/,
  },
  {
    broken: 'does not let nginx read its location',
    by: info('startstop_restart_services', undefined),
    says: /^INFO: startstop_restart_services has no nginx\.service/,
  },
];

const CONF: readonly BrokenPackage[] = [
  {
    broken: 'has a privilege file that is no JSON',
    by: (draft) => {
      draft.write('conf/privilege', '{');
    },
    says: /^conf\/privilege is no JSON/,
  },
  {
    broken: 'wants to run as root',
    by: json('conf/privilege', (value: { defaults: object }) => {
      value.defaults = { 'run-as': 'root' };
    }),
    says: /^conf\/privilege: defaults\.run-as has to be "package"/,
  },
  {
    broken: 'has a script that wants to run as root',
    by: json('conf/privilege', (value: Record<string, unknown>) => {
      value['ctrl-script'] = [{ action: 'postuninst', 'run-as': 'root' }];
    }),
    says: /^conf\/privilege: ctrl-script wants to run as "root"/,
  },
  {
    broken: 'has a tool with capabilities',
    by: json('conf/privilege', (value: Record<string, unknown>) => {
      value['tool'] = [{ relpath: 'bin/site-backup', user: 'package', capabilities: 'cap_net_admin' }];
    }),
    says: /^conf\/privilege: tool wants capabilities/,
  },
  {
    broken: 'has an executable that is not there',
    by: json('conf/privilege', (value: Record<string, unknown>) => {
      value['executable'] = [{ relpath: 'bin/other', 'run-as': 'package' }];
    }),
    says: /^conf\/privilege: bin\/other is not in package\.tgz/,
  },
  {
    broken: 'has another user',
    by: json('conf/privilege', (value: Record<string, unknown>) => {
      value['username'] = 'backup';
    }),
    says: /^conf\/privilege: username has to stay "sitebackup"/,
  },
  {
    broken: 'has no group',
    by: json('conf/privilege', (value: Record<string, unknown>) => {
      delete value['groupname'];
    }),
    says: /^conf\/privilege: groupname has to stay/,
  },
  {
    broken: 'has a resource file that is no JSON',
    by: (draft) => {
      draft.write('conf/resource', '[,]');
    },
    says: /^conf\/resource is no JSON/,
  },
  {
    broken: 'asks for a worker that there is not',
    by: json('conf/resource', (value: Record<string, unknown>) => {
      value['web-confg'] = {};
    }),
    says: /^conf\/resource: unknown worker web-confg/,
  },
  {
    broken: 'names a port file that is not there',
    by: without('conf/site-backup.sc'),
    says: /^conf\/resource: conf\/site-backup\.sc is not in package\.tgz/,
  },
  {
    broken: 'names a logrotate file that is not there',
    by: without('conf/logrotate.conf'),
    says: /^conf\/resource: conf\/logrotate\.conf is not in package\.tgz/,
  },
  {
    broken: 'names a location that is not there',
    by: without('nginx/site-backup.conf'),
    says: /^(conf\/resource: nginx\/site-backup\.conf is not in package\.tgz|ui\/config.*for which nginx has no location)/,
  },
  {
    broken: 'has an unknown kind of location',
    by: replaced('conf/resource', '"dsm"', '"dms"'),
    says: /^conf\/resource: web-config has the unknown type dms/,
  },
  {
    broken: 'lets another user into the shared folder',
    by: replaced('conf/resource', '["sitebackup"]', '["admin"]'),
    says: /^conf\/resource: data-share lets in admin/,
  },
  {
    broken: 'wants an answer that no wizard asks for',
    by: replaced('conf/resource', '{{wizard_share}}', '{{wizard_other}}'),
    says: /^conf\/resource: data-share wants wizard_other, which WIZARD_UIFILES\/install_uifile/,
  },
  {
    broken: 'wants answers and has no wizard',
    by: without(WIZARD, `${WIZARD}_fre`),
    says: /^conf\/resource: data-share wants wizard_share, and there is no install wizard/,
  },
  {
    broken: 'names no port',
    by: replaced('conf/site-backup.sc', /^dst\.ports=.*\n/m, ''),
    says: /^conf\/site-backup\.sc has no dst\.ports/,
  },
  {
    broken: 'names its port in letters that DSM cannot show',
    by: replaced('conf/site-backup.sc', /^title=.*$/m, 'title="Résumé"'),
    says: /^conf\/site-backup\.sc has no title/,
  },
];

const WIZARDS: readonly BrokenPackage[] = [
  {
    broken: 'has a wizard whose name DSM never reads',
    by: (draft) => {
      draft.rename('WIZARD_UIFILES/uninstall_uifile', 'WIZARD_UIFILES/uninstall_uifiles');
    },
    says: /^WIZARD_UIFILES\/uninstall_uifiles has a name/,
  },
  {
    broken: 'has a wizard that is no JSON',
    by: (draft) => {
      draft.write('WIZARD_UIFILES/uninstall_uifile', '{"step_title": "x"}');
    },
    says: /^WIZARD_UIFILES\/uninstall_uifile(_fre)? (is no JSON list|does not ask for the same)/,
  },
  {
    broken: 'has a wizard without French',
    by: without('WIZARD_UIFILES/uninstall_uifile_fre'),
    says: /^WIZARD_UIFILES\/uninstall_uifile_fre is missing/,
  },
  {
    broken: 'asks less in French',
    by: replaced('WIZARD_UIFILES/uninstall_uifile_fre', 'wizard_keep_data', 'wizard_keep_it'),
    says: /^WIZARD_UIFILES\/uninstall_uifile_fre does not ask for the same/,
  },
  {
    broken: 'has a step without a title',
    by: replaced(WIZARD, /"step_title": /, '"title": '),
    says: /^WIZARD_UIFILES\/install_uifile, step 1 has no step_title/,
  },
  {
    broken: 'has a step without items',
    by: json(WIZARD, (steps: { items: unknown[] }[]) => {
      steps.push({ step_title: 'x', items: [] } as never);
    }),
    says: /^WIZARD_UIFILES\/install_uifile, step 3 has no items/,
  },
  {
    broken: 'has an item that says nothing',
    by: json(WIZARD, (steps: { items: unknown[] }[]) => {
      steps[0]?.items.push({});
    }),
    says: /step 1 has an item without type and text/,
  },
  {
    broken: 'has an item of a kind that DSM does not know',
    by: replaced(WIZARD, '"combobox"', '"dropdown"'),
    says: /step 1 has an item of the unknown type "dropdown"/,
  },
  {
    broken: 'has a question that no script could read',
    by: (draft) => {
      for (const path of [WIZARD, `${WIZARD}_fre`])
        draft.edit(path, (text) => text.replaceAll('wizard_access_dsm', 'wizard-access'));
    },
    says: /(whose key cannot be a variable of our scripts: wizard-access)/,
  },
  {
    broken: 'has a pattern that is no regular expression',
    by: json(WIZARD, (steps: { items: { subitems?: { validator?: { regex?: { expr: string } } }[] }[] }[]) => {
      for (const step of steps)
        for (const item of step.items)
          for (const { validator } of item.subitems ?? []) if (validator?.regex) validator.regex.expr = '/[/';
    }),
    says: /the pattern of wizard_share is no regular expression/,
  },
  {
    broken: 'has a choice with nothing chosen',
    by: json(WIZARD, (steps: { items: { subitems?: { defaultValue?: unknown }[] }[] }[]) => {
      for (const item of steps[1]?.items ?? []) for (const subitem of item.subitems ?? []) subitem.defaultValue = false;
    }),
    says: /step 2 has a choice with 0 preset answers/,
  },
];

const DESKTOP: readonly BrokenPackage[] = [
  {
    broken: 'has an icon of another size',
    by: (draft) => {
      draft.write('PACKAGE_ICON.PNG', draft.outer.get('PACKAGE_ICON_256.PNG')?.bytes ?? '');
    },
    says: /^PACKAGE_ICON\.PNG has 256×256 pixels, not 64×64/,
  },
  {
    broken: 'has an icon that is no picture',
    by: (draft) => {
      draft.write('PACKAGE_ICON_256.PNG', '<svg/>');
    },
    says: /^PACKAGE_ICON_256\.PNG is no PNG/,
  },
  {
    broken: 'lacks an icon of the desktop',
    by: without('ui/images/icon_72.png'),
    says: /^ui\/images\/icon_72\.png is missing/,
  },
  {
    broken: 'has no French texts for the desktop',
    by: without('ui/texts/fre/strings'),
    says: /^ui\/texts\/fre\/strings is missing/,
  },
  {
    broken: 'has texts in another form',
    by: (draft) => {
      draft.write('ui/texts/enu/strings', '[app]\ntitle=Site Backup\n');
    },
    says: /^ui\/texts\/enu\/strings is missing or not in the form/,
  },
  {
    broken: 'has a text in one language only',
    by: (draft) => {
      draft.edit('ui/texts/enu/strings', (text) => `${text}more="x"\n`);
    },
    says: /^ui\/texts: notify:more is not there in every language/,
  },
  {
    broken: 'shows a text that is not there',
    by: replaced('ui/config', /"app:title"/g, '"app:name"'),
    says: /^ui\/config, com\.sitebackup\.SiteBackup: app:name has no text in (enu|fre)/,
  },
  {
    broken: 'has an entry without a title',
    by: replaced('ui/config', '"title"', '"name"'),
    says: /^ui\/config, com\.sitebackup\.SiteBackup has no title/,
  },
  {
    broken: 'has an entry without an icon',
    by: replaced('ui/config', '"icon"', '"picture"'),
    says: /^ui\/config, com\.sitebackup\.SiteBackup has no icon/,
  },
  {
    broken: 'is shown to everybody',
    by: replaced('ui/config', '"allUsers": false', '"allUsers": true'),
    says: /is shown to users who are no administrators/,
  },
  {
    broken: 'opens an address without a location',
    by: replaced('ui/config', '/sitebackup/', '/backup/'),
    says: /opens \/backup\/, for which nginx has no location/,
  },
];

const SHELL: readonly BrokenPackage[] = [
  {
    broken: 'has a script that is not named a shell program',
    by: replaced('scripts/postinst', '#!/bin/sh', '#!/bin/bash'),
    says: /^scripts\/postinst(:.*| does not begin with #!\/bin\/sh)/,
    isShell: true,
  },
  {
    broken: 'has a script with the line ends of Windows',
    by: replaced('scripts/preinst', /\n/g, '\r\n'),
    says: /^scripts\/preinst/,
    isShell: true,
  },
  {
    broken: 'has a location with the line ends of Windows',
    by: replaced('nginx/site-backup.conf', ';\n', ';\r\n'),
    says: /^nginx\/site-backup\.conf has the line ends of Windows/,
    isShell: true,
  },
  {
    broken: 'has a script that no shell can read',
    by: (draft) => {
      draft.edit('lib/service.sh', (text) => `${text}\nif true; then\n`);
    },
    says: /^lib\/service\.sh is no shell program/,
    isShell: true,
  },
  {
    broken: 'has a script that shellcheck warns of',
    by: (draft) => {
      draft.edit('bin/site-backup', (text) => text.replace('#!/bin/sh\n', '#!/bin/sh\n[[ -e $1 ]] && rm -r $1/*\n'));
    },
    says: /^bin\/site-backup:\d+:\d+: \w+: .*\[SC\d+\]/,
    isShell: true,
    needsShellcheck: true,
  },
];

const APP: readonly BrokenPackage[] = [
  ...['run', 'maintenance', 'adopt', 'delete', 'prune'].map((name) => ({
    broken: `lacks the thread ${name}-worker`,
    by: without(`app/${name}-worker.js`),
    says: new RegExp(`^app/${name}-worker\\.js is missing: the program starts it`),
  })),
  {
    broken: 'starts threads in a way that the check does not know',
    by: (draft) => {
      for (const path of draft.target.keys())
        if (/^app\/.*\.js$/.test(path)) draft.write(path, draft.text(path).replaceAll('startThread', 'beginThread'));
    },
    says: /^app: no thread can be told/,
  },
  { broken: 'lacks the texts', by: without('texts/fr.json'), says: /^texts\/fr\.json is missing/ },
  {
    broken: 'runs as CommonJS',
    by: replaced('app/package.json', '"module"', '"commonjs"'),
    says: /^app\/package\.json: type is not "module"/,
  },
  {
    broken: 'calls itself by another version',
    by: replaced('app/package.json', /"version": "[^"]+"/, '"version": "9.9.9"'),
    says: /^app\/package\.json: version is not/,
  },
  {
    broken: 'holds a package of developers',
    by: (draft) => {
      draft.edit('app/main.js', (text) => `${text}\n// node_modules/fast-check/lib/fast-check.js\n`);
    },
    says: /^(app holds fast-check, which only developers need|THIRD-PARTY\.txt has no licence of fast-check)/,
  },
  {
    broken: 'holds code of the tests',
    by: (draft) => {
      draft.edit('app/cli.js', (text) => `${text}\n// test/support/fake-clock.ts\n`);
    },
    says: /^app\/cli\.js holds code of test\/ or build\//,
  },
  {
    broken: 'points to a source map',
    by: (draft) => {
      draft.edit('app/cli.js', (text) => `${text}\n//# sourceMappingURL=cli.js.map\n`);
    },
    says: /^app\/cli\.js points to a source map/,
  },
  {
    broken: 'passes on a package without its licence',
    by: replaced('THIRD-PARTY.txt', /\nexpress /, '\nexpresso '),
    says: /^THIRD-PARTY\.txt has no licence of express/,
  },
  {
    broken: 'has a bundle whose packages cannot be told',
    by: (draft) => {
      for (const path of draft.target.keys())
        if (/^app\/.*\.js$/.test(path)) draft.write(path, draft.text(path).replaceAll('node_modules/', 'modules/'));
    },
    says: /^app: no bundled package can be told/,
  },
  {
    broken: 'names a folder of the build machine',
    by: (draft) => {
      draft.edit('app/cli.js', (text) => `${text}\n// ${BUILD_FOLDER}/src/cli.ts\n`);
    },
    says: /^app\/cli\.js names \/home\/builder\/site-backup/,
  },
  {
    broken: 'lacks the module of one Node.js',
    by: without('app/native/better_sqlite3-arm64-abi137.node'),
    says: /^app\/native\/better_sqlite3-arm64-abi137\.node is missing/,
  },
  {
    broken: 'has the module of another processor',
    by: (draft) => {
      draft.write(MODULE, draft.target.get('app/native/better_sqlite3-arm64-abi127.node')?.bytes ?? '');
    },
    says: /-x64-abi127\.node is made for another processor/,
  },
  {
    broken: 'has a module that is none',
    by: (draft) => {
      draft.write(MODULE, 'MZ');
    },
    says: /-x64-abi127\.node cannot be read: it is no ELF file/,
  },
  {
    broken: 'has the module of another Node.js',
    by: (draft) => {
      draft.write(MODULE, draft.target.get('app/native/better_sqlite3-x64-abi137.node')?.bytes ?? '');
    },
    says: /-x64-abi127\.node gives node_register_module_v137/,
  },
  {
    broken: 'needs a newer C library than that of DSM 7.2',
    by: patched(MODULE, 'GLIBC_2.14', 'GLIBC_2.38'),
    says: /-x64-abi127\.node needs GLIBC_2\.38, which DSM 7\.2 does not have/,
  },
  {
    broken: 'needs a library that may not be there',
    by: patched(MODULE, 'libdl.so.2\0', 'libfoo.so.\0'),
    says: /-x64-abi127\.node needs (the library )?libfoo\.so\./,
  },
  {
    broken: 'needs a function that nobody gives',
    by: patched(MODULE, '\0node_module_register\0', '\0xode_module_register\0'),
    says: /-x64-abi127\.node needs xode_module_register, which Node\.js does not give/,
  },
];

function noise(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = 1;
  for (let at = 0; at < sizeBytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

/** By what is broken, in the order of the package. */
export const BROKEN_PACKAGES = { ARCHIVE, INFO, CONF, WIZARDS, DESKTOP, SHELL, APP } as const;
