import type { Language } from '../text.ts';

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;

/** The letter before B (English) or o (French), by power of 1024. */
const POWERS = ['', 'K', 'M', 'G', 'T'] as const;

/**
 * `500 MB`, `1,5 Go`, `2 MB/s` as bytes, with 1 MB = 1024² as everywhere in the product. undefined for an empty text; the
 * text itself where it is no amount, or has no unit: 500 of what?
 */
export function bytesOf(text: string): number | string | undefined {
  const plain = text.trim();
  if (plain === '') return undefined;
  const match = /^(\d+(?:[.,]\d{1,2})?)\s*([KMGT]?)i?[BO](?:\/S)?$/i.exec(
    plain.replace(/(?<=\d)[\s\u202f\u00a0](?=\d)/g, ''),
  );
  if (match === null) return text;
  const power = POWERS.indexOf((match[2] ?? '').toUpperCase() as (typeof POWERS)[number]);
  return Math.round(Number((match[1] ?? '').replace(',', '.')) * 1024 ** power);
}

/** The shortest text that `bytesOf` reads as exactly this number. */
export function amountText(bytes: number | undefined, language: Language): string {
  if (bytes === undefined) return '';
  for (let power = POWERS.length - 1; power > 0; power--) {
    const value = Math.round((bytes / 1024 ** power) * 100) / 100;
    if (value >= 1 && Math.round(value * 1024 ** power) === bytes) return unitText(value, power, language);
  }
  return unitText(bytes, 0, language);
}

function unitText(value: number, power: number, language: Language): string {
  const unit = UNITS[power] ?? 'B';
  return language === 'fr' ? `${String(value).replace('.', ',')} ${unit.replace('B', 'o')}` : `${value} ${unit}`;
}

/** `4`, `2.5`, `2,5` as a number; undefined for an empty text; the text itself where it is none. */
export function numberOf(text: string): number | string | undefined {
  const plain = text.trim();
  if (plain === '') return undefined;
  return /^\d{1,15}([.,]\d{1,6})?$/.test(plain) ? Number(plain.replace(',', '.')) : text;
}
