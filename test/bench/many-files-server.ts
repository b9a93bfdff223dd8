/** A scripted FTP server in a process of its own, so that its memory and time are not the program's. Started by fork. */
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';

export interface ManyFilesReady {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** How often a command has come since the last question. */
export interface ManyFilesCounts {
  readonly listings: number;
  readonly downloads: number;
}

const FILE_BYTES_MIN = 50;
const FILE_BYTES_SPREAD = 900;
const FOLDERS_PER_LEVEL = 20;
const FIRST_MTIME_MS = Date.UTC(2024, 0, 1);

const [files = 0, folders = 1] = process.argv.slice(2).map(Number);
const server = await startScriptedServer({ keepsLog: false });
const paths = Array.from({ length: folders }, (_, index) => folderPath(index));
for (const path of paths) server.tree.makeFolder(path);
for (let index = 0; index < files; index++) {
  const folder = paths[index % folders] ?? '/';
  const sizeBytes = FILE_BYTES_MIN + ((index * 7919) % FILE_BYTES_SPREAD);
  const mtimeMs = FIRST_MTIME_MS + index * 1000;
  server.tree.writeFile(`${folder}/page-${index}.html`, { sizeBytes, seed: index + 1 }, { mtimeMs });
}

process.on('message', () => {
  const counts: ManyFilesCounts = { listings: server.count('MLSD'), downloads: server.count('RETR') };
  server.clearLog();
  process.send?.(counts);
});
process.on('disconnect', () => {
  process.exit(0);
});
const ready: ManyFilesReady = { ...server.address, user: SCRIPTED_USER, password: SCRIPTED_PASSWORD };
process.send?.(ready);

/** Folders in folders, FOLDERS_PER_LEVEL in each: as deep as a site of that size is. */
function folderPath(index: number): string {
  const parts: string[] = [];
  for (let rest = index + 1; rest > 0; rest = Math.floor((rest - 1) / FOLDERS_PER_LEVEL)) {
    parts.unshift(`folder-${(rest - 1) % FOLDERS_PER_LEVEL}`);
  }
  return `/${parts.join('/')}`;
}
