import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, fchmodSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';
import { Secret } from '../settings/secret.ts';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_FILE = 'secret.key';

/** Seals passwords with the key file beside the database: a copied database alone does not hold them. */
export class SecretBox {
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /** Reads the key of `stateDir`, readable by its owner only; makes one at first. Throws `state-unreadable`. */
  static open(stateDir: string): SecretBox {
    const path = join(stateDir, KEY_FILE);
    try {
      if (!existsSync(path)) writeKey(path);
      const key = readFileSync(path);
      if (key.length !== KEY_BYTES) throw new Error(`${key.length} bytes instead of ${KEY_BYTES}`);
      return new SecretBox(key);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new BackupError('state-unreadable', { cause: error, facts: { path }, detail });
    }
  }

  /** AES-256-GCM, bound to `purpose`: what was sealed for one task cannot be opened as another's. */
  seal(secret: Secret, purpose: string): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
    cipher.setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
  }

  /** undefined where the key is another one or the bytes were changed: the password has to be entered again. */
  unseal(sealed: Buffer, purpose: string): Secret | undefined {
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, IV_BYTES));
      decipher.setAAD(Buffer.from(purpose));
      decipher.setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      const body = sealed.subarray(IV_BYTES + TAG_BYTES);
      return new Secret(Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8'));
    } catch {
      return undefined;
    }
  }
}

function writeKey(path: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, randomBytes(KEY_BYTES));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
