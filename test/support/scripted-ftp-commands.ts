import { createHash } from 'node:crypto';
import type { ScriptedConnection } from './scripted-ftp-connection.ts';
import type { FaultAction } from './scripted-ftp-faults.ts';
import { listLines, mlstLine, mlstTime, splitListArgument } from './scripted-ftp-listing.ts';
import { sendFile, sendListing, sendMlsd } from './scripted-ftp-transfers.ts';
import { normalPath, utf8Name, type Found } from './scripted-ftp-tree.ts';

type Handler = (connection: ScriptedConnection, argument: string, fault: FaultAction) => Promise<void>;

const BEFORE_LOGIN = ['USER', 'PASS', 'ACCT', 'AUTH', 'PBSZ', 'PROT', 'FEAT', 'OPTS', 'SYST', 'NOOP', 'QUIT', 'ABOR'];
const WITH_LIST_ARGUMENT = ['LIST', 'NLST', 'STAT'];
const WITH_PATH = [...WITH_LIST_ARGUMENT, 'CWD', 'MLSD', 'MLST', 'SIZE', 'MDTM', 'RETR', 'HASH', 'XSHA256', 'XMD5'];
const WRITING = ['STOR', 'STOU', 'APPE', 'DELE', 'MKD', 'RMD', 'RNFR', 'RNTO', 'MFMT', 'SITE', 'XMKD', 'XRMD'];

/** The absolute path that a command is about, or undefined. */
export function pathOf(connection: ScriptedConnection, command: string, argument: string): string | undefined {
  if (command === 'CDUP') return normalPath(connection.folder, '..');
  if (!WITH_PATH.includes(command)) return undefined;
  const isList = WITH_LIST_ARGUMENT.includes(command);
  const text = isList ? splitListArgument(argument, connection.options.listOptions).path : argument;
  return normalPath(connection.folder, text);
}

/** Does one command as a server would, with what a fault changes of it. */
export async function runCommand(
  connection: ScriptedConnection,
  command: string,
  argument: string,
  fault: FaultAction,
): Promise<void> {
  if (!connection.isLoggedIn && !BEFORE_LOGIN.includes(command)) {
    await connection.reply('530 Please login with USER and PASS.');
    return;
  }
  // The source is read, never written: a client that tries is refused, and the log has it.
  if (WRITING.includes(command)) {
    await connection.reply('550 Permission denied.');
    return;
  }
  const handler = HANDLERS[command];
  if (handler === undefined || !isOffered(connection, command)) await connection.reply('500 Unknown command.');
  else await handler(connection, argument, fault);
}

function isOffered(connection: ScriptedConnection, command: string): boolean {
  const { options } = connection;
  const offered: Record<string, boolean> = {
    MLSD: options.hasMlsd,
    MLST: options.hasMlst,
    MDTM: options.hasMdtm,
    SIZE: options.hasSize,
    EPSV: options.hasEpsv,
    PASV: options.hasPasv,
    REST: options.hasRest,
    FEAT: options.hasFeat,
    AUTH: options.tls === 'explicit',
    PBSZ: options.tls !== 'none',
    PROT: options.tls !== 'none',
    HASH: options.hashes.includes('HASH'),
    XSHA256: options.hashes.includes('XSHA256'),
    XMD5: options.hashes.includes('XMD5'),
  };
  return offered[command] ?? true;
}

const HANDLERS: Readonly<Record<string, Handler | undefined>> = {
  USER: logInUser,
  PASS: logInPassword,
  ACCT: (connection) => connection.reply('202 No account needed.'),
  AUTH: startTls,
  PBSZ: (connection) => connection.reply(connection.isEncrypted ? '200 PBSZ set to 0.' : '503 Use AUTH first.'),
  PROT: protect,
  FEAT: tellFeatures,
  OPTS: setOption,
  SYST: (connection) => connection.reply('215 UNIX Type: L8'),
  NOOP: (connection) => connection.reply('200 NOOP ok.'),
  TYPE: setType,
  MODE: (connection, mode) => connection.reply(mode.toUpperCase() === 'S' ? '200 Mode set to S.' : '504 Bad MODE.'),
  STRU: (connection, kind) =>
    connection.reply(kind.toUpperCase() === 'F' ? '200 Structure set to F.' : '504 Bad STRU.'),
  PWD: tellFolder,
  XPWD: tellFolder,
  CWD: changeFolder,
  CDUP: (connection) => changeFolder(connection, '..'),
  EPSV: openExtendedPassive,
  PASV: openPassive,
  EPRT: (connection) => connection.reply('500 Active mode is not offered.'),
  PORT: (connection) => connection.reply('500 Active mode is not offered.'),
  LIST: (connection, argument, fault) => sendListing(connection, 'LIST', argument, fault),
  NLST: (connection, argument, fault) => sendListing(connection, 'NLST', argument, fault),
  MLSD: sendMlsd,
  RETR: sendFile,
  MLST: tellFacts,
  STAT: tellStatus,
  SIZE: tellSize,
  MDTM: tellTime,
  REST: setRestart,
  HASH: (connection, argument) => tellHash(connection, argument, connection.hashAlgorithm, true),
  XSHA256: (connection, argument) => tellHash(connection, argument, 'SHA-256', false),
  XMD5: (connection, argument) => tellHash(connection, argument, 'MD5', false),
  ABOR: (connection) => connection.reply('226 Abort successful.'),
  QUIT: async (connection) => {
    await connection.reply('221 Goodbye.');
    connection.close();
  },
};

async function logInUser(connection: ScriptedConnection, user: string): Promise<void> {
  if (connection.options.tlsRequired && !connection.isEncrypted) {
    await connection.reply('530 Non-anonymous sessions must use encryption.');
    return;
  }
  connection.user = user;
  connection.isLoggedIn = false;
  await connection.reply('331 Please specify the password.');
}

async function logInPassword(connection: ScriptedConnection, password: string): Promise<void> {
  const { options, user } = connection;
  if (user === undefined) {
    await connection.reply('503 Login with USER first.');
    return;
  }
  const account = Object.entries(options.users).find(([name]) => utf8Name(name) === user);
  connection.user = undefined;
  if (account === undefined || (account[1] !== undefined && utf8Name(account[1]) !== password)) {
    await connection.reply('530 Login incorrect.');
    return;
  }
  if (options.maxConnectionsAt === 'login' && connection.host.connectionsOpen > options.maxConnections) {
    await connection.reply(options.maxConnectionsReply);
    connection.close();
    return;
  }
  connection.isLoggedIn = true;
  connection.folder = normalPath('/', options.home);
  await connection.reply(options.welcome);
}

async function startTls(connection: ScriptedConnection, mechanism: string): Promise<void> {
  if (!/^(TLS|TLS-C|SSL)$/i.test(mechanism)) {
    await connection.reply('504 Unknown AUTH type.');
    return;
  }
  if (connection.isEncrypted) {
    await connection.reply('503 Already encrypted.');
    return;
  }
  await connection.reply('234 Proceed with negotiation.');
  await connection.upgrade();
}

async function protect(connection: ScriptedConnection, level: string): Promise<void> {
  if (!connection.isEncrypted) {
    await connection.reply('503 Use AUTH first.');
    return;
  }
  if (!/^[CP]$/i.test(level)) {
    await connection.reply('536 Only C and P are offered.');
    return;
  }
  connection.protectsData = level.toUpperCase() === 'P';
  await connection.reply(`200 PROT now ${connection.protectsData ? 'Private' : 'Clear'}.`);
}

async function tellFeatures(connection: ScriptedConnection): Promise<void> {
  const { options } = connection;
  const unique = options.uniqueFacts ? 'unique*;' : '';
  const features = options.features ?? [
    ...(options.tls === 'none' ? [] : ['AUTH TLS', 'PBSZ', 'PROT']),
    ...(options.hasEpsv ? ['EPSV'] : []),
    ...options.hashes.map((name) => (name === 'HASH' ? 'HASH MD5;SHA-1*;SHA-256' : name)),
    ...(options.hasMdtm ? ['MDTM'] : []),
    ...(options.hasMfmt ? ['MFMT'] : []),
    ...(options.hasMlst || options.hasMlsd ? [`MLST type*;size*;modify*;UNIX.mode*;${unique}`] : []),
    ...(options.hasPasv ? ['PASV'] : []),
    ...(options.hasRest ? ['REST STREAM'] : []),
    ...(options.hasSize ? ['SIZE'] : []),
    'TVFS',
    'UTF8',
  ];
  await connection.reply(['211-Features:', ...features.map((feature) => ` ${feature}`), '211 End'].join('\n'));
}

async function setOption(connection: ScriptedConnection, argument: string): Promise<void> {
  const [name = '', value = ''] = argument.split(' ');
  if (name.toUpperCase() === 'UTF8') {
    await connection.reply('200 Always in UTF8 mode.');
  } else if (name.toUpperCase() === 'MLST' && (connection.options.hasMlst || connection.options.hasMlsd)) {
    connection.facts = value.toLowerCase().split(';').filter(Boolean);
    await connection.reply(`200 MLST OPTS ${value}`);
  } else if (name.toUpperCase() === 'HASH' && value in HASHES) {
    connection.hashAlgorithm = value;
    await connection.reply(`200 ${value}`);
  } else {
    await connection.reply('501 Option not understood.');
  }
}

async function setType(connection: ScriptedConnection, argument: string): Promise<void> {
  const type = argument.toUpperCase();
  if (type.startsWith('A')) connection.transferType = 'A';
  else if (type === 'I' || type === 'L 8') connection.transferType = 'I';
  else {
    await connection.reply('504 Unknown TYPE.');
    return;
  }
  await connection.reply(`200 Switching to ${connection.transferType === 'I' ? 'Binary' : 'ASCII'} mode.`);
}

async function tellFolder(connection: ScriptedConnection): Promise<void> {
  await connection.reply(`257 "${connection.folder.replaceAll('"', '""')}" is the current directory`);
}

async function changeFolder(connection: ScriptedConnection, argument: string): Promise<void> {
  const found = connection.host.tree.find(normalPath(connection.folder, argument));
  if (found?.node.kind !== 'folder' || (found.node.mode & 0o100) === 0) {
    await connection.reply('550 Failed to change directory.');
    return;
  }
  connection.folder = found.realPath;
  await connection.reply('250 Directory successfully changed.');
}

async function openExtendedPassive(connection: ScriptedConnection, argument: string): Promise<void> {
  if (argument.toUpperCase() === 'ALL') {
    await connection.reply('200 EPSV ALL ok.');
    return;
  }
  const port = await newPassivePort(connection);
  await connection.reply(`229 Entering Extended Passive Mode (|||${port}|)`);
}

async function openPassive(connection: ScriptedConnection): Promise<void> {
  const port = await newPassivePort(connection);
  const host = connection.options.pasvHost.replaceAll('.', ',');
  await connection.reply(`227 Entering Passive Mode (${host},${port >> 8},${port & 255}).`);
}

async function newPassivePort(connection: ScriptedConnection): Promise<number> {
  connection.passive?.disarm();
  connection.passive = await connection.nextPort();
  connection.passive.arm();
  return connection.passive.port;
}

function find(connection: ScriptedConnection, argument: string): Found | undefined {
  return connection.host.tree.find(normalPath(connection.folder, argument));
}

async function tellFacts(connection: ScriptedConnection, argument: string): Promise<void> {
  const path = normalPath(connection.folder, argument);
  const found = connection.host.tree.find(path, false);
  if (found === undefined) {
    await connection.reply("550 Can't check for file existence.");
    return;
  }
  const line = mlstLine(found.node, path, connection.facts, connection.options);
  await connection.reply(`250-Begin\n ${line}\n250 End.`);
}

async function tellStatus(connection: ScriptedConnection, argument: string): Promise<void> {
  const { options, host } = connection;
  if (argument === '') {
    await connection.reply('211-FTP server status:\n     Connected.\n211 End of status');
    return;
  }
  const { flags, path } = splitListArgument(argument, options.listOptions);
  const absolute = normalPath(connection.folder, path);
  const found = host.tree.find(absolute);
  const lines = found === undefined ? [] : listLines(found.node, path, host.tree.root, flags, options);
  await connection.reply(['213-Status follows:', ...lines, '213 End of status.'].join('\n'));
}

async function tellSize(connection: ScriptedConnection, argument: string): Promise<void> {
  const node = find(connection, argument)?.node;
  if (node?.kind !== 'file') await connection.reply('550 Could not get file size.');
  else if (connection.transferType === 'A') await connection.reply('550 SIZE not allowed in ASCII mode.');
  else await connection.reply(`213 ${node.content.sizeBytes}`);
}

async function tellTime(connection: ScriptedConnection, argument: string): Promise<void> {
  const node = find(connection, argument)?.node;
  if (node?.kind !== 'file') await connection.reply('550 Could not get file modification time.');
  else await connection.reply(`213 ${mlstTime(node.mtimeMs)}`);
}

const HASHES: Readonly<Record<string, string>> = { MD5: 'md5', 'SHA-1': 'sha1', 'SHA-256': 'sha256' };

/** As ProFTPD's mod_digest answers, after a line that says that it computes: `213 SHA-256 0-50 6aa3… name`, or `250 6AA3…`. */
async function tellHash(connection: ScriptedConnection, path: string, name: string, isLong: boolean): Promise<void> {
  const node = find(connection, path)?.node;
  if (node?.kind !== 'file') {
    await connection.reply(`550 ${path}: No such file or directory`);
    return;
  }
  const { sizeBytes } = node.content;
  const lie = connection.options.hashesLie ? 'not what it holds' : '';
  const hash = createHash(HASHES[name] ?? 'sha1')
    .update(lie)
    .update(node.content.read(0, sizeBytes))
    .digest('hex');
  await connection.reply(
    isLong ? `213-Computing ${name} digest\n213 ${name} 0-${sizeBytes} ${hash} ${path}` : `250 ${hash.toUpperCase()}`,
  );
}

async function setRestart(connection: ScriptedConnection, argument: string): Promise<void> {
  if (!/^\d{1,15}$/.test(argument)) {
    await connection.reply('501 REST needs a number.');
    return;
  }
  connection.restartAt = Number(argument);
  await connection.reply(`350 Restart position accepted (${argument}).`);
}
