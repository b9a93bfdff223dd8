import { Ajv, type AnySchemaObject, type ValidateFunction } from 'ajv';

/**
 * A check by a JSON Schema (draft 7), compiled when it is first asked for. It writes defaults into what it checks, and
 * holds all that is wrong in `errors` until it is next used. `allowed`, a keyword of ours, names a text for the field.
 */
export function schemaCheck(schema: AnySchemaObject): () => ValidateFunction {
  let check: ValidateFunction | undefined;
  return () => {
    if (check === undefined) {
      // That the schemas are schemas is seen to by a test: here it would cost a tenth of a second at every start.
      const ajv = new Ajv({ allErrors: true, useDefaults: true, verbose: true, meta: false, validateSchema: false });
      ajv.addVocabulary(['allowed']);
      check = ajv.compile(schema);
    }
    return check;
  };
}
