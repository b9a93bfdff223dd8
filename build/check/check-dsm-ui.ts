import { entriesOf, jsonOf, listOf, textOf, valueAt } from './package-file.ts';
import type { PackageFile, Rule } from './package-file.ts';

/** DSM asks for `{0}` in each of these sizes (Developer Guide, Application Config). */
const ICON_SIZES = [16, 24, 32, 48, 64, 72, 256];
const LANGUAGES = ['enu', 'fre'];

const PNG_SIGNATURE = '89504e470d0a1a0a';

/** The icons of Package Center, and the desktop entry with its icons and its texts in each language. */
export const checkDsmUi: Rule = (file) => {
  const uiDir = file.info.get('dsmuidir') ?? 'ui';
  const texts = new Map(LANGUAGES.map((language) => [language, stringsOf(file, `${uiDir}/texts/${language}/strings`)]));
  const config = jsonOf(file.target.get(`${uiDir}/config`));
  const apps = entriesOf(config).flatMap(([, entries]) => entriesOf(entries));
  return [
    ...iconFaults(file.outer, 'PACKAGE_ICON.PNG', 64),
    ...iconFaults(file.outer, 'PACKAGE_ICON_256.PNG', 256),
    ...LANGUAGES.filter((language) => texts.get(language) === undefined).map(
      (language) => `${uiDir}/texts/${language}/strings is missing or not in the form of sections and key="text".`,
    ),
    ...differingKeys(texts).map((key) => `${uiDir}/texts: ${key} is not there in every language.`),
    ...apps.flatMap(([name, app]) => appFaults(file, `${uiDir}/config, ${name}`, app, uiDir, texts)),
  ];
};

function appFaults(
  { target }: PackageFile,
  place: string,
  app: unknown,
  uiDir: string,
  texts: ReadonlyMap<string, ReadonlySet<string> | undefined>,
): readonly string[] {
  const faults: string[] = [];
  const preloaded = listOf(valueAt(app, 'preloadTexts'));
  const words = ['title', 'desc'].map((key) => valueAt(app, key));
  const wanted = [...preloaded, ...words.filter((word) => typeof word === 'string' && /^\w+:\w+$/.test(word))];
  for (const key of new Set(wanted)) {
    for (const [language, known] of texts) {
      if (known?.has(String(key)) === false) faults.push(`${place}: ${String(key)} has no text in ${language}.`);
    }
  }
  if (words[0] === undefined) faults.push(`${place} has no title.`);
  if (valueAt(app, 'allUsers') === true) faults.push(`${place} is shown to users who are no administrators.`);
  const icon = valueAt(app, 'icon');
  if (typeof icon !== 'string') return [...faults, `${place} has no icon.`];
  for (const pixels of icon.includes('{0}') ? ICON_SIZES : []) {
    faults.push(...iconFaults(target, `${uiDir}/${icon.replace('{0}', String(pixels))}`, pixels));
  }
  const url = valueAt(app, 'url');
  const locations = [...target].filter(([path]) => path.startsWith('nginx/')).map(([, member]) => textOf(member));
  if (typeof url !== 'string' || !locations.some((text) => text.includes(`location ^~ ${url} {`))) {
    faults.push(`${place} opens ${String(url)}, for which nginx has no location.`);
  }
  return faults;
}

function iconFaults(members: PackageFile['outer'], path: string, pixels: number): readonly string[] {
  const member = members.get(path);
  if (member === undefined) return [`${path} is missing.`];
  const bytes = Buffer.from(member.bytes);
  if (bytes.length < 24 || bytes.toString('hex', 0, 8) !== PNG_SIGNATURE) return [`${path} is no PNG picture.`];
  const size = `${bytes.readUInt32BE(16)}×${bytes.readUInt32BE(20)}`;
  return size === `${pixels}×${pixels}` ? [] : [`${path} has ${size} pixels, not ${pixels}×${pixels}.`];
}

/** The keys `section:name` of a strings file; undefined where it is none. */
function stringsOf({ target }: PackageFile, path: string): ReadonlySet<string> | undefined {
  const member = target.get(path);
  if (member === undefined) return undefined;
  const keys = new Set<string>();
  let section: string | undefined;
  for (const line of textOf(member).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const heading = /^\[(\w+)\]$/.exec(line);
    const entry = /^(\w+)="[^"]+"$/.exec(line);
    if (heading !== null) section = heading[1];
    else if (entry !== null && section !== undefined) keys.add(`${section}:${entry[1] ?? ''}`);
    else return undefined;
  }
  return keys;
}

function differingKeys(texts: ReadonlyMap<string, ReadonlySet<string> | undefined>): readonly string[] {
  const known = [...texts.values()].filter((keys) => keys !== undefined);
  const all = new Set(known.flatMap((keys) => [...keys]));
  return [...all].filter((key) => known.some((keys) => !keys.has(key)));
}
