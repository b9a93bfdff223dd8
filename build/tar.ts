/**
 * POSIX tar (ustar), written and read. Ours, because it is short and every byte of it has to be the same on each
 * machine: libraries take times, owners or the order of members from the file system.
 */

const BLOCK_BYTES = 512;
/** The field of the name; longer ones would need extensions that are not worth their risk. */
const PATH_BYTES_MAX = 100;

export interface TarFile {
  /** Without `/` or `./` at the front. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/** One member as it stands in an archive. */
export interface TarMember extends TarFile {
  readonly isFolder: boolean;
  /** Of the header: `0` file, `5` folder, `2` symbolic link, `x` extension, … */
  readonly typeflag: string;
  readonly uid: number;
  readonly gid: number;
  readonly owner: string;
  readonly group: string;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
}

/**
 * An archive of these files, and of the folders that hold them, all root's and of one time. The order of files is kept;
 * each folder stands before the first of its files.
 */
export function writeTar(files: readonly TarFile[], modifiedAt: number): Buffer {
  const blocks: Uint8Array[] = [];
  const folders = new Set<string>();
  for (const { path, mode, bytes } of files) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = `${parts.slice(0, depth).join('/')}/`;
      if (folders.has(folder)) continue;
      folders.add(folder);
      blocks.push(header(folder, 0o755, 0, '5', modifiedAt));
    }
    blocks.push(header(path, mode, bytes.length, '0', modifiedAt), bytes, Buffer.alloc(padding(bytes.length)));
  }
  blocks.push(Buffer.alloc(2 * BLOCK_BYTES));
  return Buffer.concat(blocks);
}

function header(path: string, mode: number, sizeBytes: number, typeflag: string, modifiedAt: number): Buffer {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw new RangeError(`the name is too long for the package: ${path}`);
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  };
  block.write(path, 0, 'utf8');
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(modifiedAt, 136, 12);
  block.write(typeflag, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write('root', 265, 'latin1');
  block.write('root', 297, 'latin1');
  octal(0, 329, 8);
  octal(0, 337, 8);
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Reads an archive to its end. Throws with a sentence for what is no tar archive, or is cut short or damaged. */
export function readTar(archive: Buffer): TarMember[] {
  const members: TarMember[] = [];
  for (let at = 0; ;) {
    const block = archive.subarray(at, at + BLOCK_BYTES);
    if (block.length < BLOCK_BYTES) throw new Error('it is no tar archive, or it is cut short');
    if (block.every((byte) => byte === 0)) return members;
    const text = (from: number, length: number): string =>
      block.toString('utf8', from, from + length).replace(/\0.*$/s, '');
    const octal = (from: number, length: number): number => Number.parseInt(text(from, length).trim() || '0', 8);
    if (text(257, 5) !== 'ustar' || octal(148, 8) !== checksum(block)) {
      throw new Error('it is no tar archive, or it is damaged');
    }
    const sizeBytes = octal(124, 12);
    const prefix = text(345, 155);
    const path = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
    const bytes = archive.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES + sizeBytes);
    if (bytes.length < sizeBytes) throw new Error(`it is cut short within ${path}`);
    const typeflag = text(156, 1) || '0';
    members.push({
      path: path.replace(/(?<=.)\/$/, ''),
      mode: octal(100, 8),
      uid: octal(108, 8),
      gid: octal(116, 8),
      modifiedAt: octal(136, 12),
      typeflag,
      isFolder: typeflag === '5',
      owner: text(265, 32),
      group: text(297, 32),
      bytes,
    });
    at += BLOCK_BYTES + sizeBytes + padding(sizeBytes);
  }
}

function padding(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** The sum of the header's bytes, its own field counted as spaces. */
function checksum(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}
