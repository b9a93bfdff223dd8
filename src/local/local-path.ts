declare const localPathBrand: unique symbol;

/**
 * A place below `current/`, relative to it, `/` between its parts: `''` is `current/` itself, `a/b` an object in it.
 * Each part is a name that `local-name.ts` made, so that it can never lead out of the folder.
 */
export type LocalPath = string & { readonly [localPathBrand]: true };

export const LOCAL_ROOT = '' as LocalPath;

/** `name` must come from `local-name.ts`. */
export function joinLocal(folder: LocalPath, name: string): LocalPath {
  return (folder === LOCAL_ROOT ? name : `${folder}/${name}`) as LocalPath;
}

/** The names of a path, none for `''`. Throws where one could lead elsewhere: local-name.ts never makes such a one. */
export function namesOf(path: string): string[] {
  const names = path === '' ? [] : path.split('/');
  for (const name of names) {
    if (name === '' || name === '.' || name === '..' || name.includes('\0')) {
      throw new Error(`Not a path below current/ or versions/: ${JSON.stringify(path)}`);
    }
  }
  return names;
}
