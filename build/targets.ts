/** What the package is made for. One package holds all of it, and Package Center refuses any other processor. */

export type Processor = 'x64' | 'arm64';

/** Node's name of a processor, and what DSM (`arch` in INFO) and zig call it. */
export const PROCESSORS = {
  x64: { dsmArch: 'x86_64', zigTarget: 'x86_64-linux-gnu.2.17' },
  arm64: { dsmArch: 'armv8', zigTarget: 'aarch64-linux-gnu.2.17' },
} as const satisfies Record<Processor, object>;

export const PROCESSOR_NAMES = Object.keys(PROCESSORS) as readonly Processor[];

/** The ABIs (`process.versions.modules`) of Node.js 22 and 24, with the release whose headers stand for each. */
export const NODE_ABIS = { '127': '22.23.3', '137': '24.18.1' } as const;

export type NodeAbi = keyof typeof NODE_ABIS;

export const NODE_ABI_NAMES = Object.keys(NODE_ABIS) as readonly NodeAbi[];

/** The oldest Node.js that the package is tested with: the first one that Synology published as Node.js_v22. */
export const OLDEST_NODE = '22.13.1';

/** Also written in src/state/open-sqlite.ts, which opens it. */
export function nativeFileName(processor: Processor, abi: NodeAbi): string {
  return `better_sqlite3-${processor}-abi${abi}.node`;
}

/**
 * The newest symbol versions that a binary may ask for: what the C and C++ libraries of DSM 7.2 and 7.3 have (gcc 12.2,
 * glibc 2.36; SynoCommunity/spksrc, toolchain/syno-x64-7.2).
 */
export const SYMBOL_VERSIONS_MAX = { GLIBC: '2.36', GLIBCXX: '3.4.30', CXXABI: '1.3.13' } as const;
