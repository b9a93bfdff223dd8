/** A fault that somebody could put into the program, and the tests that must notice it. */
export interface Mutant {
  readonly name: string;
  /** Below `src`. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly text: string;
  readonly replacement: string;
  /** Test files below `test`, and a pattern for the names of the tests that are run. */
  readonly tests: readonly string[];
  readonly pattern: string;
}

/** The faults that would make the backup lie, each at the one place where the program rules it out. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'record before rename',
    file: 'engine/recorder.ts',
    text: '      await this.#place(arrival);\n',
    replacement: `      tables.transaction(() => {
        this.#record(arrival.step, arrival.arrived);
      });
      await this.#place(arrival);
`,
    tests: ['faults/past-trees.test.ts'],
    pattern: 'was not renamed into its place',
  },
  {
    name: 'no size check',
    file: 'local/part.ts',
    text: 'if (this.sizeBytes !== expected.sizeBytes)',
    replacement: 'if (this.sizeBytes > expected.sizeBytes)',
    tests: ['unit/target.test.ts'],
    pattern: 'does not finish with another size',
  },
  {
    name: 'ignore incomplete',
    file: 'engine/plan.ts',
    text: 'if (this.#folder.incomplete !== undefined || record.missingSinceRun !== undefined) return;',
    replacement: 'if (record.missingSinceRun !== undefined) return;',
    tests: ['faults/hidden-files.test.ts'],
    pattern: 'has nothing taken for gone',
  },
  {
    name: 'refused folder is empty',
    file: 'engine/scan.ts',
    text: '    tables.setFailed(folder.id, error.code, error.detail);\n',
    replacement: `    tables.setListed(folder.id, {
      incomplete: undefined,
      detail: undefined,
      fingerprint: new ListingFingerprint(this.#context.fingerprintSalt).digest(),
      entryCount: 0,
      fileCount: 0,
      isUnchanged: false,
      aliasOf: undefined,
    });
`,
    tests: ['faults/lying-listings.test.ts'],
    pattern: 'by refusing CWD with a bare 550 is refused',
  },
  {
    name: 'emptied root is believed',
    file: 'engine/scan.ts',
    text: 'if (isStillEmpty && folder.parentId === undefined) {',
    replacement: 'if (isStillEmpty && folder.depth < 0) {',
    tests: ['faults/lying-listings.test.ts'],
    pattern: 'is not believed either when it really is',
  },
  {
    name: 'reuse a dead session',
    file: 'engine/pool-run.ts',
    text: "if (error.scope === 'session' || error.scope === 'run') {",
    replacement: "if (error.scope === 'run') {",
    tests: ['unit/session-pool.test.ts'],
    pattern: 'is tried again on another connection',
  },
  {
    name: 'allow ..',
    file: 'local/local-path.ts',
    text: "name === '' || name === '.' || name === '..' ||",
    replacement: "name === '' || name === '.' ||",
    tests: ['unit/target.test.ts'],
    pattern: 'takes no path that leads out of current',
  },
  {
    name: 'retire from an incomplete run',
    file: 'engine/retire-vanished.ts',
    text: 'return results.failureCount() === 0 && results.counts().foldersIncomplete === 0;',
    replacement: 'return results.failureCount() >= 0;',
    tests: ['integration/versions.test.ts'],
    pattern: 'stays while a run is not complete',
  },
  {
    name: 'retire after one run',
    file: 'engine/retire-vanished.ts',
    text: 'const confirmedRun = tables.lastCompleteRunBefore(runId);',
    replacement: 'const confirmedRun = runId;',
    tests: ['integration/versions.test.ts'],
    pattern: 'goes to the versions after two complete runs',
  },
  {
    name: 'no probe before a file is retired',
    file: 'engine/retire-vanished.ts',
    text: 'if (!(await isThere(other, absence)) || (',
    replacement: 'if (Date.now() > 0 || !(await isThere(other, absence)) || (',
    tests: ['faults/freeze.test.ts'],
    pattern: 'that two listings leave out and that is there',
  },
  {
    name: 'guard ignored',
    file: 'engine/guards.ts',
    text: 'return isHeld ? signs.map(({ finding }) => finding) : [];',
    replacement: 'return isHeld && signs.length > 99 ? signs.map(({ finding }) => finding) : [];',
    tests: ['faults/guards.test.ts'],
    pattern: 'is held when a folder has gone',
  },
  {
    name: 'prune while held',
    file: 'engine/prune.ts',
    text: `  if (new HoldStore(database).open() !== undefined) return { points: [], pruned: none, expired: none };
`,
    replacement: '',
    tests: ['faults/freeze.test.ts'],
    pattern: 'prunes nothing while a question is open',
  },
  {
    name: 'version row without the file',
    file: 'engine/version-keeper.ts',
    text: "const state = keptAs === 'absent' ? 'lost' : keptAs;",
    replacement: "const state = keptAs === 'absent' ? 'kept' : keptAs;",
    tests: ['faults/freeze.test.ts'],
    pattern: 'that somebody has removed here',
  },
  {
    name: 'version row before the file',
    file: 'engine/version-keeper.ts',
    text: '    this.#versionId = id;\n',
    replacement: "    this.#versionId = id;\n    versions.settle(id, 'kept');\n",
    tests: ['faults/past-trees.test.ts'],
    pattern: 'claims no version that the disk did not take',
  },
  {
    name: 'file replaced without a version',
    file: 'engine/recorder.ts',
    text: "      await arrival.departure?.keep('link');\n",
    replacement: '',
    tests: ['integration/versions.test.ts'],
    pattern: 'is kept as it was, once for each run',
  },
  {
    name: 'prune below the last complete',
    file: 'engine/prune.ts',
    text: 'isProtected: isPinned || runId === lastComplete,',
    replacement: 'isProtected: isPinned || (runId === lastComplete && isPinned),',
    tests: ['faults/freeze.test.ts'],
    pattern: 'never gives up the tree of the last complete run',
  },
  {
    name: 'what a run is moving is not there',
    file: 'state/version-tree.ts',
    text: "(until_run > @run OR state = 'moving')",
    replacement: 'until_run > @run',
    tests: ['faults/past-trees.test.ts'],
    pattern: 'does not lack',
  },
];
