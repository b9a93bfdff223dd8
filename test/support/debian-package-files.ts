/**
 * Finds the programs of the FTP servers under test: unpacked by test/support/install-servers.sh into `.cache/servers/`,
 * or installed on this machine.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export type ServerSoftware = 'vsftpd' | 'proftpd' | 'pure-ftpd';

export const SERVER_SOFTWARE: readonly ServerSoftware[] = ['vsftpd', 'proftpd', 'pure-ftpd'];

const unpackedFolder = join(import.meta.dirname, '../../.cache/servers');

/** The full path of a program of this server's packages, such as `vsftpd` or `pure-pw`; undefined where it is missing. */
export function findServerProgram(software: ServerSoftware, program: string): string | undefined {
  const unpacked = ['usr/sbin', 'usr/bin'].map((folder) => join(unpackedFolder, software, folder));
  const installed = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return [...unpacked, ...installed].map((folder) => join(folder, program)).find(isExecutable);
}

/** Where ProFTPD's loadable modules lie, beside the program that was found. */
export function proftpdModuleFolder(program: string): string {
  return join(program, '../../lib/proftpd');
}

/** The environment for these programs: finds the libraries that were unpacked with them. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const libraries = [join(unpackedFolder, 'lib'), process.env['LD_LIBRARY_PATH']].filter((path) => path !== undefined);
  return {
    PATH: process.env['PATH'],
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    LD_LIBRARY_PATH: libraries.join(delimiter),
  };
}

/** Why a test with this server cannot run on this machine, as the reason of a skip; undefined where it can. */
export function whyServerIsMissing(software: ServerSoftware): string | undefined {
  if (process.getuid?.() !== 0) return `${software} changes its user and its root folder: run the tests as root`;
  if (findServerProgram(software, software) !== undefined) return undefined;
  return `${software} is missing: run test/support/install-servers.sh (Debian or Ubuntu, after apt-get update)`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
