import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode } from './errors.ts';
import { UI_DIR } from './program-files.ts';

export const LANGUAGES = ['en', 'fr'] as const;
export type Language = (typeof LANGUAGES)[number];

export type TextFacts = Readonly<Record<string, string | number | undefined>>;

/** Words and numbers in one language. Texts are not escaped for anything: that is for whoever shows them. */
export interface Text {
  readonly language: Language;
  /**
   * The text of `key`. `{name}` is a fact, `{self}` always the account that this process runs under; `[[…]]` goes where one
   * of its facts is missing. With a fact `count`, the text `key.one` or `key.other` is taken. An unknown key gives the key
   * itself.
   */
  readonly t: (key: string, facts?: TextFacts) => string;
  readonly has: (key: string) => boolean;
  readonly number: (value: number) => string;
  /** `1.5 GB`, with 1 GB = 1024³ bytes as in DSM. */
  readonly bytes: (value: number) => string;
  readonly bytesPerSecond: (value: number) => string;
  /** `2 h 05 min`; two units at most. */
  readonly duration: (durationMs: number) => string;
  /**
   * What happened and what to do, for an error code. Facts that are not known may be left out; a fact `hint` chooses a
   * closer text where there is one.
   */
  readonly error: (code: ErrorCode, facts?: TextFacts) => { cause: string; action: string };
}

/** Throws where the texts of the language are not where the program lies: a broken installation. */
export function createText(language: Language): Text {
  return textFrom(language, readTexts(language));
}

/** Lines of a longer text stand in a list. */
export function readTexts(language: Language): Readonly<Record<string, string>> {
  const file = join(UI_DIR, 'texts', `${language}.json`);
  const texts = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string | string[]>;
  return Object.fromEntries(
    Object.entries(texts).map(([key, value]) => [key, Array.isArray(value) ? value.join('\n') : value]),
  );
}

/** The first of LC_ALL, LC_MESSAGES and LANG that is set decides (POSIX); English where it names no language of ours. */
export function languageFromEnvironment(environment: Readonly<Record<string, string | undefined>>): Language {
  const locale = ['LC_ALL', 'LC_MESSAGES', 'LANG'].map((name) => environment[name]).find((value) => value);
  return locale !== undefined && /^fr([_.@-]|$)/i.test(locale) ? 'fr' : 'en';
}

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

function textFrom(language: Language, texts: Readonly<Record<string, string>>): Text {
  const plural = new Intl.PluralRules(language);
  const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
  const short = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });

  const has = (key: string): boolean => Object.hasOwn(texts, key);
  const textOf = (key: string): string | undefined => (has(key) ? texts[key] : undefined);
  const t = (key: string, facts: TextFacts = {}): string => {
    const template = textOf(pluralKey(key, facts['count'])) ?? textOf(key);
    if (template === undefined) return key;
    if (!template.includes('{') && !template.includes('[[')) return template;
    return fill(template, { self: accountName(), ...facts }, format);
  };
  const pluralKey = (key: string, count: string | number | undefined): string => {
    if (typeof count !== 'number') return key;
    // French has `many` for whole millions, which are written as `other` when the number stands in digits.
    return `${key}.${plural.select(count) === 'one' ? 'one' : 'other'}`;
  };
  const number = (value: number): string => whole.format(value);
  const bytes = (value: number): string => {
    let rest = Math.max(0, value);
    let unit = 0;
    // 1023.96 KB would be shown as 1,024 KB.
    while (rest >= 1023.95 && unit < BYTE_UNITS.length - 1) {
      rest /= 1024;
      unit++;
    }
    return t(`unit.${BYTE_UNITS[unit] ?? 'B'}`, {
      value: unit === 0 ? whole.format(Math.round(rest)) : short.format(rest),
    });
  };
  const bytesPerSecond = (value: number): string => t('unit.per-second', { value: bytes(value) });
  const duration = (durationMs: number): string => {
    if (durationMs < 999.5) return t('unit.milliseconds', { value: whole.format(Math.round(Math.max(0, durationMs))) });
    if (durationMs < 9950) return t('unit.seconds', { value: short.format(durationMs / 1000) });
    const seconds = Math.round(durationMs / 1000);
    if (seconds < 60) return t('unit.seconds', { value: number(seconds) });
    if (seconds < 3600) {
      return t('unit.minutes-seconds', { minutes: Math.floor(seconds / 60), seconds: twoDigits(seconds % 60) });
    }
    const minutes = Math.round(seconds / 60);
    if (minutes < 24 * 60) {
      return t('unit.hours-minutes', { hours: Math.floor(minutes / 60), minutes: twoDigits(minutes % 60) });
    }
    const hours = Math.round(minutes / 60);
    return t('unit.days-hours', { days: Math.floor(hours / 24), hours: hours % 24 });
  };
  const format = (value: string | number, style: string | undefined): string => {
    if (typeof value === 'string' || style === 'plain') return String(value);
    if (style === 'bytes') return bytes(value);
    if (style === 'duration') return duration(value);
    return number(value);
  };

  return {
    language,
    t,
    has,
    number,
    bytes,
    bytesPerSecond,
    duration,
    error(code, facts = {}) {
      const hinted = `error.${code}.hint.${facts['hint'] ?? ''}`;
      return {
        cause: t(has(hinted) ? hinted : `error.${code}`, facts),
        action: t(has(`${hinted}.do`) ? `${hinted}.do` : `error.${code}.do`, facts),
      };
    },
  };
}

let account: string | undefined;

/** The name that DSM shows for the user of this process; its number where it has none. */
export function accountName(): string {
  if (account === undefined) {
    try {
      account = userInfo().username;
    } catch {
      account = String(process.getuid?.() ?? '');
    }
  }
  return account;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** `{name}` or `{name:style}`; style: `plain` (a port is no quantity), `bytes`, `duration`. */
export const PLACEHOLDER = /\{(\w+)(?::(\w+))?\}/g;

function fill(
  template: string,
  facts: TextFacts,
  format: (value: string | number, style: string | undefined) => string,
): string {
  const isKnown = (name: string): boolean => Object.hasOwn(facts, name) && facts[name] !== undefined;
  const kept = template.replace(/\[\[(.*?)\]\]/gs, (_, inner: string) =>
    [...inner.matchAll(PLACEHOLDER)].every((match) => isKnown(match[1] ?? '')) ? inner : '',
  );
  return kept.replace(PLACEHOLDER, (_, name: string, style: string | undefined) => {
    const value = isKnown(name) ? facts[name] : undefined;
    return value === undefined ? '…' : format(value, style);
  });
}

/** The words as they stand within a sentence: `Today 02:14` as `today 02:14`. For words that are no name. */
export function lowerFirst(words: string): string {
  return words.slice(0, 1).toLowerCase() + words.slice(1);
}
