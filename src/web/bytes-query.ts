import type { Request } from 'express';

/** Longer than any path that fits into a request. */
const LENGTH_MAX = 16_384;

/** Bytes, held as latin1 text, as a value in a query: exactly these come back, whatever encoding they are in. */
export function queryBytes(bytes: string): string {
  return [...Buffer.from(bytes, 'latin1')]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[\w.~/-]/.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/** What `queryBytes` has put under `name`; empty where it is not there. Express would read the bytes as UTF-8. */
export function askedBytes(req: Request, name: string): string {
  const query = req.originalUrl.slice(0, LENGTH_MAX).split('?')[1] ?? '';
  const value = query
    .split('&')
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(name.length + 1);
  return (value ?? '').replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}
