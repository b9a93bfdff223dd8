/** Connections that are refused, lost, misdirected, or not what was agreed. */
import type { ScriptedServer } from '../../support/scripted-ftp-server.ts';
import type { Expected, Night, ScriptedScenario } from './scenario.ts';
import { EVERY_EDIT, HIDDEN, editSite, leaveSite } from './site.ts';

const COMPLETE: Expected = { outcome: 'complete' };

function trouble(make: (server: ScriptedServer) => void, expect: Expected): Night {
  return {
    trouble: (server) => {
      make(server);
      return undefined;
    },
    expect,
  };
}

/** Whatever the server is like, a day's work comes whole. */
function nature(
  name: string,
  about: string,
  server: ScriptedScenario['server'],
  more: Partial<ScriptedScenario> = {},
): ScriptedScenario {
  return { name, about, ...(server === undefined ? {} : { server }), nights: [{ expect: COMPLETE }], ...more };
}

/** From now on nobody gets in, and those who are in are thrown out. */
function goAway(server: ScriptedServer): void {
  server.addFault({ command: 'CONNECT' }, { drop: true });
  server.dropConnections();
}

const limits: readonly ScriptedScenario[] = [
  nature(
    'one-connection-421',
    'One connection at a time, 421 for one more',
    { maxConnections: 1 },
    {
      peerOptions: { rclone: ['--ftp-concurrency', '1', '--transfers', '1', '--checkers', '1'] },
    },
  ),
  nature(
    'two-connections-530',
    'Two connections at a time, 530 after the password for one more',
    {
      maxConnections: 2,
      maxConnectionsAt: 'login',
      maxConnectionsReply: '530 Sorry, the maximum number of clients (2) for this user are already connected.',
    },
    {
      peerOptions: { rclone: ['--ftp-concurrency', '2', '--transfers', '1', '--checkers', '1'] },
    },
  ),
  {
    name: 'busy-all-night',
    about: 'No connection is free all night',
    nights: [
      trouble(
        (server) => {
          server.options.maxConnections = 0;
        },
        { outcome: 'failed', cause: 'server-busy', behind: EVERY_EDIT },
      ),
    ],
  },
  {
    name: 'password-changed',
    about: 'The password was changed',
    nights: [
      trouble(
        (server) => {
          server.options.users = { site: 'another' };
        },
        { outcome: 'failed', cause: 'login-rejected', behind: EVERY_EDIT },
      ),
    ],
  },
  {
    name: 'password-changed-mid-run',
    about: 'The password is changed, and all are thrown out, at the first file',
    nights: [
      trouble(
        (server) => {
          const run = (): void => {
            server.options.users = { site: 'another' };
            server.dropConnections();
          };
          server.addFault({ command: 'RETR', nth: 1 }, { run });
        },
        { outcome: 'failed', cause: 'login-rejected', behind: EVERY_EDIT },
      ),
    ],
  },
];

const losses: readonly ScriptedScenario[] = [
  {
    name: 'lost-while-scanning',
    about: 'A connection is lost at a listing',
    nights: [
      trouble((server) => {
        server.addFault({ command: ['MLSD', 'LIST'], path: '/photos', nth: 1 }, { drop: true });
      }, COMPLETE),
    ],
  },
  {
    name: '421-while-scanning',
    about: 'A connection ends with 421 at a listing',
    nights: [
      trouble((server) => {
        server.addFault({ command: ['MLSD', 'LIST'], path: '/photos', nth: 1 }, { reply: '421 Timeout.' });
      }, COMPLETE),
    ],
  },
  {
    name: 'restart-while-transferring',
    about: 'The server is started again at the first file',
    nights: [
      trouble((server) => {
        const run = (): void => {
          server.dropConnections();
        };
        server.addFault({ command: 'RETR', nth: 1 }, { run });
      }, COMPLETE),
    ],
  },
  {
    name: 'gone-while-scanning',
    about: 'The server goes away in the middle of the scan, and is back the next night',
    run: { attempts: 2 },
    nights: [
      trouble(
        (server) => {
          const run = (): void => {
            goAway(server);
          };
          server.addFault({ command: ['MLSD', 'LIST'], path: '/photos', nth: 1 }, { run });
        },
        { outcome: 'failed', cause: 'connection-lost', behind: EVERY_EDIT },
      ),
      { change: leaveSite, expect: COMPLETE },
    ],
  },
  {
    name: 'gone-while-transferring',
    about: 'The server goes away at the first file, and is back the next night',
    run: { attempts: 2 },
    nights: [
      trouble(
        (server) => {
          const run = (): void => {
            goAway(server);
          };
          server.addFault({ command: 'RETR', nth: 1 }, { run });
        },
        { outcome: 'failed', cause: 'connection-lost', behind: EVERY_EDIT },
      ),
      { change: leaveSite, expect: COMPLETE },
    ],
  },
  {
    name: 'listing-never-answered',
    about: 'The listing of one folder is never answered',
    run: { source: { idleSeconds: 0.4 }, attempts: 2 },
    nights: [
      trouble(
        (server) => {
          server.addFault({ command: ['MLSD', 'LIST'], path: '/photos' }, { hang: true });
        },
        { outcome: 'incomplete', failures: ['timed-out /photos'], behind: HIDDEN },
      ),
    ],
  },
];

const roads: readonly ScriptedScenario[] = [
  nature('epsv-unknown', 'A server without EPSV', { hasEpsv: false }),
  {
    name: 'epsv-port-closed',
    about: 'The ports of EPSV are closed by a firewall, those of PASV are not',
    nights: [
      trouble((server) => {
        server.addFault({ command: 'EPSV' }, { reply: '229 Entering Extended Passive Mode (|||1|)' });
      }, COMPLETE),
    ],
    peerOptions: { rclone: ['--ftp-disable-epsv'] },
  },
  nature(
    'pasv-private-address',
    'A server behind NAT that tells its private address',
    { hasEpsv: false, pasvHost: '10.255.255.1' },
    { peerOptions: { lftp: ['set ftp:ignore-pasv-address yes'] } },
  ),
  nature(
    'no-feat',
    'A server without FEAT',
    { hasFeat: false },
    { peerOptions: { rclone: ['--ftp-force-list-hidden'] } },
  ),
  nature('no-size-no-mdtm', 'A server that tells size and time only in LIST', {
    hasMlsd: false,
    hasMlst: false,
    hasSize: false,
    hasMdtm: false,
  }),
  nature('feat-claims-too-much', 'FEAT claims MLSD, which is not there', {
    hasMlsd: false,
    hasMlst: false,
    features: ['MLST type*;size*;modify*;', 'MLSD', 'MDTM', 'SIZE', 'REST STREAM', 'UTF8'],
  }),
  {
    name: 'data-connection-refused-once',
    about: 'A data connection is refused once with 425',
    nights: [
      {
        change: editSite,
        trouble: (server) => {
          server.addFault({ command: 'RETR', nth: 1 }, { reply: '425 No data connection.' });
          server.addFault({ command: ['MLSD', 'LIST'], path: '/photos', nth: 1 }, { reply: '425 No data connection.' });
          return undefined;
        },
        expect: COMPLETE,
      },
    ],
  },
];

export const SESSION_SCENARIOS: readonly ScriptedScenario[] = [...limits, ...losses, ...roads];
