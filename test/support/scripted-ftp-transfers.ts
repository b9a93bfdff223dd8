import type { Socket } from 'node:net';
import type { ScriptedConnection } from './scripted-ftp-connection.ts';
import { chunksFrom, contentSource } from './scripted-ftp-content.ts';
import { sendBody, startTls, type PassivePort } from './scripted-ftp-data.ts';
import type { FaultAction } from './scripted-ftp-faults.ts';
import { isPattern, saysCut } from './scripted-ftp-limits.ts';
import {
  listLines,
  matchLines,
  mlsdLines,
  nameLines,
  splitListArgument,
  type ListFlags,
} from './scripted-ftp-listing.ts';
import { normalPath, type Found, type TreeFolder } from './scripted-ftp-tree.ts';

interface Transfer {
  readonly path: string;
  readonly opening: string;
  readonly closing: string;
  readonly body: Iterable<Buffer>;
}

const READABLE = 0o400;

/** LIST and NLST. */
export async function sendListing(
  connection: ScriptedConnection,
  command: 'LIST' | 'NLST',
  argument: string,
  fault: FaultAction,
): Promise<void> {
  const { options, host } = connection;
  const { flags, path: relative } = splitListArgument(argument, options.listOptions);
  const here = host.tree.find(connection.folder)?.node;
  if (options.listingLimit !== undefined && isPattern(relative) && here?.kind === 'folder') {
    await sendLines(connection, connection.folder, matchLines(here, relative, flags, options), fault);
    return;
  }
  const path = normalPath(connection.folder, relative);
  const found = host.tree.find(path);
  const isReadable = found !== undefined && (found.node.kind !== 'folder' || (found.node.mode & READABLE) !== 0);
  if (!isReadable && options.missingListing === 'refused') {
    await refuse(connection, `450 ${relative}: No such file or directory`);
    return;
  }
  const listed = isReadable ? listedLines(connection, command, found, relative, flags) : [];
  await sendLines(connection, path, listed, fault);
}

function listedLines(
  connection: ScriptedConnection,
  command: 'LIST' | 'NLST',
  found: Found,
  name: string,
  flags: ListFlags,
): string[] {
  const { options } = connection;
  if (command === 'NLST') return nameLines(found.node, name, flags, options);
  const shownName = found.node.kind === 'folder' ? '' : name;
  return listLines(found.node, shownName, parentOf(connection, found.realPath), flags, options);
}

/** MLSD of a folder. */
export async function sendMlsd(connection: ScriptedConnection, argument: string, fault: FaultAction): Promise<void> {
  const path = normalPath(connection.folder, argument);
  const found = connection.host.tree.find(path);
  if (found?.node.kind !== 'folder') {
    await refuse(connection, '550 No such directory.');
    return;
  }
  if ((found.node.mode & READABLE) === 0) {
    await refuse(connection, '550 Permission denied.');
    return;
  }
  const parent = parentOf(connection, found.realPath);
  const lines = mlsdLines(found.node, parent, connection.facts, connection.options);
  await sendLines(connection, path, lines, fault);
}

/** RETR of a file. */
export async function sendFile(connection: ScriptedConnection, argument: string, fault: FaultAction): Promise<void> {
  const path = normalPath(connection.folder, argument);
  const restartAt = fault.ignoreRest === true ? 0 : connection.restartAt;
  connection.restartAt = 0;
  const node = connection.host.tree.find(path)?.node;
  if (node?.kind !== 'file' || (node.mode & READABLE) === 0) {
    await refuse(connection, '550 Failed to open file.');
    return;
  }
  const content = fault.content === undefined ? node.content : contentSource(fault.content);
  if (restartAt > content.sizeBytes) {
    await refuse(connection, `554 Restart position ${restartAt} is beyond the end of the file.`);
    return;
  }
  const isBinary = connection.transferType === 'I';
  const name = path.slice(path.lastIndexOf('/') + 1);
  const mode = isBinary ? 'BINARY' : 'ASCII';
  await transfer(
    connection,
    {
      path,
      opening: `150 Opening ${mode} mode data connection for ${name} (${content.sizeBytes} bytes).`,
      closing: '226 Transfer complete.',
      body: isBinary ? chunksFrom(content, restartAt) : asciiLines(chunksFrom(content, restartAt)),
    },
    fault,
  );
}

async function sendLines(
  connection: ScriptedConnection,
  path: string,
  listed: readonly string[],
  fault: FaultAction,
): Promise<void> {
  let lines = fault.emptyListing === true ? [] : (fault.mapListing?.(listed) ?? listed);
  let closing = connection.options.matchesText
    ? `226-Options: -a -l \n226 ${lines.length} matches total`
    : '226 Directory send OK.';
  const limit = connection.options.listingLimit;
  if (limit?.as === 'pure-ftpd' && lines.length >= limit.lines) closing = saysCut(limit);
  if (fault.truncateListing !== undefined) {
    lines = lines.slice(0, fault.truncateListing.lines);
    closing = fault.truncateListing.reply ?? closing;
  }
  const body =
    fault.rawListing === undefined ? lineBuffers(lines) : [Buffer.from(fault.rawListing as string, 'latin1')];
  await transfer(connection, { path, opening: '150 Here comes the directory listing.', closing, body }, fault);
}

/** Lines as bytes, many lines in one chunk: a write for each line would make large listings slow. */
function* lineBuffers(lines: readonly string[]): Generator<Buffer> {
  const linesPerChunk = 500;
  for (let at = 0; at < lines.length; at += linesPerChunk) {
    yield Buffer.from(`${lines.slice(at, at + linesPerChunk).join('\r\n')}\r\n`, 'latin1');
  }
}

/** What TYPE A does to a file: each line end becomes CRLF. */
function* asciiLines(chunks: Iterable<Buffer>): Generator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
}

/** One transfer in the order of real servers: data connection, 150, bytes, end of data, closing reply. */
async function transfer(connection: ScriptedConnection, what: Transfer, fault: FaultAction): Promise<void> {
  const { passive, options } = connection;
  connection.passive = undefined;
  if (passive === undefined) {
    await connection.reply('425 Use PORT or PASV first.');
    return;
  }
  if (options.tlsRequired && !connection.protectsData) {
    passive.disarm();
    await connection.reply('522 Data connections must be encrypted.');
    return;
  }
  if (connection.signal.aborted) {
    passive.disarm();
    return;
  }
  const stopping = new AbortController();
  connection.abortTransfer = () => {
    stopping.abort();
  };
  try {
    await transferOver(connection, passive, what, fault, stopping.signal);
  } finally {
    connection.abortTransfer = undefined;
  }
}

async function transferOver(
  connection: ScriptedConnection,
  passive: PassivePort,
  what: Transfer,
  fault: FaultAction,
  signal: AbortSignal,
): Promise<void> {
  const raw = await passive.accept(signal);
  if (raw === undefined) {
    await connection.reply('425 Failed to establish connection.');
    return;
  }
  signal.addEventListener('abort', () => raw.destroy(), { once: true });
  if (signal.aborted) raw.destroy();
  await connection.reply(what.opening);
  const socket = connection.protectsData ? await protectData(connection, raw) : raw;
  if (socket === undefined) return;
  const outcome = await sendBody(what.body, {
    raw,
    socket,
    fault,
    signal,
    onBytes: (count) => {
      connection.host.recordBytes(what.path, count);
    },
  });
  if (fault.dropAfterData === true) {
    connection.drop();
    return;
  }
  if (fault.finalReply === 'none') return;
  const closing = outcome === 'sent' ? what.closing : '426 Connection closed; transfer aborted.';
  await connection.reply(fault.finalReply ?? closing);
}

async function protectData(connection: ScriptedConnection, raw: Socket): Promise<Socket | undefined> {
  const { secureContext, options } = connection.host;
  const socket = secureContext === undefined ? undefined : await startTls(raw, secureContext);
  if (socket === undefined) {
    await connection.reply('522 SSL connection failed.');
    return undefined;
  }
  if (options.requireTlsSessionReuse && !socket.isSessionReused()) {
    socket.destroy();
    await connection.reply('522 SSL connection failed; session reuse required.');
    return undefined;
  }
  return socket;
}

async function refuse(connection: ScriptedConnection, reply: string): Promise<void> {
  connection.passive?.disarm();
  connection.passive = undefined;
  await connection.reply(reply);
}

function parentOf(connection: ScriptedConnection, realPath: string): TreeFolder {
  const found = connection.host.tree.find(normalPath(realPath, '..'))?.node;
  return found?.kind === 'folder' ? found : connection.host.tree.root;
}
