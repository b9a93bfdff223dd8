/** One thing that is wrong with settings, ready to become a sentence. Never holds a secret. */
export interface SettingsFault {
  /** JSON pointer (RFC 6901) to the field, `/source/port`; empty for the whole document. */
  readonly path: string;
  /** Text key of what is wrong. */
  readonly key: string;
  readonly facts: Readonly<Record<string, string | number>>;
  /** Text key of what may stand there, where that is not already part of `key`; its facts are the same. */
  readonly allowed: string | undefined;
}

/** The field as people write it: `source.port`, `filters.exclude[2]`. */
export function fieldName(path: string): string {
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join('');
}
