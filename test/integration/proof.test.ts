/** Proof with a real server that hashes (ProFTPD with mod_digest), and by the command on the NAS alone. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import type { RunReport } from '../../src/engine/run-report.ts';
import { taskDatabasePath } from '../../src/state/task-database.ts';
import { compileCli } from '../support/compiled-cli.ts';
import type { CompiledCli } from '../support/compiled-cli.ts';
import { whyServerIsMissing } from '../support/debian-package-files.ts';
import { startRealServer } from '../support/real-ftp-servers.ts';
import type { RealServer } from '../support/real-ftp-servers.ts';
import { writeTree } from '../support/tree-compare.ts';

const SITE = { 'index.php': 'good code', 'a b/é [x].html': 'a page', 'media/photo.jpg': 'x'.repeat(100_000) };

describe('Proof with a real ProFTPD that hashes', { skip: whyServerIsMissing('proftpd') ?? false }, () => {
  let cli: CompiledCli;
  let room: string;
  let root: string;
  let server: RealServer;

  before(async () => {
    cli = compileCli();
    room = mkdtempSync(join(tmpdir(), 'site-backup-proof-'));
    root = mkdtempSync(join(tmpdir(), 'site-backup-root-'));
    writeTree(root, SITE);
    server = await startRealServer({ software: 'proftpd', tls: 'explicit', root, hasHashes: true });
    const { host, port, user, password, fingerprint } = server;
    const source = { protocol: 'ftps', host, port, user, password, folder: '/', tls: { fingerprint } };
    // Larger than any file only by hashes.
    const verification = { sampleBytes: 50_000, sampleSeconds: 60, rehashDays: 30 };
    mkdirSync(join(room, 'state'));
    const task = { name: 'proof', source, target: { folder: join(room, 'target') }, verification };
    writeFileSync(join(room, 'task.json'), JSON.stringify(task), { mode: 0o600 });
  });
  after(async () => {
    await server.stop();
    cli.remove();
    rmSync(room, { recursive: true, force: true });
    rmSync(root, { recursive: true, force: true });
  });

  function command(name: 'run' | 'verify', ...more: string[]): { status: number | null; printed: unknown } {
    const args = [cli.cliFile, name, join(room, 'task.json'), '--state', join(room, 'state'), '--json', ...more];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.notEqual(stdout, '', stderr);
    return { status, printed: JSON.parse(stdout) };
  }

  function run(): RunReport {
    return command('run').printed as RunReport;
  }

  it('verifies the whole site without a download, the largest file too', () => {
    assert.equal(run().outcome, 'complete');
    const report = run();
    assert.equal(report.outcome, 'complete');
    assert.equal(report.bytes, 0, 'nothing was downloaded');
    assert.equal(report.certificate?.bytes, 100_015);
    assert.equal(report.certificate.verifiedBytes, 100_015);
    assert.equal(report.certificate.grade, 'A');
  });

  it('finds an edit that hides its time, and brings it', () => {
    const path = join(root, 'index.php');
    const { atime, mtime } = statSync(path);
    writeFileSync(path, 'evil code');
    utimesSync(path, atime, mtime);
    const db = new Database(taskDatabasePath(join(room, 'state'), 'proof'));
    db.prepare('UPDATE file SET verified_ms = verified_ms - 86400000 * 11').run();
    db.close();
    const report = run();
    assert.deepEqual(
      report.failures.map(({ code, path: failed }) => `${code} ${failed}`),
      ['content-differs /index.php'],
    );
    assert.equal(run().outcome, 'complete');
    assert.equal(readFileSync(join(room, 'target/current/index.php'), 'utf8'), 'evil code');
  });

  it('site-backup verify names what has rotted here, with its exit code, and the next run brings it again', () => {
    assert.equal(command('verify', '--all').status, 0);
    const photo = join(room, 'target/current/media/photo.jpg');
    const { atime, mtime } = statSync(photo);
    writeFileSync(photo, 'y'.repeat(100_000));
    utimesSync(photo, atime, mtime);
    assert.equal(command('verify').status, 0, 'read a moment ago, and not due');
    const found = command('verify', '--all');
    assert.equal(found.status, 1);
    const { faulty } = found.printed as { faulty: { place: string; code: string }[] };
    assert.deepEqual(
      faulty.map(({ place, code }) => `${code} ${place}`),
      ['copy-damaged current/media/photo.jpg'],
    );
    assert.equal(run().outcome, 'complete');
    assert.equal(readFileSync(photo, 'utf8'), 'x'.repeat(100_000));
    assert.equal(command('verify', '--all').status, 0);
  });
});
