import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { Secret } from './secret.ts';
import type { SettingsFault } from './settings-fault.ts';

/** Where a password may come from when it does not stand in the task. */
export interface SecretLookup {
  environment(variable: string): string | undefined;
  /** The content of a password file, or why it cannot be used: a text key with its facts. */
  file(path: string): { text: string } | { key: string; facts: Readonly<Record<string, string | number>> };
}

/** For tasks whose password is stored with them and may come from nowhere else. */
export const NO_SECRETS: SecretLookup = {
  environment: () => undefined,
  file: (path) => ({ key: 'fault.password-file-unreadable', facts: { file: path, reason: 'EACCES' } }),
};

/** The real environment and files; a relative file is looked for in `baseFolder`, where the task file lies. */
export function systemSecrets(
  environment: Readonly<Record<string, string | undefined>>,
  baseFolder: string,
): SecretLookup {
  return {
    environment: (variable) => (Object.hasOwn(environment, variable) ? environment[variable] : undefined),
    file: (path) => readPasswordFile(resolve(baseFolder, path)),
  };
}

interface PasswordFields {
  readonly user: string;
  readonly password?: string;
  readonly passwordEnv?: string;
  readonly passwordFile?: string;
}

/** RFC 1635: anonymous servers take any password and like one that looks like an address. */
const ANONYMOUS_USERS = ['anonymous', 'ftp'];
const ANONYMOUS_PASSWORD = 'anonymous@';

/** Takes the password from the one place that the task names; an anonymous user needs none. */
export function takePassword(
  fields: PasswordFields,
  secrets: SecretLookup,
): { secret: Secret } | { fault: SettingsFault } {
  const { password, passwordEnv, passwordFile } = fields;
  const named = [password, passwordEnv, passwordFile].filter((value) => value !== undefined).length;
  if (named > 1) return fault('/source/password', 'fault.password-several');
  if (named === 0 || password === '') {
    if (ANONYMOUS_USERS.includes(fields.user.toLowerCase())) return { secret: new Secret(ANONYMOUS_PASSWORD) };
    return fault('/source/password', 'fault.password-none');
  }
  if (passwordEnv !== undefined) {
    const value = secrets.environment(passwordEnv);
    if (value === undefined || value === '') {
      return fault('/source/passwordEnv', 'fault.password-env-missing', { variable: passwordEnv });
    }
    return usable('/source/passwordEnv', value);
  }
  if (passwordFile !== undefined) {
    const content = secrets.file(passwordFile);
    if ('key' in content) return fault('/source/passwordFile', content.key, content.facts);
    const line = /^[^\r\n]*/.exec(content.text.replace(/^\ufeff/, ''))?.[0] ?? '';
    if (line === '') return fault('/source/passwordFile', 'fault.password-file-empty', { file: passwordFile });
    return usable('/source/passwordFile', line);
  }
  return usable('/source/password', password ?? '');
}

function usable(path: string, value: string): { secret: Secret } | { fault: SettingsFault } {
  // A line break would be a second command on the wire.
  return /\p{Cc}/u.test(value) ? fault(path, 'fault.control-characters') : { secret: new Secret(value) };
}

function fault(path: string, key: string, facts: SettingsFault['facts'] = {}): { fault: SettingsFault } {
  return { fault: { path, key, facts, allowed: undefined } };
}

const PASSWORD_FILE_BYTES_MAX = 4096;
const READABLE_BY_EVERYONE = 0o004;

function readPasswordFile(path: string): ReturnType<SecretLookup['file']> {
  let descriptor: number;
  try {
    // Without O_NONBLOCK the opening of a pipe would wait for ever.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { key: 'fault.password-file-unreadable', facts: { file: path, reason: reasonOf(error) } };
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return { key: 'fault.password-file-kind', facts: { file: path } };
    if ((stat.mode & READABLE_BY_EVERYONE) !== 0) return { key: 'fault.password-file-open', facts: { file: path } };
    const buffer = Buffer.alloc(PASSWORD_FILE_BYTES_MAX);
    return { text: buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, buffer.length, 0)) };
  } catch (error) {
    return { key: 'fault.password-file-unreadable', facts: { file: path, reason: reasonOf(error) } };
  } finally {
    closeSync(descriptor);
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
