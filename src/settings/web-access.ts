import { isIP } from 'node:net';
import { schemaCheck } from './json-schema.ts';

/** How the pages of the service are reached. */
export interface WebAccess {
  /** 1 to 65535; 0 (start options only): any free one. */
  readonly port: number;
  /** IP address to listen on: empty for all networks of the NAS, `127.0.0.1` for the NAS itself. */
  readonly listen: string;
  /** `self-signed`: with a certificate that the service makes; `own`: with the two files. */
  readonly encryption: 'none' | 'self-signed' | 'own';
  /** PEM, absolute paths; empty where they are not used. */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** `/`, or `/sitebackup/` behind another web server: a slash at both ends. */
  readonly basePath: string;
  /** Addresses, networks (`10.0.0.0/8`) or PROXY_WORDS whose X-Forwarded-* is believed; nobody else's is. */
  readonly trustedProxies: readonly string[];
}

/** Also named in spk/nginx/site-backup.conf. */
const WEB_PORT_DEFAULT = 8377;

export const DEFAULT_WEB_ACCESS: WebAccess = {
  port: WEB_PORT_DEFAULT,
  listen: '',
  encryption: 'none',
  certificateFile: '',
  keyFile: '',
  basePath: '/',
  trustedProxies: [],
};

/** What the way in which the service was started settles: the page shows it and does not change it. */
export type FixedWebAccess = Readonly<Partial<WebAccess>>;

/** What start options say of the web access; undefined is what they leave to the page. */
export interface WebStartOptions {
  readonly access?: 'dsm' | 'password' | undefined;
  readonly listen?: string | undefined;
  readonly port?: number | undefined;
  readonly basePath?: string | undefined;
  readonly trustedProxies?: readonly string[] | undefined;
}

/** The one place that says what start options fix. Behind the web server of DSM that is everything. */
export function fixedWebAccess(options: WebStartOptions): FixedWebAccess {
  const { listen, port, basePath, trustedProxies } = options;
  return {
    ...(options.access === 'dsm' ? { ...DEFAULT_WEB_ACCESS, listen: '127.0.0.1' } : {}),
    ...(listen === undefined ? {} : { listen }),
    ...(port === undefined ? {} : { port }),
    ...(basePath === undefined ? {} : { basePath }),
    ...(trustedProxies === undefined ? {} : { trustedProxies }),
  };
}

/** Names of networks that express knows, as proxy-addr describes them. */
const PROXY_WORDS = ['loopback', 'linklocal', 'uniquelocal'] as const;
const PROXIES_MAX = 20;
const FILE_LENGTH_MAX = 4096;

/** JSON Schema (draft 7) of WebAccess as the page may set it. */
export const WEB_ACCESS_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: Object.keys(DEFAULT_WEB_ACCESS),
  properties: {
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
    listen: { type: 'string' },
    encryption: { enum: ['none', 'self-signed', 'own'] },
    certificateFile: { type: 'string', maxLength: FILE_LENGTH_MAX },
    keyFile: { type: 'string', maxLength: FILE_LENGTH_MAX },
    // No dots alone, which browsers would take out, and nothing that has to be encoded.
    basePath: { type: 'string', maxLength: 200, pattern: '^/((?!\\.{1,2}/)[A-Za-z0-9._~-]+/)*$' },
    trustedProxies: { type: 'array', maxItems: PROXIES_MAX, items: { type: 'string', maxLength: 100 } },
  },
} as const;

const webAccessCheck = schemaCheck(WEB_ACCESS_SCHEMA);

/** Checks what can be checked without the machine; gives the names of the fields that are wrong, all at once. */
export function parseWebAccess(json: unknown): { access: WebAccess } | { faults: readonly (keyof WebAccess)[] } {
  const check = webAccessCheck();
  const faults = new Set<keyof WebAccess>();
  if (!check(json)) {
    for (const error of check.errors ?? []) faults.add((error.instancePath.split('/')[1] ?? 'port') as keyof WebAccess);
    return { faults: [...faults] };
  }
  const access = json as WebAccess;
  if (access.listen !== '' && isIP(access.listen) === 0) faults.add('listen');
  if (!access.trustedProxies.every(isNetwork)) faults.add('trustedProxies');
  if (access.encryption === 'own') {
    for (const field of ['certificateFile', 'keyFile'] as const) if (!isFilePath(access[field])) faults.add(field);
  }
  return faults.size > 0 ? { faults: [...faults] } : { access };
}

function isNetwork(text: string): boolean {
  if ((PROXY_WORDS as readonly string[]).includes(text)) return true;
  const [address = '', prefix, more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more !== undefined) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

function isFilePath(path: string): boolean {
  return /^\/[^\p{Cc}]+$/u.test(path);
}

/** What was set on the page, as stored, with what is fixed over it. What an earlier version wrote wrongly is left out. */
export function effectiveWebAccess(stored: Partial<WebAccess>, fixed: FixedWebAccess): WebAccess {
  const parsed = parseWebAccess({ ...DEFAULT_WEB_ACCESS, ...stored });
  return { ...('access' in parsed ? parsed.access : DEFAULT_WEB_ACCESS), ...fixed };
}
