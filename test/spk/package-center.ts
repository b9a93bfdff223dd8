/**
 * Package Center as the DSM 7.2.2 Package Developer Guide tells it (Scripts, Resource Timing, FHS): unpacks a package in a
 * fake NAS, acquires what conf/resource asks for, and runs the scripts as the package's user with DSM's variables only.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { CommandResult, FakeNas } from './fake-nas.ts';

export interface Answers {
  readonly [key: `wizard_${string}`]: string;
}

/** What an administrator sees of one action. */
export interface Outcome {
  /** False: Package Center shows that it has failed. */
  readonly isDone: boolean;
  /** What the scripts wrote for the dialog. */
  readonly dialog: string;
  /** `preinst 0`, `postinst 0`, … in the order in which they ran. */
  readonly steps: readonly string[];
}

export interface PackageCenterOptions {
  readonly language?: 'enu' | 'fre';
  readonly dsmBuild?: string;
}

interface Info {
  readonly package: string;
  readonly version: string;
}

interface Resource {
  readonly 'data-share'?: { shares: { name: string; permission: { rw?: string[] } }[] };
  readonly 'usr-local-linker'?: { bin?: string[] };
  readonly 'port-config'?: { 'protocol-file': string };
  readonly 'web-config'?: { 'nginx-static-config': { enable: { type: string; relpath: string }[] } };
}

interface WizardField {
  readonly key: string;
  readonly defaultValue: string | boolean;
  readonly validator?: { readonly regex?: { readonly expr: string; readonly errorText: string } };
}

type Status = 'INSTALL' | 'UPGRADE' | 'UNINSTALL' | 'START' | 'STOP' | '';

const VOLUME = '/volume1';

export class PackageCenter {
  readonly #nas: FakeNas;
  readonly #language: string;
  readonly #dsmBuild: string;
  #steps: string[] = [];
  #dialog = '';
  #info: Info = { package: '', version: '' };
  #user = '';
  #answers: Answers = {};

  constructor(nas: FakeNas, options: PackageCenterOptions = {}) {
    this.#nas = nas;
    this.#language = options.language ?? 'enu';
    this.#dsmBuild = options.dsmBuild ?? '64570';
  }

  /** The package's own user, from conf/privilege. */
  get user(): string {
    return this.#user;
  }

  /** Where `name` of the package really lies, such as `target` or `var`. */
  place(name: 'target' | 'var' | 'etc' | 'home' | 'tmp'): string {
    const folder = { target: '@appstore', var: '@appdata', etc: '@appconf', home: '@apphome', tmp: '@apptemp' }[name];
    return `${VOLUME}/${folder}/${this.#info.package}`;
  }

  /** Manual Install of the file `spk` (of this machine), the wizard answered, without the final "run after installation". */
  async install(spk: string, answers: Answers = {}): Promise<Outcome> {
    return this.#act(async () => {
      const temp = await this.#unpack(spk);
      this.#info = this.#readInfo(`${temp}/INFO`);
      this.#answers = this.#answered(`${temp}/WIZARD_UIFILES/install_uifile`, answers);
      await this.#makeUser(temp);
      const scripts = `${temp}/scripts`;
      if (!(await this.#script(scripts, 'preinst', 'INSTALL', temp))) return false;
      await this.#place(temp);
      if (!(await this.#script(this.#scripts, 'postinst', 'INSTALL', temp))) return false;
      await this.#acquireAtInstall();
      return true;
    });
  }

  /** Manual Install over an installed version; starts it afterwards where the old one ran. */
  async upgrade(spk: string): Promise<Outcome> {
    return this.#act(async () => {
      const wasRunning = (await this.#startStopStatus('status', '')).code === 0;
      const old = this.#info;
      const temp = await this.#unpack(spk);
      const next = this.#readInfo(`${temp}/INFO`);
      const more = { SYNOPKG_OLD_PKGVER: old.version };
      if (wasRunning && !(await this.#stop('UPGRADE'))) return false;
      this.#info = next;
      const isWelcome = await this.#script(`${temp}/scripts`, 'preupgrade', 'UPGRADE', temp, more);
      this.#info = old;
      if (!isWelcome) return false;
      if (!(await this.#script(this.#scripts, 'preuninst', 'UPGRADE', temp, more))) return false;
      await this.#release();
      const oldScripts = await this.#copyAside(this.#scripts);
      await this.#nas.must(['sh', '-c', `rm -rf ${this.place('target')} ${this.place('tmp')}`]);
      if (!(await this.#script(oldScripts, 'postuninst', 'UPGRADE', temp, more))) return false;
      this.#info = next;
      if (!(await this.#script(`${temp}/scripts`, 'preinst', 'UPGRADE', temp, more))) return false;
      await this.#place(temp);
      if (!(await this.#script(this.#scripts, 'postinst', 'UPGRADE', temp, more))) return false;
      await this.#acquireAtInstall();
      if (!(await this.#script(this.#scripts, 'postupgrade', 'UPGRADE', temp, more))) return false;
      return !wasRunning || this.#start('UPGRADE');
    });
  }

  async start(): Promise<Outcome> {
    return this.#act(() => this.#start('START'));
  }

  async stop(): Promise<Outcome> {
    return this.#act(() => this.#stop('STOP'));
  }

  /** After the NAS has come up: as `start`, but without a status. */
  async boot(): Promise<Outcome> {
    return this.#act(() => this.#start(''));
  }

  /** The NAS goes down: no prestop. */
  async shutDown(): Promise<Outcome> {
    return this.#act(async () => this.#noted('stop', await this.#startStopStatus('stop', '')));
  }

  /** The exit code of `start-stop-status status`. */
  async status(): Promise<number | undefined> {
    return (await this.#startStopStatus('status', '')).code;
  }

  async uninstall(answers: Answers): Promise<Outcome> {
    return this.#act(async () => {
      const wizard = `/var/packages/${this.#info.package}/WIZARD_UIFILES/uninstall_uifile`;
      this.#answers = this.#answered(wizard, answers);
      if ((await this.#startStopStatus('status', '')).code === 0 && !(await this.#stop('UNINSTALL'))) return false;
      if (!(await this.#script(this.#scripts, 'preuninst', 'UNINSTALL'))) return false;
      await this.#release();
      const scripts = await this.#copyAside(this.#scripts);
      await this.#nas.must(['rm', '-rf', this.place('target'), this.place('tmp')]);
      const isDone = await this.#script(scripts, 'postuninst', 'UNINSTALL');
      await this.#nas.must(['rm', '-rf', `/var/packages/${this.#info.package}`]);
      await this.#nas.must(['userdel', this.#user]);
      return isDone;
    });
  }

  get #scripts(): string {
    return `/var/packages/${this.#info.package}/scripts`;
  }

  async #act(work: () => Promise<boolean>): Promise<Outcome> {
    this.#steps = [];
    this.#dialog = '';
    const isDone = await work();
    return { isDone, dialog: this.#dialog, steps: this.#steps };
  }

  async #start(status: Status): Promise<boolean> {
    if (!this.#noted('prestart', await this.#startStopStatus('prestart', status))) return false;
    await this.#acquireAtStart();
    return this.#noted('start', await this.#startStopStatus('start', status));
  }

  async #stop(status: Status): Promise<boolean> {
    if (!this.#noted('prestop', await this.#startStopStatus('prestop', status))) return false;
    return this.#noted('stop', await this.#startStopStatus('stop', status));
  }

  async #startStopStatus(word: string, status: Status): Promise<CommandResult> {
    return this.#run(`${this.#scripts}/start-stop-status`, [word], status);
  }

  async #script(folder: string, name: string, status: Status, temp = '', more = {}): Promise<boolean> {
    return this.#noted(
      name,
      await this.#run(`${folder}/${name}`, [], status, { SYNOPKG_PKGINST_TEMP_DIR: temp, ...more }),
    );
  }

  #noted(name: string, result: CommandResult): boolean {
    this.#steps.push(`${name} ${result.code ?? 'killed'}`);
    return result.code === 0;
  }

  /** One script as DSM runs it: by its file, as the package's user, with nothing else in the environment. */
  async #run(
    file: string,
    words: readonly string[],
    status: Status,
    more: Record<string, string> = {},
  ): Promise<CommandResult> {
    const dialogFile = '/tmp/dialog';
    await this.#nas.must(['sh', '-c', `: >${dialogFile} && chown ${this.#user} ${dialogFile}`]);
    const result = await this.#nas.run([file, ...words], {
      user: this.#user,
      environment: {
        PATH: '/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin',
        SYNOPKG_PKGNAME: this.#info.package,
        SYNOPKG_PKGVER: this.#info.version,
        SYNOPKG_PKGDEST: this.place('target'),
        SYNOPKG_PKGDEST_VOL: VOLUME,
        SYNOPKG_PKGVAR: this.place('var'),
        SYNOPKG_PKGHOME: this.place('home'),
        SYNOPKG_PKGTMP: this.place('tmp'),
        SYNOPKG_PKGPORT: '',
        SYNOPKG_TEMP_LOGFILE: dialogFile,
        SYNOPKG_DSM_LANGUAGE: this.#language,
        SYNOPKG_DSM_VERSION_MAJOR: '7',
        SYNOPKG_DSM_VERSION_MINOR: '2',
        SYNOPKG_DSM_VERSION_BUILD: this.#dsmBuild,
        SYNOPKG_DSM_ARCH: 'x86_64',
        SYNOPKG_PKG_STATUS: status,
        SYNOPKG_USERNAME: 'admin',
        ...this.#answers,
        ...more,
      },
    });
    this.#dialog += readFileSync(this.#nas.file(dialogFile), 'utf8');
    return result;
  }

  #readInfo(path: string): Info {
    const text = readFileSync(this.#nas.file(path), 'utf8');
    const value = (key: string): string => new RegExp(`^${key}="(.*)"$`, 'm').exec(text)?.[1] ?? '';
    return { package: value('package'), version: value('version') };
  }

  /** The answers of a wizard in DSM's language: what is not answered stays as it is proposed. */
  #answered(file: string, answers: Answers): Answers {
    const own = `${file}_${this.#language}`;
    const text = readFileSync(this.#nas.file(existsSync(this.#nas.file(own)) ? own : file), 'utf8');
    const steps = JSON.parse(text) as { items: { subitems?: WizardField[] }[] }[];
    const fields = steps.flatMap((step) => step.items.flatMap((item) => item.subitems ?? []));
    const given = Object.entries(answers as Record<string, string>);
    const values = Object.fromEntries([
      ...fields.map((field) => [field.key, String(field.defaultValue)]),
      ...given,
    ]) as Answers;
    for (const [key, value] of given) {
      const field = fields.find((known) => known.key === key);
      if (field === undefined) throw new Error(`the wizard ${file} does not ask for ${key}`);
      const [, rule = ''] = /^\/(.*)\/$/.exec(field.validator?.regex?.expr ?? '') ?? [];
      if (!new RegExp(rule).test(value))
        throw new Error(`the wizard refuses ${value}: ${field.validator?.regex?.errorText ?? ''}`);
    }
    return values;
  }

  async #unpack(spk: string): Promise<string> {
    const temp = `${VOLUME}/@tmp/upgrade`;
    await this.#nas.must(['sh', '-c', `rm -rf ${temp} && mkdir -p ${temp}`]);
    writeFileSync(this.#nas.file(`${temp}/package.spk`), readFileSync(spk));
    await this.#nas.must(['tar', '-xf', `${temp}/package.spk`, '-C', temp]);
    return temp;
  }

  async #makeUser(temp: string): Promise<void> {
    const privilege = JSON.parse(readFileSync(this.#nas.file(`${temp}/conf/privilege`), 'utf8')) as {
      defaults: { 'run-as': string };
      username: string;
      groupname: string;
    };
    if (privilege.defaults['run-as'] !== 'package') throw new Error('DSM 7 refuses a package that runs as root');
    this.#user = privilege.username;
    const words = ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', '--user-group', this.#user];
    await this.#nas.must(['useradd', ...words]);
  }

  /** Lays the unpacked package where DSM keeps it; var, etc and home stay as they are. */
  async #place(temp: string): Promise<void> {
    const home = `/var/packages/${this.#info.package}`;
    const { user } = this;
    const own = (['target', 'etc', 'var', 'home', 'tmp'] as const).map(
      (name) => `
        mkdir -p ${this.place(name)} && ln -sfn ${this.place(name)} ${home}/${name}
        chown ${user}:${user} ${this.place(name)} && chmod ${name === 'home' ? '0700' : '0755'} ${this.place(name)}`,
    );
    await this.#nas.must([
      'sh',
      '-ec',
      `mkdir -p ${home}; rm -rf ${home}/scripts ${home}/conf ${home}/WIZARD_UIFILES
       cp -r ${temp}/scripts ${temp}/conf ${temp}/WIZARD_UIFILES ${temp}/INFO ${home}/
       chown -R root:root ${home}
       ${own.join('\n')}
       tar -xf ${temp}/package.tgz -C ${this.place('target')}
       chown -R ${user}:${user} ${this.place('target')}`,
    ]);
  }

  async #copyAside(folder: string): Promise<string> {
    const aside = `${VOLUME}/@tmp/old-scripts`;
    await this.#nas.must(['sh', '-c', `rm -rf ${aside} && mkdir -p ${VOLUME}/@tmp && cp -r ${folder} ${aside}`]);
    return aside;
  }

  /** conf/resource, with the wizard's answers in their places. */
  #resource(): Resource {
    const file = `/var/packages/${this.#info.package}/conf/resource`;
    const text = readFileSync(this.#nas.file(file), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, key: string) => {
      const answer = (this.#answers as Record<string, string>)[key];
      if (answer === undefined || answer === '') throw new Error(`conf/resource asks for ${key}, the wizard did not`);
      return answer;
    });
    return JSON.parse(text) as Resource;
  }

  /** Workers from the installation on: the port's name in the list of services. */
  async #acquireAtInstall(): Promise<void> {
    const file = this.#resource()['port-config']?.['protocol-file'];
    if (file === undefined) return;
    await this.#nas.must([
      'sh',
      '-ec',
      `mkdir -p /usr/local/etc/services.d; cp ${this.place('target')}/${file} /usr/local/etc/services.d/`,
    ]);
  }

  /** Workers before the package is started: the shared folder, the command, the place in DSM's web server. */
  async #acquireAtStart(): Promise<void> {
    const resource = this.#resource();
    const links = `/var/packages/${this.#info.package}/shares`;
    for (const { name, permission } of resource['data-share']?.shares ?? []) {
      const share = `${VOLUME}/${name}`;
      mkdirSync(this.#nas.file(share), { recursive: true });
      // Stands for the ACL that DSM would add: read and write for this user and nobody else's loss.
      for (const user of permission.rw ?? []) {
        await this.#nas.must([
          'sh',
          '-ec',
          `chgrp ${user} '${share}'; chmod g+rwx '${share}'; mkdir -p ${links}; ln -sfn '${share}' '${links}/${name}'`,
        ]);
      }
    }
    for (const path of resource['usr-local-linker']?.bin ?? []) {
      const name = path.split('/').at(-1) ?? '';
      await this.#nas.must(['ln', '-sfn', `${this.place('target')}/${path}`, `/usr/local/bin/${name}`]);
    }
    for (const { type, relpath } of resource['web-config']?.['nginx-static-config'].enable ?? []) {
      const place = '/usr/local/etc/nginx/conf.d';
      const link = `${place}/${type}.${this.#info.package}.conf`;
      await this.#nas.must(['sh', '-ec', `mkdir -p ${place}; ln -sfn ${this.place('target')}/${relpath} ${link}`]);
    }
  }

  /** What a package that goes away takes with it; a shared folder is never among it. */
  async #release(): Promise<void> {
    const name = this.#info.package;
    const words = `rm -f /usr/local/etc/nginx/conf.d/*.${name}.conf; find /usr/local/bin -lname '${this.place('target')}/*' -delete`;
    await this.#nas.must(['sh', '-c', words]);
  }
}
