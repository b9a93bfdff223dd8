/** A form of a page as a browser without scripts would send it. */

interface SentField {
  readonly name: string;
  readonly value: string;
}

/**
 * The fields of the page's main form (the one that holds the field or button `holding`) as they stand in `html`; those
 * of `changes` are typed over (a list: several ticked boxes; undefined: not sent).
 */
export function filledForm(
  html: string,
  holding: string,
  changes: Readonly<Record<string, string | readonly string[] | undefined>> = {},
): string {
  const form = [...html.matchAll(/<form[\s\S]*?<\/form>/g)]
    .map((match) => match[0])
    .find((text) => text.includes(`name="${holding}"`));
  if (form === undefined) throw new Error(`no form holds ${holding}`);
  const fields = fieldsOf(form).filter((field) => !Object.hasOwn(changes, field.name));
  for (const [name, value] of Object.entries(changes)) {
    for (const one of value === undefined ? [] : [value].flat()) fields.push({ name, value: one });
  }
  return new URLSearchParams(fields.map(({ name, value }): [string, string] => [name, value])).toString();
}

function fieldsOf(form: string): SentField[] {
  const fields: SentField[] = [];
  const pattern = /<input\b([^>]*)>|<textarea\b([^>]*)>([\s\S]*?)<\/textarea>|<select\b([^>]*)>([\s\S]*?)<\/select>/g;
  for (const [, input, area, text = '', select, options = ''] of form.matchAll(pattern)) {
    const attributes = input ?? area ?? select ?? '';
    const name = attribute(attributes, 'name');
    if (name === undefined || /\bdisabled\b/.test(attributes)) continue;
    if (area !== undefined) fields.push({ name, value: decoded(text.replace(/^\n/, '')) });
    else if (select !== undefined) fields.push({ name, value: chosenOption(options) });
    else if (!isTickable(attributes) || /\bchecked\b/.test(attributes)) {
      fields.push({ name, value: decoded(attribute(attributes, 'value') ?? '') });
    }
  }
  return fields;
}

function isTickable(attributes: string): boolean {
  return ['radio', 'checkbox'].includes(attribute(attributes, 'type') ?? '');
}

function chosenOption(options: string): string {
  const all = [...options.matchAll(/<option\b([^>]*)>([^<]*)/g)];
  const chosen = all.find((option) => /\bselected\b/.test(option[1] ?? '')) ?? all[0];
  return decoded(attribute(chosen?.[1] ?? '', 'value') ?? chosen?.[2] ?? '');
}

function attribute(attributes: string, name: string): string | undefined {
  return new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1];
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&#34;': '"',
  '&#39;': "'",
};

export function decoded(text: string): string {
  return text.replace(/&(?:amp|lt|gt|#34|#39);/g, (entity) => ENTITIES[entity] ?? entity);
}
