import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/**
 * scrypt with N = 2^15, r = 8, p = 3: one of the OWASP Password Storage Cheat Sheet's equal settings. It takes 32 MiB
 * and, on a slow NAS, about half a second.
 */
const COST: ScryptCost = { N: 2 ** 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** Hashes that are computed at the same time: each takes its memory and a thread of the pool that also reads files. */
const HASHES_AT_ONCE_MAX = 2;
/** Further ones that wait; beyond it `password-queue-full` is thrown. */
export const HASHES_WAITING_MAX = 20;

export const PASSWORD_LENGTH_MIN = 10;
/** Long enough for any passphrase; a bound, because all of it goes through scrypt. */
export const PASSWORD_LENGTH_MAX = 200;

/** Too many people try passwords at the same moment. */
export class PasswordQueueFull extends Error {
  override readonly name = 'PasswordQueueFull';
}

/** The parameters of RFC 7914. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** `scrypt$N$r$p$salt$key`, so that stronger settings can follow and old hashes stay readable. */
export async function hashPassword(password: string, cost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt, cost);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/**
 * True where `hash` was made of this password. Without a hash (an unknown account) it takes as long and is false. Throws
 * PasswordQueueFull.
 */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  const stored = hash === undefined ? undefined : readHash(hash);
  if (stored === undefined) {
    await derive(password, randomBytes(SALT_BYTES), COST);
    return false;
  }
  return timingSafeEqual(await derive(password, stored.salt, stored), stored.key);
}

function readHash(hash: string): (ScryptCost & { salt: Buffer; key: Buffer }) | undefined {
  const [kind, N, r, p, salt, key] = hash.split('$');
  if (kind !== 'scrypt' || salt === undefined || key === undefined) return undefined;
  return {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64url'),
    key: Buffer.from(key, 'base64url'),
  };
}

let busy = 0;
const waiting: (() => void)[] = [];

async function derive(password: string, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
  if (busy >= HASHES_AT_ONCE_MAX) {
    if (waiting.length >= HASHES_WAITING_MAX) throw new PasswordQueueFull();
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  busy++;
  try {
    return await new Promise((resolve, reject) => {
      // The same letters can be typed as different code points (é as one or two).
      scrypt(password.normalize('NFC'), salt, KEY_BYTES, { ...cost, maxmem: 256 * cost.N * cost.r }, (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    });
  } finally {
    busy--;
    waiting.shift()?.();
  }
}
