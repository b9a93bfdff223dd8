import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMMANDS, readArguments, type Invocation } from '../../src/cli/options.ts';
import { createText, LANGUAGES } from '../../src/text.ts';

function invocation(line: string): Invocation {
  return readArguments(line === '' ? [] : line.split(' '), {}).invocation;
}

function usageSentence(line: string): string {
  const read = invocation(line);
  assert.ok(read.kind === 'wrong-usage', `accepted: ${line}`);
  return createText('en').t(read.key, read.facts);
}

describe('the command line', () => {
  it('reads a run with all its options, in any order', () => {
    const line = 'run --json task.json --state=s --connections 3 --dry-run --force --log l.log --language fr';
    assert.deepEqual(readArguments(line.split(' '), {}), {
      language: 'fr',
      invocation: {
        kind: 'command',
        command: {
          name: 'run',
          taskFile: 'task.json',
          stateDir: 's',
          isDryRun: true,
          isForced: true,
          isJson: true,
          connections: 3,
          logFile: 'l.log',
        },
      },
    });
  });

  it('reads what is short', () => {
    const command = { name: 'list', taskFile: 't', folder: '/', isJson: false } as const;
    assert.deepEqual(invocation('list t'), { kind: 'command', command });
    assert.deepEqual(invocation('list t /a'), { kind: 'command', command: { ...command, folder: '/a' } });
    assert.deepEqual(invocation('check t --json'), {
      kind: 'command',
      command: { name: 'check', taskFile: 't', isJson: true },
    });
    assert.deepEqual(invocation('--version'), { kind: 'version' });
    assert.deepEqual(invocation('--help'), { kind: 'help', about: 'main' });
    assert.deepEqual(invocation('run -h'), { kind: 'help', about: 'run' });
  });

  it('takes the folder of the state from the environment where none is given, as the command of the package does', () => {
    const stateOf = (line: string, folder: string): string => {
      const { invocation: read } = readArguments(line.split(' '), { SITE_BACKUP_STATE: folder });
      return read.kind === 'command' && 'stateDir' in read.command ? read.command.stateDir : read.kind;
    };
    assert.equal(stateOf('versions t', '/data'), '/data');
    assert.equal(stateOf('run t --state s', '/data'), 's');
    assert.equal(stateOf('run t', ''), 'wrong-usage');
  });

  const wrong: readonly (readonly [line: string, sentence: RegExp])[] = [
    ['', /^Name a command/],
    ['rnu t', /“rnu”; did you mean “run”\?/],
    ['explode', /^There is no command “explode”$/],
    ['run', /task file/],
    ['run t', /--state DIR/],
    ['run t --state', /--state needs a value/],
    ['run t --state --json', /--state needs a value/],
    ['run t --state=', /--state needs a value/],
    ['run t --state s --sate x', /no option --sate here; did you mean --state\?/],
    ['run t --state s --force=yes', /--force takes no value/],
    ['run t --state s --state r', /--state is given twice/],
    ['run t --state s u', /too many: u/],
    ['run t --state s --connections 0', /1 to 20/],
    ['run t --state s --connections 21', /1 to 20/],
    ['run t --state s --connections 2.5', /1 to 20/],
    ['run t --state s --connections many', /1 to 20/],
    ['run t --state s -x', /no option -x/],
    ['list t a', /begin with \//],
    ['check t --state s', /no option --state/],
    ['check t --language de', /en or fr/],
  ];
  for (const [line, sentence] of wrong) {
    it(`says what is wrong with “${line}”`, () => {
      assert.match(usageSentence(line), sentence);
    });
  }

  it('reads what is to be shown of a held run, and what is decided', () => {
    assert.deepEqual(invocation('held t --state s --json'), {
      kind: 'command',
      command: { name: 'held', taskFile: 't', stateDir: 's', isJson: true },
    });
    for (const [word, decision] of [
      ['keep', 'kept'],
      ['accept', 'accepted'],
    ] as const) {
      const command = { name: 'decide', taskFile: 't', stateDir: 's', decision } as const;
      assert.deepEqual(invocation(`decide t ${word} --state s`), { kind: 'command', command });
    }
    assert.match(usageSentence('decide t --state s'), /keep or accept/);
    assert.match(usageSentence('decide t yes --state s'), /keep or accept/);
    assert.match(usageSentence('decide t keep accept --state s'), /too many/);
    assert.match(usageSentence('held t'), /--state/);
  });

  it('adopts a folder only where that is said', () => {
    const looks = { name: 'adopt', taskFile: 't', stateDir: 's', isConfirmed: false, isJson: false } as const;
    assert.deepEqual(invocation('adopt t --state s'), { kind: 'command', command: looks });
    assert.deepEqual(invocation('adopt t --state s --yes'), {
      kind: 'command',
      command: { ...looks, isConfirmed: true },
    });
    assert.match(usageSentence('adopt t --yes'), /--state/);
  });

  it('helps with every command, and names it among all', () => {
    for (const text of LANGUAGES.map(createText)) {
      for (const name of COMMANDS) {
        assert.match(text.t('help.main'), new RegExp(`^  ([a-z]+, )*${name}\\b`, 'm'), name);
        assert.match(text.t(`help.${name}`), new RegExp(` site-backup ${name} `), name);
      }
    }
  });

  it('knows the language even where the rest is wrong', () => {
    assert.equal(readArguments(['run', '--wrong', '--language', 'fr'], {}).language, 'fr');
    assert.equal(readArguments(['run', '--language=fr', '--wrong'], {}).language, 'fr');
    assert.equal(readArguments(['run'], { LANG: 'fr_CA.UTF-8' }).language, 'fr');
  });
});
