import type { Response } from 'express';

/** Begins a download of a table. The mark at its beginning tells spreadsheets that it is UTF-8. */
export function startCsv(res: Response, fileName: string): void {
  res.type('text/csv; charset=utf-8').attachment(fileName);
  res.write('\uFEFF');
}

/** One line by RFC 4180. A text that a spreadsheet would take for a formula gets a quote before it. */
export function csvLine(cells: readonly (string | number)[]): string {
  const cell = (value: string | number): string => {
    if (typeof value === 'number') return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${cells.map(cell).join(',')}\r\n`;
}
