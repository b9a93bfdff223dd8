/** The files of the package alone: unpacked where no node_modules is near, and run by a Node.js of the NAS. */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openPackage } from '../../build/check/package-file.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { SecretBox } from '../../src/state/secret-box.ts';
import { TaskStore } from '../../src/state/task-store.ts';
import { makeSampleSite } from '../support/sample-site.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedTree } from '../support/scripted-ftp-tree.ts';
import { Visitor } from '../support/web-app.ts';

const BIG_FILE_BYTES = 3 * 1024 * 1024;
const OWNER = { name: 'owner', password: 'correct horse battery' };
/** An emulated processor takes ten times as long. */
const START_MS_MAX = 120_000;
const RUN_MS_MAX = 180_000;
const POLL_MS = 200;

/** A folder of this test alone; `remove` takes it away. */
export interface UnpackedPackage {
  /** What is `/var/packages/SiteBackup/target` on a NAS. */
  readonly target: string;
  readonly folder: string;
  remove(): void;
}

/** Unpacks a .spk file as Package Center does, with the modes of its members. */
export function unpackPackage(spkFile: string): UnpackedPackage {
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-package-'));
  const target = join(folder, 'target');
  for (const { path, mode, bytes } of openPackage(readFileSync(spkFile)).target.values()) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), bytes, { mode });
  }
  return {
    target,
    folder,
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a program printed, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs `app/<name>.js` of the package to its end; `runtime` is the command that stands for `node`. */
export async function runProgram(
  unpacked: UnpackedPackage,
  runtime: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { child, output } = start(unpacked, runtime, args, env);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output: output() };
}

/**
 * Starts the service of the package on a fresh state folder, looks at its sign-in, makes the first account, backs up a
 * server of ours twice, and stops it. Throws where any of it is not as it has to be.
 */
export async function playService(unpacked: UnpackedPackage, runtime: readonly string[]): Promise<void> {
  const stateDir = join(unpacked.folder, 'state');
  const copy = join(unpacked.folder, 'copy');
  const server = await startScriptedServer({});
  makeSampleSite(server.tree, { bigFileBytes: BIG_FILE_BYTES });
  const task = addTask(stateDir, server, copy);
  const readyFile = join(unpacked.folder, 'ready');
  const args = ['app/main.js', '--state', stateDir, '--listen', '127.0.0.1', '--port', '0', '--ready-file', readyFile];
  const { child, output } = start(unpacked, runtime, args, {});
  try {
    const { port, code } = await untilReady(child, readyFile, output);
    const owner = new Visitor(port);
    await signInFirst(owner, code);
    const path = `/tasks/${task}`;
    await runOnce(owner, path, 1, output);
    assert.deepEqual(differences(server.tree, join(copy, 'current')), []);
    assert.notEqual(filesSent(server), 0);
    server.bytesSent.clear();
    await runOnce(owner, path, 2, output);
    assert.equal(filesSent(server), 0, 'the second run transferred what had not changed');
    child.kill('SIGTERM');
    const [exitCode] = (await once(child, 'close')) as [number | null];
    assert.equal(exitCode, 0, output());
  } finally {
    child.kill('SIGKILL');
    await server.stop();
  }
}

function start(
  { target }: UnpackedPackage,
  [program = 'node', ...before]: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { child: ChildProcess; output: () => string } {
  // Nothing of this machine's environment: a NODE_PATH or NODE_OPTIONS would help where the NAS has none.
  const child = spawn(program, [...before, ...args], { cwd: target, env: { LANG: 'C', ...env }, stdio: 'pipe' });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (said += part));
  }
  return { child, output: () => said };
}

function addTask(stateDir: string, server: ScriptedServer, folder: string): number {
  const { host, port } = server.address;
  const source = { protocol: 'ftp', host, port, user: SCRIPTED_USER, password: SCRIPTED_PASSWORD, folder: '/' };
  // Transfers are counted: none but those that the backup itself needs.
  const verification = { sampleBytes: 0 };
  const parsed = parseTaskSettings(
    { name: 'Atelier', source, target: { folder }, connections: 2, verification },
    NO_SECRETS,
  );
  assert.ok('settings' in parsed, JSON.stringify(parsed));
  const db = openAppDatabase(stateDir);
  try {
    const schedule = { rule: { kind: 'manual' as const }, allowedHours: undefined };
    return new TaskStore(db, SecretBox.open(stateDir)).add(parsed.settings, schedule, Date.now());
  } finally {
    db.close();
  }
}

async function untilReady(
  child: ChildProcess,
  readyFile: string,
  output: () => string,
): Promise<{ port: number; code: string }> {
  const stopAt = performance.now() + START_MS_MAX;
  while (!existsSync(readyFile) || !readFileSync(readyFile, 'utf8').endsWith('\n')) {
    assert.equal(child.exitCode, null, `it ended at its start: ${output()}`);
    assert.ok(performance.now() < stopAt, `it does not answer: ${output()}`);
    await wait(POLL_MS);
  }
  const ready = readFileSync(readyFile, 'utf8');
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(ready)?.[1] ?? '';
  assert.equal(value('state'), 'open', output());
  return { port: Number(value('port')), code: value('setup-code') };
}

async function signInFirst(owner: Visitor, code: string): Promise<void> {
  const door = await owner.ask('/tasks');
  assert.equal(door.status, 303);
  const page = await owner.ask('/setup');
  assert.equal(page.status, 200);
  // Words, style and script: the views, the texts and the public files were all found.
  assert.match(page.text, /<h1>First set-up<\/h1>/);
  const asset = /href="([^"]+ui\.css)"/.exec(page.text)?.[1] ?? '';
  assert.equal((await owner.ask(asset)).status, 200);
  const made = await owner.send('/setup', { code, ...OWNER, again: OWNER.password, language: 'en' });
  assert.equal(made.status, 303, made.text);
  const list = await owner.ask('/tasks');
  assert.equal(list.status, 200);
  assert.match(list.text, /Atelier/);
}

async function runOnce(owner: Visitor, path: string, count: number, output: () => string): Promise<void> {
  const started = await owner.send(`${path}/run`, {}, path);
  assert.equal(started.status, 303, started.text);
  const stopAt = performance.now() + RUN_MS_MAX;
  for (;;) {
    const lines = (await owner.ask(`${path}/runs.csv`)).text.trim().split('\n').slice(1);
    if (lines.length >= count && !lines.some((line) => line.includes(',Backing up,'))) {
      assert.match(lines[0] ?? '', /,Up to date,/, `${lines.join('\n')}\n${output()}`);
      return;
    }
    assert.ok(performance.now() < stopAt, `the run does not end: ${lines.join('\n')}\n${output()}`);
    await wait(POLL_MS);
  }
}

function filesSent(server: ScriptedServer): number {
  return [...server.bytesSent.keys()].filter((path) => server.tree.find(path)?.node.kind === 'file').length;
}

/** What is not below `current` as it is on the server. */
function differences(tree: ScriptedTree, current: string): readonly string[] {
  return [...tree.files()].flatMap((file) => {
    const name = Buffer.from(file.path, 'latin1');
    // A name in an older encoding lies here in UTF-8.
    const path = Buffer.concat([Buffer.from(current), isUtf8(name) ? name : Buffer.from(file.path)]);
    if (!existsSync(path)) return [`missing: ${file.path}`];
    return readFileSync(path).equals(file.read()) ? [] : [`other content: ${file.path}`];
  });
}
