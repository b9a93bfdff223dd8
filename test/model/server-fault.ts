import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ServerFault } from './history.ts';

const LISTING = ['MLSD', 'LIST'];
/** More lines than these are left out without a word. */
const CAP_LINES = 5;
const ANY = ['CWD', 'EPSV', 'MLSD', 'LIST', 'RETR', 'MLST', 'SIZE', 'MDTM'];

/**
 * Lets the server fail from the nth fitting command on: once, or for the rest of the run. True for what nobody could
 * notice in that one run: a listing that silently leaves out something.
 */
export function addServerFault(server: ScriptedServer, { fault, nth, isLasting }: ServerFault): boolean {
  const times = isLasting ? Infinity : 1;
  switch (fault) {
    case 'drop':
      // Lasting would be a server that is down: every third command says as much and comes further.
      server.addFault({ command: ANY, nth, times: isLasting ? 5 : 1 }, { drop: true });
      return false;
    case 'busy':
      server.addFault({ command: 'CONNECT', nth, times }, { reply: '421 Too many connections from this IP address.' });
      return false;
    case 'listing-refused':
      server.addFault({ command: LISTING, nth, times }, { reply: '550 Permission denied.' });
      return false;
    case 'folder-refused':
      server.addFault({ command: 'CWD', nth, times }, { reply: '550 Failed to change directory.' });
      return false;
    case 'listing-truncated':
      server.addFault(
        { command: LISTING, nth, times },
        { truncateListing: { lines: 1, reply: '226 Output truncated to 1 matches' } },
      );
      return false;
    case 'listing-cut':
      server.addFault({ command: LISTING, nth, times }, { resetAfterBytes: 20 });
      return false;
    case 'listing-empty':
      server.addFault({ command: LISTING, nth, times }, { emptyListing: true });
      return true;
    case 'listing-hides':
      server.addFault({ command: LISTING, nth, times }, { mapListing: (lines) => lines.slice(1) });
      return true;
    case 'listing-capped':
      server.addFault({ command: LISTING, nth, times }, { mapListing: (lines) => lines.slice(0, CAP_LINES) });
      return true;
    case 'file-short':
      server.addFault({ command: 'RETR', nth, times }, { sendBytes: 2 });
      return false;
    case 'file-long':
      server.addFault({ command: 'RETR', nth, times }, { extraBytes: 3 });
      return false;
    case 'file-reset':
      server.addFault({ command: 'RETR', nth, times }, { resetAfterBytes: 2 });
      return false;
    case 'file-refused':
      server.addFault({ command: 'RETR', nth, times }, { reply: '550 Permission denied.' });
      return false;
    case 'file-unconfirmed':
      server.addFault({ command: 'RETR', nth, times }, { finalReply: '426 Connection closed; transfer aborted.' });
      return false;
  }
}
