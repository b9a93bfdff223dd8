/** What goes wrong around the service on a NAS, and the sentence in Package Center's dialog for each. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { until } from '../support/browser-fixture.ts';
import { nodeProgram, startFakeNas, whyNasIsMissing } from './fake-nas.ts';
import type { FakeNas } from './fake-nas.ts';
import { PackageCenter } from './package-center.ts';
import { spkForTests } from './spk-for-tests.ts';

const NODE = '/var/packages/Node.js_v22/target/usr/local/bin/node';
/** Long: a machine that is busy with other tests takes its time. */
const MOMENT_MS = 60_000;

const skip = whyNasIsMissing() ?? false;

describe('the service of the package', { skip }, () => {
  let nas: FakeNas;
  let center: PackageCenter;
  let spk = '';

  before(async () => {
    spk = await spkForTests('0.1.0-0001');
  });
  // A new NAS takes a moment only, and what one test breaks is no other's.
  beforeEach(async () => {
    nas = await startFakeNas();
    center = new PackageCenter(nas);
    assert.equal((await center.install(spk)).isDone, true);
  });
  afterEach(() => nas.stop());

  const inVar = (name: string): string => nas.file(`${center.place('var')}/${name}`);
  const pidFile = (): string => readFileSync(inVar('site-backup.pid'), 'latin1');
  const servicePid = (): string => pidFile().split(' ')[0] ?? '';
  const isAlive = async (pid: string): Promise<boolean> => (await nas.run(['kill', '-0', pid])).code === 0;
  /** The answer of the service at its port, as another program of the NAS gets it. */
  const askedInside = async (): Promise<string> => {
    const script = `fetch('http://127.0.0.1:8377/sitebackup/').then(r => process.stdout.write(String(r.status)))`;
    return (await nas.run([NODE, '-e', script])).stdout;
  };

  it('is found dead after kill -9, with a pid file, and is started again over it', async () => {
    assert.equal((await center.start()).isDone, true);
    const pid = servicePid();
    await nas.must(['kill', '-KILL', pid]);
    await until(async () => !(await isAlive(pid)), MOMENT_MS, 'the end of the service');
    assert.equal(await center.status(), 1);
    assert.equal((await center.start()).isDone, true);
    assert.equal(await center.status(), 0);
    assert.notEqual(servicePid(), pid);
  });

  it('is stopped without complaint when it is dead, or has never run', async () => {
    assert.deepEqual((await center.stop()).steps, ['prestop 0', 'stop 0']);
    assert.equal((await center.start()).isDone, true);
    const pid = servicePid();
    await nas.must(['kill', '-KILL', pid]);
    await until(async () => !(await isAlive(pid)), MOMENT_MS, 'the end of the service');
    assert.equal((await center.stop()).isDone, true);
    assert.equal(await center.status(), 3);
    assert.equal(existsSync(inVar('site-backup.pid')), false);
  });

  it('is not taken for another process that has got its number, and that process is left alone', async () => {
    const [user, path] = [center.user, '/tmp/other.pid'];
    await nas.must(['sh', '-c', 'sleep 300 >/dev/null 2>&1 & echo $! >' + path], { user });
    const other = readFileSync(nas.file(path), 'latin1').trim();
    // As after a crash or a power cut: the number, and a time at which that process was not started.
    writeFileSync(inVar('site-backup.pid'), `${other} 1\n`);
    assert.equal(await center.status(), 1);
    assert.equal((await center.stop()).isDone, true);
    assert.equal(await isAlive(other), true);
    writeFileSync(inVar('site-backup.pid'), `${other} 1\n`);
    assert.equal((await center.start()).isDone, true);
    assert.notEqual(servicePid(), other);
    assert.equal(await center.status(), 0);
    assert.equal(await isAlive(other), true);
  });

  it('is not taken for a process that got its number, at the same moment, after the NAS had lost its power', async () => {
    await nas.must(['sh', '-c', 'sleep 300 >/dev/null 2>&1 & echo $! >/tmp/other.pid'], { user: center.user });
    const other = readFileSync(nas.file('/tmp/other.pid'), 'latin1').trim();
    assert.equal((await center.start()).isDone, true);
    const [, began = ''] = pidFile().trim().split(' ');
    const [, boot = ''] = began.split('@');
    const ticks = (await nas.must(['cat', `/proc/${other}/stat`])).split(' ')[21] ?? '';
    assert.equal((await center.stop()).isDone, true);
    writeFileSync(inVar('site-backup.pid'), `${other} ${ticks}@${boot}\n`);
    assert.equal(await center.status(), 0, 'this is how the service is known');
    writeFileSync(
      inVar('site-backup.pid'),
      `${other} ${ticks}@${boot.replace(/^./, (first) => (first === '0' ? '1' : '0'))}\n`,
    );
    assert.equal(await center.status(), 1);
    assert.equal((await center.stop()).isDone, true);
    assert.equal(await isAlive(other), true);
  });

  it('is not misled by a pid file that is empty, cut off or nonsense', async () => {
    for (const content of ['', '\n', '12', 'x y', '../../1 1']) {
      writeFileSync(inVar('site-backup.pid'), content);
      assert.equal(await center.status(), 1, JSON.stringify(content));
    }
    assert.equal((await center.start()).isDone, true);
    assert.equal(await center.status(), 0);
  });

  it('is killed where it does not end by itself', async () => {
    assert.equal((await center.start()).isDone, true);
    const pid = servicePid();
    await nas.must(['kill', '-STOP', pid]);
    assert.equal((await center.stop()).isDone, true);
    assert.equal(await center.status(), 3);
    await until(async () => !(await isAlive(pid)), MOMENT_MS, 'its burial');
  });

  for (const language of ['enu', 'fre'] as const) {
    it(`says in ${language} that Node.js is missing, and takes no other node of the path`, async () => {
      center = new PackageCenter(nas, { language });
      await nas.must(['userdel', 'sitebackup']);
      assert.equal((await center.install(spk)).isDone, true);
      await nas.must(['umount', NODE]);
      const outcome = await center.start();
      assert.deepEqual(outcome.steps, ['prestart 1']);
      assert.match(
        outcome.dialog,
        language === 'fre' ? /besoin du paquet «\u00a0Node\.js v22\u00a0»/ : /needs the package "Node\.js v22"/,
      );
      assert.equal(await center.status(), 3);
    });
  }

  it('takes a later Node.js of DSM where 22 is missing, and none that the package has no SQLite for', async () => {
    await nas.must(['mkdir', '-p', '/var/packages/Node.js_v24/target/usr/local/bin']);
    copyFileSync(await nodeProgram('x64-24.18.1'), nas.file(NODE.replace('v22', 'v24')));
    // In the place of 22 one whose interface for native code nobody compiled for.
    const other = `#!/bin/sh\ncase "$*" in *modules*) echo x64-abi99 ;; *) exit 1 ;; esac\n`;
    writeFileSync(nas.file('/tmp/other-node'), other, { mode: 0o755 });
    await nas.must(['umount', NODE]);
    await nas.must(['cp', '/tmp/other-node', NODE]);
    assert.equal((await center.start()).isDone, true);
    assert.match(await nas.must(['cat', `/proc/${servicePid()}/cmdline`]), /^\/var\/packages\/Node\.js_v24\//);
  });

  it('says that its port is used by another program', async () => {
    const script = `require('node:net').createServer().listen(8377, () => process.stdout.write('ready'))`;
    const blocker = nas.run([NODE, '-e', script], { timeoutMs: MOMENT_MS * 5 });
    await until(
      async () => (await nas.run(['grep', '-qi', ':20B9 ', '/proc/net/tcp6'])).code === 0,
      MOMENT_MS,
      'the other program',
    );
    const outcome = await center.start();
    assert.deepEqual(outcome.steps, ['prestart 0', 'start 1']);
    assert.match(outcome.dialog, /did not start\. Details: The port 8377 is in use by another program/);
    assert.equal(await center.status(), 3);
    await nas.must(['pkill', '-f', 'createServer']);
    await blocker;
    assert.equal((await center.start()).isDone, true);
  });

  it('says which folder it may not write to, and the command that gives it back', async () => {
    assert.equal((await center.start()).isDone, true);
    assert.equal((await center.stop()).isDone, true);
    await nas.must(['chown', '-R', 'root:root', `${center.place('var')}/data`]);
    const outcome = await center.start();
    assert.deepEqual(outcome.steps, ['prestart 1']);
    assert.match(outcome.dialog, /sudo chown -R sitebackup \/volume1\/@appdata\/SiteBackup\/data/);
  });

  it('says that the volume is full, and starts once there is space', async () => {
    const folder = center.place('var');
    await nas.must([
      'sh',
      '-ec',
      `mount -t tmpfs -o size=2m,mode=755 none ${folder}; chown sitebackup:sitebackup ${folder}`,
    ]);
    await nas.run(['dd', 'if=/dev/zero', `of=${folder}/filler`, 'bs=4k']);
    const outcome = await center.start();
    assert.deepEqual(outcome.steps, ['prestart 1']);
    assert.match(outcome.dialog, /The volume that holds \/volume1\/@appdata\/SiteBackup is full/);
    assert.equal(await center.status(), 3);
    await nas.must(['rm', `${folder}/filler`]);
    assert.equal((await center.start()).isDone, true);
  });

  it('answers no other program of the NAS, and nobody of the network, past the web server of DSM', async () => {
    assert.equal((await center.start()).isDone, true);
    assert.equal(await askedInside(), '403');
    await assert.rejects(fetch(`http://${nas.address}:8377/sitebackup/`));
  });

  it('leaves a trace of a crash, and what the program prints, in one file that does not hold secrets', async () => {
    assert.equal((await center.start()).isDone, true);
    assert.match(readFileSync(inVar('site-backup.out'), 'utf8'), /^Site Backup is open at /);
    const environment = await nas.must(['cat', `/proc/${servicePid()}/environ`]);
    assert.deepEqual(
      environment.split('\0').map((line) => line.split('=')[0]),
      ['PATH', 'HOME', 'LANG', ''],
    );
  });

  it('does not note a version as the user of databases that it could not open', async () => {
    assert.equal((await center.start()).isDone, true);
    assert.equal(readFileSync(inVar('used-by-version'), 'utf8'), '0.1.0-0001\n');
    assert.equal((await center.stop()).isDone, true);
    writeFileSync(inVar('data/site-backup.sqlite'), 'no database');
    writeFileSync(inVar('used-by-version'), '0.0.9-0001\n');
    await center.start();
    assert.equal(readFileSync(inVar('used-by-version'), 'utf8'), '0.0.9-0001\n');
  });

  it('notes the version that uses the databases where its start took longer than Package Center waits', async () => {
    assert.equal((await center.start()).isDone, true);
    // So it is when nobody waited for the answer, or when the page of the repair has opened the databases meanwhile.
    rmSync(inVar('used-by-version'));
    assert.equal((await center.stop()).isDone, true);
    assert.equal(readFileSync(inVar('used-by-version'), 'utf8'), '0.1.0-0001\n');
  });

  it('is upgraded and started where the entry of the menu cannot be written, and leaves it whole', async () => {
    assert.equal((await center.uninstall({ wizard_delete_data: 'true' })).isDone, true);
    const password = { wizard_access_dsm: 'false', wizard_access_password: 'true' };
    assert.equal((await center.install(spk, password)).isDone, true);
    const config = `${center.place('target')}/ui/config`;
    const before = readFileSync(nas.file(config), 'utf8').replace('8377', '1');
    writeFileSync(nas.file(config), before);
    await nas.must(['chown', '-R', 'root:root', `${center.place('target')}/ui`]);
    const environment = {
      PATH: '/usr/bin:/bin',
      SYNOPKG_PKGDEST: center.place('target'),
      SYNOPKG_PKGVAR: center.place('var'),
      SYNOPKG_PKG_STATUS: 'UPGRADE',
    };
    const script = '/var/packages/SiteBackup/scripts/postinst';
    assert.deepEqual(await nas.run([script], { user: center.user, environment }), { code: 0, stdout: '', stderr: '' });
    assert.equal((await center.start()).isDone, true);
    assert.equal(readFileSync(nas.file(config), 'utf8'), before);
  });

  it('is not started by root past Package Center, whose files it could not use later', async () => {
    const byHand = await nas.run(['/var/packages/SiteBackup/scripts/start-stop-status', 'start']);
    assert.equal(byHand.code, 1);
    assert.match(byHand.stderr, /sudo synopkg start SiteBackup/);
    assert.equal(await center.status(), 3);
    assert.equal(await nas.must(['find', center.place('var'), '-user', 'root']), '');
    assert.equal((await center.start()).isDone, true);
  });

  it('takes the names that DSM takes for a shared folder, in the wizards of both languages, and no other', async () => {
    for (const language of ['enu', 'fre'] as const) {
      const other = new PackageCenter(nas, { language });
      for (const share of ['../x', 'a/b', '.hidden', '-x', '', 'a"b', 'a{b', 'x'.repeat(33)]) {
        await assert.rejects(other.install(spk, { wizard_share: share }), /the wizard refuses/, share);
      }
    }
    for (const share of ['Sauvegardes été', 'web-backup_2', '2026', 'a.b']) {
      assert.equal((await center.uninstall({})).isDone, true);
      assert.equal((await center.install(spk, { wizard_share: share })).isDone, true);
      assert.equal((await center.start()).isDone, true);
      assert.ok(existsSync(nas.file(`/volume1/${share}`)));
    }
  });
});
