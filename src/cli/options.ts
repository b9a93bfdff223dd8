import { parseArgs } from 'node:util';
import { nearestName } from '../settings/nearest-name.ts';
import { CONNECTIONS_MAX } from '../settings/task-settings.ts';
import { LANGUAGES, languageFromEnvironment, type Language, type TextFacts } from '../text.ts';

export const COMMANDS = [
  'run',
  'list',
  'check',
  'held',
  'decide',
  'versions',
  'tree',
  'history',
  'get',
  'delete',
  'prune',
  'verify',
  'pin',
  'unpin',
  'adopt',
] as const;
export type CommandName = (typeof COMMANDS)[number];

export interface RunCommand {
  readonly name: 'run';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly isDryRun: boolean;
  readonly isForced: boolean;
  readonly isJson: boolean;
  /** undefined: as the task says. */
  readonly connections: 'auto' | number | undefined;
  readonly logFile: string | undefined;
}

export interface ListCommand {
  readonly name: 'list';
  readonly taskFile: string;
  /** Begins with `/`, counted from the task's source folder. */
  readonly folder: string;
  readonly isJson: boolean;
}

export interface CheckCommand {
  readonly name: 'check';
  readonly taskFile: string;
  readonly isJson: boolean;
}

export interface HeldCommand {
  readonly name: 'held';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly isJson: boolean;
}

export interface DecideCommand {
  readonly name: 'decide';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly decision: 'kept' | 'accepted';
}

export interface VersionsCommand {
  readonly name: 'versions';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly isJson: boolean;
}

export interface TreeCommand {
  readonly name: 'tree';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly run: number;
  readonly folder: string;
  readonly isJson: boolean;
}

export interface GetCommand {
  readonly name: 'get';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly run: number;
  readonly path: string;
  readonly output: string;
}

export interface HistoryCommand {
  readonly name: 'history';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly path: string;
  readonly isJson: boolean;
}

export interface DeleteCommand {
  readonly name: 'delete';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly run: number;
  /** One file's content as that run left it; undefined: the whole version. */
  readonly path: string | undefined;
  readonly isConfirmed: boolean;
  readonly isJson: boolean;
}

export interface PruneCommand {
  readonly name: 'prune';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly isDryRun: boolean;
  readonly isJson: boolean;
}

export interface VerifyCommand {
  readonly name: 'verify';
  readonly taskFile: string;
  readonly stateDir: string;
  /** Everything, and not only what was not read for long. */
  readonly isAll: boolean;
  readonly isJson: boolean;
}

export interface PinCommand {
  readonly name: 'pin' | 'unpin';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly run: number;
}

export interface AdoptCommand {
  readonly name: 'adopt';
  readonly taskFile: string;
  readonly stateDir: string;
  readonly isConfirmed: boolean;
  readonly isJson: boolean;
}

/** Commands about what earlier runs have left. */
export type PastCommand =
  VersionsCommand | TreeCommand | HistoryCommand | GetCommand | DeleteCommand | PruneCommand | PinCommand;

export type Command =
  RunCommand | ListCommand | CheckCommand | HeldCommand | DecideCommand | AdoptCommand | VerifyCommand | PastCommand;

export type Invocation =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'help'; readonly about: CommandName | 'main' }
  | { readonly kind: 'version' }
  /** `key` is a text key. */
  | { readonly kind: 'wrong-usage'; readonly key: string; readonly facts: TextFacts };

const COMMON_OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  language: { type: 'string' },
} as const;

const OPTIONS = {
  main: { ...COMMON_OPTIONS, version: { type: 'boolean' } },
  run: {
    ...COMMON_OPTIONS,
    state: { type: 'string' },
    'dry-run': { type: 'boolean' },
    force: { type: 'boolean' },
    json: { type: 'boolean' },
    connections: { type: 'string' },
    log: { type: 'string' },
  },
  list: { ...COMMON_OPTIONS, json: { type: 'boolean' } },
  check: { ...COMMON_OPTIONS, json: { type: 'boolean' } },
  held: { ...COMMON_OPTIONS, state: { type: 'string' }, json: { type: 'boolean' } },
  decide: { ...COMMON_OPTIONS, state: { type: 'string' } },
  versions: { ...COMMON_OPTIONS, state: { type: 'string' }, json: { type: 'boolean' } },
  tree: { ...COMMON_OPTIONS, state: { type: 'string' }, run: { type: 'string' }, json: { type: 'boolean' } },
  history: { ...COMMON_OPTIONS, state: { type: 'string' }, json: { type: 'boolean' } },
  delete: {
    ...COMMON_OPTIONS,
    state: { type: 'string' },
    run: { type: 'string' },
    yes: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  get: {
    ...COMMON_OPTIONS,
    state: { type: 'string' },
    run: { type: 'string' },
    output: { type: 'string', short: 'o' },
  },
  prune: { ...COMMON_OPTIONS, state: { type: 'string' }, 'dry-run': { type: 'boolean' }, json: { type: 'boolean' } },
  verify: { ...COMMON_OPTIONS, state: { type: 'string' }, all: { type: 'boolean' }, json: { type: 'boolean' } },
  pin: { ...COMMON_OPTIONS, state: { type: 'string' }, run: { type: 'string' } },
  unpin: { ...COMMON_OPTIONS, state: { type: 'string' }, run: { type: 'string' } },
  adopt: { ...COMMON_OPTIONS, state: { type: 'string' }, yes: { type: 'boolean' }, json: { type: 'boolean' } },
} as const;

/** Commands with a second word after the task. */
const TWO_WORDS: ReadonlySet<CommandName> = new Set(['list', 'decide', 'tree', 'history', 'get', 'delete']);

const DECISIONS = { keep: 'kept', accept: 'accepted' } as const;

interface Given {
  readonly values: ReadonlyMap<string, string | true>;
  readonly positionals: readonly string[];
}

/** Reads the words after the program's name. The language is known even where the rest is wrong. */
export function readArguments(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): { language: Language; invocation: Invocation } {
  const commandWord = words.find((word) => !word.startsWith('-'));
  const isFirst = commandWord !== undefined && words[0] === commandWord;
  const command = COMMANDS.find((name) => isFirst && name === commandWord);
  const given = readOptions(command ?? 'main', command === undefined ? words : words.slice(1));
  const fallback = languageFromEnvironment(environment);
  if ('kind' in given) return { language: languageAmong(words) ?? fallback, invocation: given };

  const asked = given.values.get('language');
  const language = LANGUAGES.find((known) => known === asked);
  if (asked !== undefined && language === undefined) return { language: fallback, invocation: wrong('usage.language') };
  return { language: language ?? fallback, invocation: invocationOf(command, given, environment['SITE_BACKUP_STATE']) };
}

function languageAmong(words: readonly string[]): Language | undefined {
  return LANGUAGES.find((known) =>
    words.some(
      (word, index) => word === `--language=${known}` || (word === known && words[index - 1] === '--language'),
    ),
  );
}

function wrong(key: string, facts: TextFacts = {}): Invocation {
  return { kind: 'wrong-usage', key, facts };
}

function readOptions(about: keyof typeof OPTIONS, words: readonly string[]): Given | Invocation {
  const known: Readonly<Record<string, { type: 'string' | 'boolean' }>> = OPTIONS[about];
  const { tokens } = parseArgs({ args: [...words], options: OPTIONS[about], strict: false, tokens: true });
  const values = new Map<string, string | true>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (option === undefined) {
      const near = nearestName(token.name, Object.keys(known));
      return wrong('usage.unknown-option', { option: token.rawName, near: near === undefined ? near : `--${near}` });
    }
    if (values.has(token.name)) return wrong('usage.twice', { option: token.rawName });
    if (option.type === 'boolean' && token.value !== undefined) {
      return wrong('usage.value-unwanted', { option: token.rawName });
    }
    if (option.type === 'string') {
      // `--state --json`: the next option was taken for the value.
      const isMissing =
        token.value === undefined || token.value === '' || (!token.inlineValue && /^--./.test(token.value));
      if (isMissing) return wrong('usage.value-missing', { option: token.rawName });
    }
    values.set(token.name, token.value ?? true);
  }
  return { values, positionals };
}

/** `usualState`: the folder of the state where no option names one. */
function invocationOf(command: CommandName | undefined, given: Given, usualState: string | undefined): Invocation {
  const { values, positionals } = given;
  if (values.has('help')) return { kind: 'help', about: command ?? 'main' };
  if (values.has('version')) return { kind: 'version' };
  if (command === undefined) {
    const word = positionals[0];
    if (word === undefined) return wrong('usage.no-command');
    return wrong('usage.unknown-command', { command: word, near: nearestName(word, COMMANDS) });
  }
  const [taskFile, second, third] = positionals;
  if (taskFile === undefined) return wrong('usage.task-missing');
  const extra = TWO_WORDS.has(command) ? third : second;
  if (extra !== undefined) return wrong('usage.too-many', { argument: extra });
  const isJson = values.has('json');

  if (command === 'check') return { kind: 'command', command: { name: 'check', taskFile, isJson } };
  if (command === 'list') {
    const folder = second ?? '/';
    if (!folder.startsWith('/')) return wrong('usage.folder-relative');
    return { kind: 'command', command: { name: 'list', taskFile, folder, isJson } };
  }
  const stateDir = stringValue(values, 'state') ?? usualState;
  if (stateDir === undefined || stateDir === '') return wrong('usage.state-missing');
  if (command === 'held') return { kind: 'command', command: { name: 'held', taskFile, stateDir, isJson } };
  if (command === 'decide') {
    if (second !== 'keep' && second !== 'accept') return wrong('usage.decision');
    return { kind: 'command', command: { name: 'decide', taskFile, stateDir, decision: DECISIONS[second] } };
  }
  if (command === 'adopt') {
    const isConfirmed = values.has('yes');
    return { kind: 'command', command: { name: 'adopt', taskFile, stateDir, isConfirmed, isJson } };
  }
  if (command === 'run') return runInvocation(taskFile, stateDir, isJson, values);
  if (command === 'verify') {
    return { kind: 'command', command: { name: 'verify', taskFile, stateDir, isAll: values.has('all'), isJson } };
  }
  return pastInvocation(command, { taskFile, stateDir }, second, values);
}

function pastInvocation(
  name: PastCommand['name'],
  task: { taskFile: string; stateDir: string },
  word: string | undefined,
  values: Given['values'],
): Invocation {
  const isJson = values.has('json');
  if (name === 'versions') return { kind: 'command', command: { name, ...task, isJson } };
  if (name === 'prune') {
    return { kind: 'command', command: { name, ...task, isDryRun: values.has('dry-run'), isJson } };
  }
  if (name === 'history') {
    if (word === undefined) return wrong('usage.path-missing');
    if (!word.startsWith('/')) return wrong('usage.folder-relative');
    return { kind: 'command', command: { name, ...task, path: word, isJson } };
  }
  const run = stringValue(values, 'run');
  if (run === undefined || !/^[1-9]\d{0,14}$/.test(run)) return wrong('usage.run');
  if (name === 'pin' || name === 'unpin') return { kind: 'command', command: { name, ...task, run: Number(run) } };
  if (name === 'delete') {
    if (word !== undefined && !word.startsWith('/')) return wrong('usage.folder-relative');
    const isConfirmed = values.has('yes');
    return { kind: 'command', command: { name, ...task, run: Number(run), path: word, isConfirmed, isJson } };
  }
  const path = word ?? (name === 'tree' ? '/' : undefined);
  if (path === undefined) return wrong('usage.path-missing');
  if (!path.startsWith('/')) return wrong('usage.folder-relative');
  if (name === 'tree') {
    return { kind: 'command', command: { name, ...task, run: Number(run), folder: path, isJson } };
  }
  const output = stringValue(values, 'output');
  if (output === undefined) return wrong('usage.output-missing');
  return { kind: 'command', command: { name, ...task, run: Number(run), path, output } };
}

function runInvocation(taskFile: string, stateDir: string, isJson: boolean, values: Given['values']): Invocation {
  const connections = connectionsOf(stringValue(values, 'connections'));
  if (connections === 'wrong') return wrong('usage.connections', { max: CONNECTIONS_MAX });
  return {
    kind: 'command',
    command: {
      name: 'run',
      taskFile,
      stateDir,
      isDryRun: values.has('dry-run'),
      isForced: values.has('force'),
      isJson,
      connections,
      logFile: stringValue(values, 'log'),
    },
  };
}

function stringValue(values: Given['values'], name: string): string | undefined {
  const value = values.get(name);
  return typeof value === 'string' ? value : undefined;
}

function connectionsOf(word: string | undefined): 'auto' | number | undefined | 'wrong' {
  if (word === undefined || word === 'auto') return word;
  const count = Number(word);
  return /^\d{1,3}$/.test(word) && count >= 1 && count <= CONNECTIONS_MAX ? count : 'wrong';
}
