import type { Request } from 'express';

/** The fields of a form that was sent. */
export interface Form {
  /** The last value of the field, as typed; empty where it was not sent. */
  readonly text: (name: string) => string;
  /** All values of the field: ticked boxes of one name. */
  readonly list: (name: string) => readonly string[];
  readonly has: (name: string) => boolean;
}

/** Reads the body that create-app.ts has parsed. A request without a form has no fields. */
export function formOf(req: Request): Form {
  const body = (typeof req.body === 'object' && req.body !== null ? req.body : {}) as Record<string, unknown>;
  const list = (name: string): readonly string[] => {
    const value = Object.hasOwn(body, name) ? body[name] : undefined;
    const values: unknown[] = Array.isArray(value) ? value : [value];
    return values.filter((item) => typeof item === 'string');
  };
  return { list, text: (name) => list(name).at(-1) ?? '', has: (name) => Object.hasOwn(body, name) };
}
