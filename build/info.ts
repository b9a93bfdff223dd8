/** What INFO says that is not the same for every package. */
export interface InfoFacts {
  /** As DSM counts: `1.2.0-0034`. */
  readonly version: string;
  /** As DSM names processors, such as `x86_64`. */
  readonly archs: readonly string[];
  /** What lies on the volume after the installation. */
  readonly extractedBytes: number;
  /** MD5 of package.tgz in hex. */
  readonly checksum: string;
  /** Seconds since 1970. */
  readonly createdAt: number;
}

/** The text of INFO, of `INFO.template`. Throws where the template asks for what is not known. */
export function infoText(template: string, facts: InfoFacts): string {
  const created = new Date(facts.createdAt * 1000).toISOString();
  const values: Readonly<Record<string, string>> = {
    version: facts.version,
    arch: facts.archs.join(' '),
    // In KB since DSM 6 (Developer Guide, INFO optional fields).
    extractsize: String(Math.ceil(facts.extractedBytes / 1024)),
    checksum: facts.checksum,
    create_time: `${created.slice(0, 10).replaceAll('-', '')}-${created.slice(11, 19)}`,
  };
  return template.replace(/@(\w+)@/g, (placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`INFO.template: nothing is known for ${placeholder}`);
    return value;
  });
}

/** `key="value"` lines as DSM reads them; a line that is none counts as a key without value. */
export function readInfo(text: string): ReadonlyMap<string, string | undefined> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const found = /^([a-z_0-9]+)="([^"]*)"$/.exec(line);
      return found === null ? [line, undefined] : [found[1] ?? '', found[2]];
    }),
  );
}
