import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { faultLines, readTask } from '../../src/cli/read-task.ts';
import { parseTaskSettings, settingsHash } from '../../src/settings/parse-task.ts';
import { systemSecrets, type SecretLookup } from '../../src/settings/password-source.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import { createText, LANGUAGES } from '../../src/text.ts';

const PASSWORD = 'Tr0ub4dor&3-secret';

const noSecrets: SecretLookup = {
  environment: () => undefined,
  file: () => ({ key: 'fault.password-file-unreadable', facts: { file: 'x', reason: 'ENOENT' } }),
};

interface Parts {
  task?: object;
  source?: object;
  target?: object;
}

function taskWith({ task = {}, source = {}, target = {} }: Parts = {}): unknown {
  return {
    name: 'demo',
    source: { protocol: 'ftp', host: 'ftp.example.com', user: 'web', password: PASSWORD, folder: '/', ...source },
    target: { folder: '/volume1/backups/demo', ...target },
    ...task,
  };
}

function settingsOf(json: unknown, secrets = noSecrets): TaskSettings {
  const result = parseTaskSettings(json, secrets);
  assert.ok('settings' in result, JSON.stringify(result));
  return result.settings;
}

/** The fault at `path`, in English; fails where there is none. */
function faultAt(path: string, json: unknown, secrets = noSecrets): string {
  const result = parseTaskSettings(json, secrets);
  assert.ok('faults' in result, `accepted: ${JSON.stringify(json)}`);
  const fault = result.faults.find((item) => item.path === path);
  assert.ok(fault !== undefined, JSON.stringify(result.faults));
  const sentence = faultLines('task.json', [fault], createText('en'))[1]?.trim();
  assert.ok(sentence !== undefined);
  assert.doesNotMatch(sentence, /[{}…]|fault\.|allowed\./);
  return sentence;
}

describe('a task file', () => {
  it('needs nothing but a name, a server and a target folder', () => {
    const settings = settingsOf(taskWith());
    assert.equal(settings.source.port, 21);
    assert.equal(settings.source.password.reveal(), PASSWORD);
    assert.deepEqual(settings.source.timeouts, { connectSeconds: 20, idleSeconds: 60 });
    assert.deepEqual(settings.source.tls, { fingerprint: undefined });
    assert.equal(settings.connections, 'auto');
    assert.deepEqual(settings.retries, { attempts: 4, firstDelaySeconds: 2 });
    assert.deepEqual(settings.verification, {
      restat: true,
      sampleBytes: 64 * 1024 * 1024,
      sampleSeconds: 120,
      rehashDays: 90,
    });
    assert.deepEqual(settings.deletion, { rule: 'archive', days: 90 });
    assert.equal(settings.versions.keep, 'smart');
    assert.equal(settings.guards.vanishedPercent, 10);
    assert.equal(settings.guards.emptiedFolders, true);
    assert.deepEqual(settings.filters, {
      include: [],
      exclude: [],
      sets: [],
      minSizeBytes: undefined,
      maxSizeBytes: undefined,
      newerThanDays: undefined,
      olderThanDays: undefined,
    });
  });

  it('takes the port from the protocol unless it is written', () => {
    assert.equal(settingsOf(taskWith({ source: { protocol: 'ftps' } })).source.port, 21);
    assert.equal(settingsOf(taskWith({ source: { protocol: 'ftps-implicit' } })).source.port, 990);
    assert.equal(settingsOf(taskWith({ source: { protocol: 'ftps-implicit', port: 21 } })).source.port, 21);
  });

  it('leaves the object it was given as it was', () => {
    const json = taskWith();
    const before = JSON.stringify(json);
    settingsOf(json);
    assert.equal(JSON.stringify(json), before);
  });

  it('tidies hosts, folders and fingerprints', () => {
    const hex = 'AB'.repeat(32);
    const colons = hex.replace(/..(?=.)/g, '$&:');
    const source = { protocol: 'ftps', host: 'bücher.example.', folder: '//www//site/', tls: { fingerprint: colons } };
    const settings = settingsOf(taskWith({ source, target: { folder: '/volume1/b//demo/' } }));
    assert.equal(settings.source.host, 'xn--bcher-kva.example');
    assert.equal(settings.source.folder, '/www/site');
    assert.equal(settings.source.tls.fingerprint, hex.toLowerCase());
    assert.equal(settings.target.folder, '/volume1/b/demo');
    assert.equal(settingsOf(taskWith({ source: { host: '[2001:db8::1]' } })).source.host, '2001:db8::1');
  });

  const wrong: readonly (readonly [what: string, path: string, parts: Parts, sentence: RegExp])[] = [
    [
      'a port out of range',
      '/source/port',
      { source: { port: 70000 } },
      /^source\.port: 70000 is not allowed: .*1 to 65535/,
    ],
    ['a port in quotation marks', '/source/port', { source: { port: '21' } }, /"21" is not allowed: .*whole number/],
    ['a port with a fraction', '/source/port', { source: { port: 21.5 } }, /21\.5 is not allowed/],
    [
      'a misspelt protocol',
      '/source/protocol',
      { source: { protocol: 'fpts' } },
      /did you mean "ftps"\?.*"ftp", "ftps"/,
    ],
    ['a protocol of another kind', '/source/protocol', { source: { protocol: 'http' } }, /one of "ftp"/],
    ['a misspelt setting', '/source/pasword', { source: { pasword: 'x' } }, /did you mean "password"/],
    ['a setting of no known name', '/zzz', { task: { zzz: 1 } }, /^zzz: there is no setting of this name$/],
    ['a missing folder', '/source/folder', { source: { folder: undefined } }, /missing: .*"\/www"/],
    ['an empty host', '/source/host', { source: { host: '' } }, /empty: enter the host name/],
    [
      'a whole address as host',
      '/source/host',
      { source: { host: `ftp://web:${PASSWORD}@h.example/www` } },
      /only the host name/,
    ],
    ['a host with a folder', '/source/host', { source: { host: 'h.example/www' } }, /only the host name/],
    ['a host with a port', '/source/host', { source: { host: 'h.example:2121' } }, /source\.port/],
    ['a host with a space', '/source/host', { source: { host: 'h example' } }, /not a host name/],
    ['a number as host', '/source/host', { source: { host: '1' } }, /not a host name/],
    ['a host with a line break', '/source/host', { source: { host: 'h.example\r\nDELE x' } }, /control character/],
    ['a user with a line break', '/source/user', { source: { user: 'u\r\nDELE x' } }, /control character/],
    ['a password with a line break', '/source/password', { source: { password: 'a\nb' } }, /control character/],
    ['a folder with a line break', '/source/folder', { source: { folder: '/a\r\nDELE x' } }, /control character/],
    ['a relative server folder', '/source/folder', { source: { folder: 'www' } }, /must begin with \//],
    ['a server folder that climbs', '/source/folder', { source: { folder: '/www/../..' } }, /may not hold/],
    ['a relative target', '/target/folder', { target: { folder: 'backups' } }, /must begin with \//],
    ['the root as target', '/target/folder', { target: { folder: '//' } }, /inside a shared folder/],
    ['a volume as target', '/target/folder', { target: { folder: '/volume1/' } }, /inside a shared folder/],
    ['a published target', '/target/folder', { target: { folder: '/volume2/web/site' } }, /Web Station/],
    [
      'a target that an uninstall deletes',
      '/target/folder',
      { target: { folder: '/var/packages/SiteBackup/var/a' } },
      /belongs to DSM/,
    ],
    [
      'the same by its other name',
      '/target/folder',
      { target: { folder: '/volume1/@appdata/SiteBackup/a' } },
      /belongs to DSM/,
    ],
    ['a published home as target', '/target/folder', { target: { folder: '/volume1/homes/ann/www' } }, /Web Station/],
    ['too many connections', '/connections', { task: { connections: 21 } }, /21 is not allowed: .*"auto".*1 to 20/],
    ['a word for connections', '/connections', { task: { connections: 'many' } }, /"many" is not allowed/],
    ['an unknown deletion rule', '/deletion/rule', { task: { deletion: { rule: 'purge' } } }, /"archive"/],
    ['a guard at nothing', '/guards/vanishedFiles', { task: { guards: { vanishedFiles: 0 } } }, /or null/],
    [
      'a short fingerprint',
      '/source/tls/fingerprint',
      { source: { protocol: 'ftps', tls: { fingerprint: 'ab:cd' } } },
      /64 hex/,
    ],
    [
      'a fingerprint without TLS',
      '/source/tls/fingerprint',
      { source: { tls: { fingerprint: 'a'.repeat(64) } } },
      /no certificate/,
    ],
    ['an unknown set', '/filters/sets/0', { task: { filters: { sets: ['log'] } } }, /did you mean "logs"/],
    [
      'a pattern that climbs',
      '/filters/exclude/1',
      { task: { filters: { exclude: ['a', '../b'] } } },
      /^filters\.exclude\[1\]: /,
    ],
    ['a pattern of nothing', '/filters/exclude/0', { task: { filters: { exclude: ['!/'] } } }, /names nothing/],
    [
      'crossed sizes',
      '/filters/maxSizeBytes',
      { task: { filters: { minSizeBytes: 9, maxSizeBytes: 8 } } },
      /no file would/,
    ],
    [
      'crossed ages',
      '/filters/newerThanDays',
      { task: { filters: { newerThanDays: 2, olderThanDays: 3 } } },
      /no file would/,
    ],
    ['a text for a switch', '/verification/restat', { task: { verification: { restat: 'yes' } } }, /true or false/],
    ['a blank name', '/name', { task: { name: '  ' } }, /empty/],
    ['a list for a group', '/source', { task: { source: [] } }, /group of settings/],
  ];
  for (const [what, path, parts, sentence] of wrong) {
    it(`with ${what} is refused with a sentence that helps`, () => {
      const json = JSON.parse(JSON.stringify(taskWith(parts))) as unknown;
      assert.match(faultAt(path, json), sentence);
    });
  }

  it('names all its faults at once', () => {
    const result = parseTaskSettings(taskWith({ source: { port: 0, hots: 1 }, task: { connections: 0 } }), noSecrets);
    assert.ok('faults' in result);
    assert.deepEqual(result.faults.map((fault) => fault.path).sort(), ['/connections', '/source/hots', '/source/port']);
  });

  it('never throws and never repeats the password, whatever is wrong with it', () => {
    const json = fc.oneof(
      fc.jsonValue(),
      fc.anything(),
      fc
        .record({ task: fc.dictionary(fc.constantFrom('name', 'filters', 'connections', 'zz'), fc.jsonValue()) })
        .map((parts) => taskWith(parts)),
      fc
        .dictionary(
          fc.constantFrom(
            'host',
            'port',
            'user',
            'folder',
            'protocol',
            'passwordFile',
            'passwordEnv',
            'tls',
            '__proto__',
          ),
          fc.oneof(fc.jsonValue(), fc.constant(`ftp://u:${PASSWORD}@h/x`), fc.constant(`\n${PASSWORD}`)),
        )
        .map((source) => taskWith({ source })),
    );
    fc.assert(
      fc.property(json, (value) => {
        const result = parseTaskSettings(value, noSecrets);
        if ('settings' in result) return;
        assert.ok(result.faults.length > 0);
        for (const language of LANGUAGES) {
          const said = faultLines('task.json', result.faults, createText(language)).join('\n');
          assert.ok(!said.includes(PASSWORD), said);
        }
        assert.ok(!JSON.stringify(result.faults).includes(PASSWORD));
      }),
      { numRuns: 400 },
    );
  });
});

describe('a password', () => {
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-password-'));
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const from = (source: object): unknown => taskWith({ source: { password: undefined, ...source } });
  const withoutUndefined = (json: unknown): unknown => JSON.parse(JSON.stringify(json));
  const secrets = systemSecrets({ SITE_PASSWORD: PASSWORD, EMPTY: '' }, folder);

  it('may come from an environment variable', () => {
    const json = withoutUndefined(from({ passwordEnv: 'SITE_PASSWORD' }));
    assert.equal(settingsOf(json, secrets).source.password.reveal(), PASSWORD);
  });

  it('may come from the first line of a file beside the task', () => {
    writeFileSync(join(folder, 'password'), `${PASSWORD}\r\nsecond line\n`, { mode: 0o600 });
    const json = withoutUndefined(from({ passwordFile: 'password' }));
    assert.equal(settingsOf(json, secrets).source.password.reveal(), PASSWORD);
  });

  it('is not needed by an anonymous user', () => {
    assert.notEqual(settingsOf(withoutUndefined(from({ user: 'anonymous' }))).source.password.reveal(), '');
  });

  it('is asked for where it is missing, given twice or nowhere to be found', () => {
    const both = from({ password: PASSWORD, passwordEnv: 'SITE_PASSWORD' });
    assert.match(faultAt('/source/password', withoutUndefined(from({}))), /source\.passwordEnv/);
    assert.match(faultAt('/source/password', withoutUndefined(from({ password: '' }))), /missing/);
    assert.match(faultAt('/source/password', both), /more than once/);
    for (const name of ['EMPTY', 'ABSENT', 'toString']) {
      assert.match(
        faultAt('/source/passwordEnv', withoutUndefined(from({ passwordEnv: name })), secrets),
        /is not set/,
      );
    }
    assert.match(faultAt('/source/passwordFile', withoutUndefined(from({ passwordFile: 'gone' })), secrets), /ENOENT/);
    assert.match(
      faultAt('/source/passwordFile', withoutUndefined(from({ passwordFile: '.' })), secrets),
      /regular file/,
    );
  });

  it('is not taken from a file that everyone may read', () => {
    const file = join(folder, 'open');
    writeFileSync(file, PASSWORD);
    chmodSync(file, 0o644);
    assert.match(
      faultAt('/source/passwordFile', withoutUndefined(from({ passwordFile: 'open' })), secrets),
      /chmod 600/,
    );
  });

  it('is not repeated when the task file is no JSON', () => {
    const file = join(folder, 'task.json');
    writeFileSync(file, `{\n  "name": "demo",\n  "source": { "password": "${PASSWORD}" "host": 1 }\n}\n`);
    const result = readTask(file, {});
    assert.ok('faults' in result);
    const said = faultLines(file, result.faults, createText('en')).join('\n');
    assert.match(said, /line 3, column \d+: this is not JSON/);
    assert.ok(!said.includes(PASSWORD));
  });
});

describe('the hash of settings', () => {
  const hash = (parts: Parts): string => settingsHash(settingsOf(taskWith(parts)));

  it('changes with the place on the server and with the filters', () => {
    const changes: Parts[] = [
      {},
      { source: { host: 'other.example.com' } },
      { source: { port: 2121 } },
      { source: { user: 'other' } },
      { source: { folder: '/www' } },
      { task: { filters: { exclude: ['a'] } } },
      { task: { filters: { include: ['a'] } } },
      { task: { filters: { sets: ['logs'] } } },
      { task: { filters: { maxSizeBytes: 5 } } },
      { task: { filters: { minSizeBytes: 5 } } },
      { task: { filters: { newerThanDays: 5 } } },
    ];
    assert.equal(new Set(changes.map(hash)).size, changes.length);
  });

  it('stays the same for what does not decide which files are wanted', () => {
    const same: Parts[] = [
      { source: { password: 'another' } },
      { task: { connections: 3, name: 'other' } },
      { target: { folder: '/volume1/x' } },
    ];
    for (const parts of same) assert.equal(hash(parts), hash({}));
  });
});
