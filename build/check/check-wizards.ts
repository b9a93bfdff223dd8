import { jsonOf, listOf, textOf, valueAt } from './package-file.ts';
import type { Rule } from './package-file.ts';

const NAMES = /^WIZARD_UIFILES\/((install|upgrade|uninstall)_uifile)(?:_([a-z]{3}))?(\.sh)?$/;
const ITEM_TYPES = ['textfield', 'password', 'singleselect', 'multiselect', 'combobox'];
/** Ours have an English text for all languages and a French one. */
const LANGUAGES = ['fre'];

/** WIZARD_UIFILES: names that DSM reads, steps in its form, and the same questions in each language. */
export const checkWizards: Rule = ({ outer }) => {
  const paths = [...outer.keys()].filter((path) => path.startsWith('WIZARD_UIFILES/'));
  const faults = paths.filter((path) => !NAMES.test(path)).map((path) => `${path} has a name that DSM never reads.`);
  for (const path of paths) {
    const found = NAMES.exec(path);
    if (found === null || found[4] !== undefined) continue;
    const steps = jsonOf(outer.get(path));
    if (!Array.isArray(steps)) faults.push(`${path} is no JSON list of steps.`);
    else faults.push(...listOf(steps).flatMap((step, at) => stepFaults(step, `${path}, step ${at + 1}`)));
    if (found[3] !== undefined) continue;
    for (const language of LANGUAGES) {
      const other = `${path}_${language}`;
      if (!outer.has(other)) faults.push(`${other} is missing.`);
      else if (keysOf(textOf(outer.get(other))) !== keysOf(textOf(outer.get(path)))) {
        faults.push(`${other} does not ask for the same as ${path}.`);
      }
    }
  }
  return faults;
};

function keysOf(text: string): string {
  return [...text.matchAll(/"key": *"(\w+)"/g)].map((match) => match[1]).join(' ');
}

function stepFaults(step: unknown, place: string): readonly string[] {
  const faults: string[] = [];
  if (typeof valueAt(step, 'step_title') !== 'string') faults.push(`${place} has no step_title.`);
  const items = listOf(valueAt(step, 'items'));
  if (items.length === 0) faults.push(`${place} has no items.`);
  for (const item of items) {
    const type = valueAt(item, 'type');
    const subitems = listOf(valueAt(item, 'subitems'));
    if (type === undefined) {
      if (typeof valueAt(item, 'desc') !== 'string') faults.push(`${place} has an item without type and text.`);
      continue;
    }
    if (typeof type !== 'string' || !ITEM_TYPES.includes(type)) {
      faults.push(`${place} has an item of the unknown type ${JSON.stringify(type)}.`);
    }
    for (const subitem of subitems) {
      const key = valueAt(subitem, 'key');
      if (typeof key !== 'string' || !/^wizard_[a-z_]+$/.test(key)) {
        faults.push(`${place} has a question whose key cannot be a variable of our scripts: ${String(key)}.`);
      }
      const expression = valueAt(subitem, 'validator', 'regex', 'expr');
      if (typeof expression === 'string' && !isExpression(expression)) {
        faults.push(`${place}: the pattern of ${String(key)} is no regular expression.`);
      }
    }
    const chosen = subitems.filter((subitem) => valueAt(subitem, 'defaultValue') === true).length;
    if (type === 'singleselect' && chosen !== 1) faults.push(`${place} has a choice with ${chosen} preset answers.`);
  }
  return faults;
}

/** DSM takes it as JavaScript writes it: between slashes. */
function isExpression(text: string): boolean {
  const found = /^\/(.*)\/[a-z]*$/s.exec(text);
  if (found === null) return false;
  try {
    new RegExp(found[1] ?? '');
    return true;
  } catch {
    return false;
  }
}
