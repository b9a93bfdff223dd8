/** The bytes of a file, produced when they are asked for, so that a large file costs no memory. */
export interface ContentSource {
  readonly sizeBytes: number;
  /** Bytes `from` (included) to `to` (not included), both within the file. */
  read(from: number, to: number): Buffer;
}

/** What a test may give as a file: text (UTF-8), bytes, or a length of noise that is always the same for one seed. */
export type FileContent = string | Buffer | { readonly sizeBytes: number; readonly seed: number } | ContentSource;

const BLOCK_BYTES = 64 * 1024;

export function contentSource(content: FileContent): ContentSource {
  if (typeof content === 'string') return bufferSource(Buffer.from(content, 'utf8'));
  if (Buffer.isBuffer(content)) return bufferSource(content);
  if ('read' in content) return content;
  const { sizeBytes, seed } = content;
  return { sizeBytes, read: (from, to) => seededBytes(seed, from, to) };
}

/** The content from `from` on, in chunks. */
export function* chunksFrom(source: ContentSource, from: number): Generator<Buffer> {
  let at = from;
  while (at < source.sizeBytes) {
    const to = Math.min(source.sizeBytes, at + BLOCK_BYTES);
    yield source.read(at, to);
    at = to;
  }
}

function bufferSource(bytes: Buffer): ContentSource {
  return { sizeBytes: bytes.length, read: (from, to) => bytes.subarray(from, to) };
}

function seededBytes(seed: number, from: number, to: number): Buffer {
  const parts: Buffer[] = [];
  let at = from;
  while (at < to) {
    const block = Math.floor(at / BLOCK_BYTES);
    const blockStart = block * BLOCK_BYTES;
    const end = Math.min(to, blockStart + BLOCK_BYTES);
    parts.push(seededBlock(seed, block, end - blockStart).subarray(at - blockStart));
    at = end;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** The first `lengthBytes` of one block (xorshift32): each block starts anew, so that reading may start anywhere. */
function seededBlock(seed: number, block: number, lengthBytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(lengthBytes / 4));
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(block + 1, 0xc2b2ae35);
  if (state === 0) state = 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, lengthBytes);
}
