/** What a compiled Linux library asks of the machine that loads it. */
export interface ElfFacts {
  /** Node's name of the processor; undefined for others than those of the package. */
  readonly processor: 'x64' | 'arm64' | undefined;
  /** Libraries that have to be there, such as `libc.so.6`. */
  readonly libraries: readonly string[];
  /** Symbol versions that those have to have, such as `GLIBC_2.14`. */
  readonly symbolVersions: readonly string[];
  /** Symbols without a version that another part of the process has to give. */
  readonly foreignSymbols: readonly string[];
  /** Symbols that it gives. */
  readonly ownSymbols: readonly string[];
}

/** e_machine of elf.h. */
const MACHINES: Readonly<Record<number, 'x64' | 'arm64'>> = { 62: 'x64', 183: 'arm64' };
/** sh_type of elf.h. */
const DYNAMIC = 6;
const DYNAMIC_SYMBOLS = 11;
const VERSIONS_NEEDED = 0x6ffffffe;
const SYMBOL_VERSIONS = 0x6fffffff;
/** d_tag DT_NEEDED. */
const NEEDED = 1;
const SYMBOL_BYTES = 24;
const WEAK = 2;

interface Section {
  readonly type: number;
  readonly bytes: Buffer;
  readonly link: number;
}

/** Reads a 64-bit little-endian ELF file (System V ABI; gABI chapter 4 and 5). Throws for anything else. */
export function readElf(bytes: Buffer): ElfFacts {
  if (bytes.toString('latin1', 0, 4) !== '\x7fELF' || bytes[4] !== 2 || bytes[5] !== 1)
    throw new Error('it is no ELF file');
  const sections = sectionsOf(bytes);
  const find = (type: number): Section | undefined => sections.find((section) => section.type === type);
  const stringsFor = (section: Section | undefined): Buffer => sections[section?.link ?? -1]?.bytes ?? Buffer.alloc(0);

  const dynamic = find(DYNAMIC);
  const libraries = records(dynamic?.bytes, 16)
    .filter((record) => record.readBigUInt64LE(0) === BigInt(NEEDED))
    .map((record) => textAt(stringsFor(dynamic), Number(record.readBigUInt64LE(8))));

  const needed = find(VERSIONS_NEEDED);
  const versions = find(SYMBOL_VERSIONS)?.bytes;
  const table = find(DYNAMIC_SYMBOLS);
  const symbols = records(table?.bytes, SYMBOL_BYTES)
    .map((record, at) => ({
      name: textAt(stringsFor(table), record.readUInt32LE(0)),
      isWeak: record.readUInt8(4) >> 4 === WEAK,
      isDefined: record.readUInt16LE(6) !== 0,
      // 0 and 1 are "local" and "global, without a version"; the highest bit hides it.
      version: (versions?.readUInt16LE(at * 2) ?? 0) & 0x7fff,
    }))
    .filter(({ name }) => name !== '');
  return {
    processor: MACHINES[bytes.readUInt16LE(18)],
    libraries,
    symbolVersions: needed === undefined ? [] : neededVersions(needed.bytes, stringsFor(needed)),
    foreignSymbols: symbols
      .filter(({ isDefined, isWeak, version }) => !isDefined && !isWeak && version < 2)
      .map(({ name }) => name),
    ownSymbols: symbols.filter(({ isDefined }) => isDefined).map(({ name }) => name),
  };
}

function sectionsOf(bytes: Buffer): readonly Section[] {
  const start = Number(bytes.readBigUInt64LE(40));
  const size = bytes.readUInt16LE(58);
  const count = bytes.readUInt16LE(60);
  return records(bytes.subarray(start, start + size * count), size).map((header) => {
    const offset = Number(header.readBigUInt64LE(24));
    return {
      type: header.readUInt32LE(4),
      bytes: bytes.subarray(offset, offset + Number(header.readBigUInt64LE(32))),
      link: header.readUInt32LE(40),
    };
  });
}

/** `Verneed` records, each with a chain of `Vernaux`; both say how far away the next one is. */
function neededVersions(bytes: Buffer, strings: Buffer): readonly string[] {
  const names: string[] = [];
  for (let at = 0; ;) {
    const count = bytes.readUInt16LE(at + 2);
    for (let index = 0, auxiliary = at + bytes.readUInt32LE(at + 8); index < count; index++) {
      names.push(textAt(strings, bytes.readUInt32LE(auxiliary + 8)));
      auxiliary += bytes.readUInt32LE(auxiliary + 12);
    }
    const next = bytes.readUInt32LE(at + 12);
    if (next === 0) return names;
    at += next;
  }
}

function records(bytes: Buffer | undefined, sizeBytes: number): readonly Buffer[] {
  const count = bytes === undefined ? 0 : Math.floor(bytes.length / sizeBytes);
  return Array.from({ length: count }, (_, at) =>
    (bytes ?? Buffer.alloc(0)).subarray(at * sizeBytes, (at + 1) * sizeBytes),
  );
}

function textAt(strings: Buffer, at: number): string {
  return strings.toString('latin1', at, strings.indexOf(0, at));
}
