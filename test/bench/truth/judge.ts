/** The two questions of the truth suite, answered from files and an exit code alone: the same for every program. */

/** SHA-256 by relative path, bytes as latin1 text. */
export type Contents = ReadonlyMap<string, string>;

export interface Evidence {
  /** What lay here before the run, all of it good. */
  readonly before: Contents;
  /** What lies here now. */
  readonly after: Contents;
  /** What the program put aside for its user: older versions. */
  readonly aside: Contents;
  /** What the server really has now. */
  readonly server: Contents;
  /** The program ended by exit code 0. */
  readonly saidWhole: boolean;
  /** It printed a warning, whatever its exit code: enough to have told, not enough to have cried wolf. */
  readonly hasWarned: boolean;
  /** A program that tries again when refused can get everything. */
  readonly canBeWhole: boolean;
  /** The site was damaged, not worked on. */
  readonly isDisaster: boolean;
}

export interface Judgement {
  /** Good files that are nowhere any more, as paths. */
  readonly lost: readonly string[];
  /** Files of the server that are not here as they are there. */
  readonly behind: readonly string[];
  readonly hasKept: boolean;
  /** It said whole exactly if it is; where it could not become whole, saying so is no cry of wolf. */
  readonly hasTold: boolean;
}

export function judge(evidence: Evidence): Judgement {
  const { before, after, aside, server, saidWhole, hasWarned, canBeWhole, isDisaster } = evidence;
  const kept = new Set([...after.values(), ...aside.values()]);
  const onServer = new Set(server.values());
  const lost = [...before].flatMap(([path, content]) => {
    if (kept.has(content)) return [];
    // What the owner replaced or removed may go, as long as it was that.
    const here = after.get(path);
    const isOwnersWork = here === undefined ? !server.has(path) : onServer.has(here);
    return isOwnersWork && !isDisaster ? [] : [path];
  });
  // A name that a program must write otherwise is no file that is missing.
  const elsewhere = new Set([...after].flatMap(([path, content]) => (server.has(path) ? [] : [content])));
  const behind = [...server].flatMap(([path, content]) =>
    after.get(path) === content || elsewhere.has(content) ? [] : [path],
  );
  const isWhole = behind.length === 0;
  return {
    lost,
    behind,
    hasKept: lost.length === 0,
    hasTold: isWhole ? saidWhole || !canBeWhole : !saidWhole || hasWarned,
  };
}
