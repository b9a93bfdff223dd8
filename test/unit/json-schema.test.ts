import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { schemaCheck } from '../../src/settings/json-schema.ts';
import { APP_SETTINGS_SCHEMA } from '../../src/settings/parse-app-settings.ts';
import { TASK_SCHEMA } from '../../src/settings/task-schema.ts';
import { WEB_ACCESS_SCHEMA } from '../../src/settings/web-access.ts';

describe('The schemas of the settings', () => {
  for (const [name, schema] of Object.entries({ TASK_SCHEMA, APP_SETTINGS_SCHEMA, WEB_ACCESS_SCHEMA })) {
    it(`are schemas of draft 7, with no keyword that nothing knows: ${name}`, () => {
      const ajv = new Ajv({ strict: true });
      ajv.addVocabulary(['allowed']);
      assert.equal(ajv.validateSchema(schema), true, ajv.errorsText());
      assert.doesNotThrow(() => ajv.compile(schema));
    });
  }

  it('say all that is wrong at once, and fill in what is left out', () => {
    const check = schemaCheck({
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'integer' }, c: { type: 'integer', default: 7 } },
    })();
    const json: Record<string, unknown> = { a: 'x', b: 'y' };
    assert.equal(check(json), false);
    assert.deepEqual(
      check.errors?.map((error) => error.instancePath),
      ['/a', '/b'],
    );
    assert.equal(json['c'], 7);
  });
});
