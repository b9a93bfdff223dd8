import type { Request } from 'express';

const VALUE_LENGTH_MAX = 300;

/** One value of the query string, cut to a length that no filter needs; empty where it is not there. */
export function askedText(req: Request, name: string): string {
  const value = req.query[name];
  return typeof value === 'string' ? value.slice(0, VALUE_LENGTH_MAX) : '';
}

/** `path` with a query of the values that are not empty. */
export function pathWith(path: string, values: Readonly<Record<string, string | number | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const search = parameters.toString();
  return search === '' ? path : `${path}?${search}`;
}
