/** Debian's nginx as DSM's: server blocks for HTTP and HTTPS that include the location file of the package as it is shipped. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFolder } from './fake-dsm.ts';
import { makeSelfSignedCertificate } from './self-signed-certificate.ts';

const NGINX = '/usr/sbin/nginx';
const SHIPPED = join(import.meta.dirname, '../../spk/nginx/site-backup.conf');
const START_MS_MAX = 10_000;

/** Why the tests with nginx cannot run on this machine, as the reason of a skip; undefined where they can. */
export function whyNginxIsMissing(): string | undefined {
  return existsSync(NGINX) ? undefined : 'nginx is missing: apt-get install nginx-light (Debian)';
}

export interface DsmNginx {
  readonly port: number;
  readonly origin: string;
  readonly httpsOrigin: string;
  /** What nginx complained about so far. */
  complaints(): string;
  stop(): Promise<void>;
}

export interface DsmNginxOptions {
  /** In the place of 8377. */
  readonly servicePort: number;
  /** In the place of /var/packages/SiteBackup/var/data. */
  readonly stateDir: string;
  /** The pages of DSM itself. */
  readonly dsmPort: number;
}

/** The shipped file, with this test's port and folder in the place of those of a NAS. */
export function locationFor(options: Pick<DsmNginxOptions, 'servicePort' | 'stateDir'>): string {
  let text = readFileSync(SHIPPED, 'utf8');
  for (const [nas, here] of [
    ['http://127.0.0.1:8377;', `http://127.0.0.1:${options.servicePort};`],
    ['include /var/packages/SiteBackup/var/data/', `include ${options.stateDir}/`],
  ] as const) {
    assert.equal(text.split(nas).length, 2, `${nas} stands in the shipped file once`);
    text = text.replace(nas, here);
  }
  return text;
}

/** Has nginx check a configuration that holds `location`. Gives what it says; empty where all is well. */
export function nginxFaults(location: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-nginx-'));
  try {
    writeFileSync(join(folder, 'location.conf'), location);
    writeFileSync(join(folder, 'nginx.conf'), configuration(folder, 'listen 127.0.0.1:18377;', 9));
    const { status, stderr } = spawnSync(NGINX, ['-t', '-p', folder, '-c', 'nginx.conf'], { encoding: 'utf8' });
    return status === 0 && !/\[(warn|emerg|alert|error)\]/.test(stderr) ? '' : stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function startDsmNginx(options: DsmNginxOptions): Promise<DsmNginx> {
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-nginx-'));
  const certificate = await makeSelfSignedCertificate();
  const [port, httpsPort] = [await freePort(), await freePort()];
  const listen = `listen 127.0.0.1:${port}; listen 127.0.0.1:${httpsPort} ssl http2;
    ssl_certificate ${certificate.certFile}; ssl_certificate_key ${certificate.keyFile};`;
  writeFileSync(join(folder, 'location.conf'), locationFor(options));
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, listen, options.dsmPort));
  const errors = join(folder, 'error.log');
  const complaints = (): string => (existsSync(errors) ? readFileSync(errors, 'utf8') : '');
  const nginx = spawn(NGINX, ['-p', folder, '-c', 'nginx.conf', '-e', errors, '-g', 'daemon off;'], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => nginx.once('exit', resolve));
  const endMs = Date.now() + START_MS_MAX;
  while (!(await answers(port))) {
    assert.ok(nginx.exitCode === null && Date.now() < endMs, `nginx did not start: ${complaints()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    httpsOrigin: `https://127.0.0.1:${httpsPort}`,
    complaints,
    async stop() {
      nginx.kill('SIGTERM');
      await ended;
      await certificate.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As a NAS may have it set for everything else: compressed, buffered, and pages of its own beside ours. */
function configuration(folder: string, listen: string, dsmPort: number): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'].map(
    (name) => `${name}_temp_path ${openFolder(join(folder, name))};`,
  );
  return `
${process.getuid?.() === 0 ? 'user www-data;' : ''}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
events { worker_connections 256; }
http {
  ${temp.join('\n  ')}
  access_log off;
  gzip on; gzip_types *; gzip_proxied any;
  proxy_buffering on; proxy_read_timeout 5s;
  server {
    ${listen}
    include ${folder}/location.conf;
    location / { proxy_pass http://127.0.0.1:${dsmPort}; proxy_set_header X-Real-IP $remote_addr; }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
