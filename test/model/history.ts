/** What can happen to a site and to its backup, as data: fast-check makes such histories, and makes a failing one smaller. */
import fc from 'fast-check';
import { utf8Name } from '../support/scripted-ftp-tree.ts';

/** Numbers of NAMES, one for each part of a path. */
export type PathChoice = readonly number[];

/** A change of the site. `pick` chooses among what is there; where nothing is, nothing happens. */
export type Edit =
  | { readonly edit: 'write'; readonly path: PathChoice; readonly size: number; readonly isReplaced: boolean }
  | { readonly edit: 'rewrite'; readonly pick: number; readonly size: number; readonly isOlder: boolean }
  /** `silent`: another content of the same size, and nothing that the server shows is another. */
  | { readonly edit: 'touch' | 'remove' | 'silent'; readonly pick: number }
  | { readonly edit: 'removeFolder' | 'forbid'; readonly pick: number }
  /** The last name of a file or folder in the other case; a file becomes a folder, and the other way round. */
  | { readonly edit: 'recase' | 'swap'; readonly pick: number }
  | { readonly edit: 'rename'; readonly pick: number; readonly path: PathChoice }
  | { readonly edit: 'renameFolder'; readonly pick: number; readonly path: PathChoice }
  /** A folder that is there can be reached by this path, too. */
  | { readonly edit: 'alias'; readonly pick: number; readonly path: PathChoice }
  | { readonly edit: 'folder' | 'link' | 'many'; readonly path: PathChoice }
  | { readonly edit: 'allow' };

/** A failure of the server; see `addServerFault`. `nth` counts the commands that it could meet. */
export interface ServerFault {
  readonly fault:
    | 'drop'
    | 'busy'
    | 'listing-refused'
    | 'folder-refused'
    | 'listing-truncated'
    | 'listing-cut'
    | 'listing-empty'
    | 'listing-hides'
    | 'listing-capped'
    | 'file-short'
    | 'file-long'
    | 'file-reset'
    | 'file-refused'
    | 'file-unconfirmed';
  readonly nth: number;
  readonly isLasting: boolean;
}

export interface Run {
  readonly do: 'run';
  /** `kill`: by SIGKILL after a lasting effect; where no process can be killed, a cancellation. */
  readonly how: 'plain' | 'forced' | 'dry' | 'cancel' | 'disk-once' | 'disk-dead' | 'kill';
  /** The command, the call to the disk or the effect at which that happens. */
  readonly at: number;
  readonly connections: 1 | 3;
  readonly attempts: number;
  readonly faults: readonly ServerFault[];
  /** Changes of the site while the run looks at it. */
  readonly meanwhile: readonly { readonly at: number; readonly change: Edit }[];
}

export interface Rules {
  readonly do: 'rules';
  readonly deletion: 'keep' | 'archive' | 'delete';
  readonly days: number;
  readonly keep: 'all' | 'last' | 'within' | 'steps' | 'smart';
  readonly count: number;
  readonly quotaBytes: number | undefined;
  readonly hasGuards: boolean;
  /** Content that is read again, from the server and from the disk. */
  readonly sampleBytes: number;
  readonly rehashDays: number;
}

export type Step =
  | { readonly do: 'edit'; readonly change: Edit }
  | Run
  | Rules
  /** The state is lost right after a complete run, and the folder adopted anew. At any other time nothing happens. */
  | { readonly do: 'adopt' }
  /** A file of the task's folder on the NAS is no longer what it was: size and time are, but where it is cut or lost. */
  | {
      readonly do: 'damage';
      readonly where: 'current' | 'versions';
      readonly how: 'flipped' | 'cut' | 'lost';
      readonly pick: number;
    }
  /** Somebody deletes one older content of a file, or one version. */
  | { readonly do: 'delete'; readonly what: 'content' | 'point'; readonly pick: number }
  /** A copy of the state, or of the task's folder; and what was copied last takes the place of what is there. */
  | { readonly do: 'lay-aside'; readonly what: 'state' | 'folder' }
  | { readonly do: 'put-back' }
  /** What is left out from now on: among EXCLUDABLE. */
  | { readonly do: 'filter'; readonly exclude: readonly string[] }
  | { readonly do: 'decide'; readonly decision: 'kept' | 'accepted' }
  | { readonly do: 'pin'; readonly pick: number; readonly isPinned: boolean }
  /** The clock of the NAS moves, by waiting or by being set. */
  | { readonly do: 'clock'; readonly hours: number }
  /** The server shows its times in another zone. */
  | { readonly do: 'zone'; readonly minutes: number };

export interface History {
  readonly server: {
    readonly hasMlsd: boolean;
    readonly uniqueFacts: boolean;
    readonly hasMlst: boolean;
    readonly hasHash: boolean;
  };
  readonly steps: readonly Step[];
}

/** Bytes as latin1 text: in two alphabets, in two ways to write one letter, and names that mean something elsewhere. */
export const NAMES = [
  'a',
  'b',
  'c',
  'page.html',
  'README',
  'readme',
  utf8Name('Zoë'),
  utf8Name('Zoe\u0308'),
  'caf\xe9',
  '[slug]',
  '-rf',
  'two words',
  '.hidden',
  '100%41',
  '@eaDir',
  '~',
  'a~2',
  'x'.repeat(200),
];

/** Patterns of filters, for names at any depth. */
export const EXCLUDABLE = ['a', 'b', 'page.html', 'README', '.hidden', '~', '*.jpg'];

const path = fc.array(fc.nat({ max: NAMES.length - 1 }), { minLength: 1, maxLength: 3 });
const pick = fc.nat({ max: 1000 });
const size = fc.nat({ max: 5 });

const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ edit: fc.constant('write' as const), path, size, isReplaced: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ edit: fc.constant('rewrite' as const), pick, size, isOlder: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ edit: fc.constantFrom('touch', 'remove', 'remove'), pick }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant('silent' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constantFrom('removeFolder', 'forbid'), pick }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constantFrom('recase', 'swap'), pick }) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constant('rename' as const), pick, path }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant('renameFolder' as const), pick, path }) },
  { weight: 1, arbitrary: fc.record({ edit: fc.constant('alias' as const), pick, path }) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constantFrom('folder', 'link', 'many'), path }) },
  { weight: 2, arbitrary: fc.constant({ edit: 'allow' as const }) },
);

const fault: fc.Arbitrary<ServerFault> = fc.record({
  fault: fc.constantFrom(
    'drop',
    'busy',
    'listing-refused',
    'folder-refused',
    'listing-truncated',
    'listing-cut',
    'listing-empty',
    'listing-hides',
    'listing-capped',
    'file-short',
    'file-long',
    'file-reset',
    'file-refused',
    'file-unconfirmed',
  ),
  nth: fc.integer({ min: 1, max: 12 }),
  isLasting: fc.boolean(),
});

const mostlyNone = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant([] as readonly T[]) },
    { weight: 1, arbitrary: fc.array(item, { minLength: 1, maxLength: 2 }) },
  );

const run: fc.Arbitrary<Run> = fc.record({
  do: fc.constant('run' as const),
  how: fc.oneof(
    { weight: 10, arbitrary: fc.constant('plain' as const) },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        'forced',
        'dry',
        'cancel',
        'cancel',
        'disk-once',
        'disk-once',
        'disk-dead',
        'kill',
        'kill',
      ),
    },
  ),
  at: fc.integer({ min: 1, max: 120 }),
  connections: fc.constantFrom(1, 3),
  attempts: fc.constantFrom(1, 4, 4),
  faults: mostlyNone(fault),
  meanwhile: mostlyNone(fc.record({ at: fc.integer({ min: 3, max: 40 }), change: edit })),
});

const rules: fc.Arbitrary<Rules> = fc.record({
  do: fc.constant('rules' as const),
  deletion: fc.constantFrom('keep', 'archive', 'archive', 'delete'),
  days: fc.constantFrom(1, 30),
  keep: fc.constantFrom('all', 'last', 'within', 'steps', 'smart'),
  count: fc.integer({ min: 1, max: 5 }),
  quotaBytes: fc.constantFrom(undefined, undefined, undefined, 1, 500, 5000),
  hasGuards: fc.boolean(),
  sampleBytes: fc.constantFrom(0, 0, 100, 5000),
  rehashDays: fc.constantFrom(0, 0, 1, 30),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 24, arbitrary: fc.record({ do: fc.constant('edit' as const), change: edit }) },
  { weight: 8, arbitrary: run },
  { weight: 1, arbitrary: rules },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('filter' as const),
      exclude: fc.subarray(EXCLUDABLE, { maxLength: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('decide' as const), decision: fc.constantFrom('kept', 'accepted') }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'adopt' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('delete' as const),
      what: fc.constantFrom('content', 'content', 'point'),
      pick,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({ do: fc.constant('lay-aside' as const), what: fc.constantFrom('state', 'folder') }),
      fc.constant({ do: 'put-back' as const }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('damage' as const),
      where: fc.constantFrom('current', 'current', 'versions'),
      how: fc.constantFrom('flipped', 'flipped', 'cut', 'lost'),
      pick,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pin' as const), pick, isPinned: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('clock' as const), hours: fc.constantFrom(1, 24, 240, 960, -2, -72) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('zone' as const), minutes: fc.constantFrom(0, 60, 120, -300) }),
  },
);

/** Histories of up to `stepsMax` steps, most of them changes of the site. */
export function histories(stepsMax: number): fc.Arbitrary<History> {
  return fc.record({
    server: fc.record({
      hasMlsd: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      uniqueFacts: fc.boolean(),
      hasMlst: fc.boolean(),
      hasHash: fc.boolean(),
    }),
    steps: fc.array(step, { minLength: Math.ceil(stepsMax / 3), maxLength: stepsMax, size: 'max' }),
  });
}
