import { Ajv, type ErrorObject } from 'ajv';
import formats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';

const strict = createAjv(false);
const converting = createAjv('array');

/**
 * Fastify's compiler of schemas. Bodies are validated as they are: `"8"` is no number. Query, path
 * and headers can only carry text, so there `8`, `true` and a single list item are converted.
 *
 * A schema is compiled when it is first needed, once in the process: all 150 routes of the
 * api-server take half a second to two, for which each start would wait, and each test.
 */
export const compileWhenNeeded: FastifySchemaCompiler<unknown> = ({ schema, httpPart }) => {
  if (!isSchema(schema)) throw new TypeError(`not a JSON schema: ${String(schema)}`);
  const ajv = httpPart === 'body' ? strict : converting;
  const validate: ReturnType<FastifySchemaCompiler<unknown>> = (data) => {
    // Ajv remembers what it has compiled, by the schema itself.
    const compiled = ajv.compile(schema);
    const isValid = compiled(data);
    validate.errors = compiled.errors ?? null;
    return isValid;
  };
  return validate;
};

function createAjv(coerceTypes: false | 'array'): Ajv {
  const ajv = new Ajv({
    coerceTypes,
    removeAdditional: false,
    useDefaults: true,
    // One error is enough for a person, and all of them are a way to burn our time.
    allErrors: false,
    verbose: true,
    // Unknown keywords and formats stay errors; these two only judge style.
    strictTypes: false,
    strictTuples: false,
  });
  formats.default(ajv);
  return ajv;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isSchema(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && !Array.isArray(value);
}

/** The part of Ajv's error that explains itself. */
export type Violation = Pick<ErrorObject, 'instancePath' | 'keyword' | 'params'> & {
  readonly message?: string | undefined;
  readonly data?: unknown;
};

/** An error that fastify's validation threw. */
export function isValidationFailure(error: unknown): error is Error & {
  readonly validation: readonly Violation[];
  readonly validationContext: string | undefined;
} {
  return error instanceof Error && 'validation' in error && Array.isArray(error.validation);
}

const PART_NAMES: Readonly<Record<string, string>> = {
  body: 'the body',
  querystring: 'the query',
  params: 'the path',
  headers: 'the headers',
};

/**
 * What was wrong, in words, and the offending field as a path (`template.nics[0].subnet`);
 * `field` is `undefined` when the input as a whole is wrong.
 */
export function describeViolation(
  violations: readonly Violation[],
  context: string | undefined,
): { readonly field: string | undefined; readonly detail: string } {
  const part = PART_NAMES[context ?? 'body'] ?? 'the request';
  const violation = mostTelling(violations);
  if (violation === undefined) return { field: undefined, detail: `${part} is not valid` };
  const field = fieldOf(violation);
  const name = field ?? part;
  const where = field === undefined || context === 'body' ? name : `${name} (in ${part})`;
  return { field, detail: `${where} ${sentence(violation, violations)}` };
}

/**
 * A union reports an error for each branch and then one for itself: the branch that got furthest
 * into the input is the one that was meant.
 */
function mostTelling(violations: readonly Violation[]): Violation | undefined {
  const last = violations.at(-1);
  if (last === undefined || (last.keyword !== 'anyOf' && last.keyword !== 'oneOf')) {
    return violations[0];
  }
  const depth = (violation: Violation): number => violation.instancePath.split('/').length;
  const deeper = violations.filter((each) => depth(each) > depth(last));
  return deeper.toSorted((a, b) => depth(b) - depth(a))[0] ?? last;
}

function fieldOf(violation: Violation): string | undefined {
  const { missingProperty, additionalProperty, propertyName } = violation.params;
  const child = missingProperty ?? additionalProperty ?? propertyName;
  const steps = violation.instancePath.split('/').slice(1).map(unescapePointer);
  if (typeof child === 'string') steps.push(child);
  const path = steps.reduce(
    (text, step) => (/^\d+$/.test(step) ? `${text}[${step}]` : `${text}.${step}`),
    '',
  );
  return path === '' ? undefined : path.replace(/^\./, '');
}

/** RFC 6901, section 4. */
function unescapePointer(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function sentence(violation: Violation, all: readonly Violation[]): string {
  switch (violation.keyword) {
    case 'required':
      return 'is missing';
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'is not a known field';
    case 'enum':
      return `must be one of ${list(violation.params.allowedValues)}${got(violation.data)}`;
    case 'const':
      return `must be ${list([violation.params.allowedValue])}${got(violation.data)}`;
    case 'anyOf':
    case 'oneOf':
      return `${unionSentence(violation, all)}${got(violation.data)}`;
    default:
      return `${violation.message ?? 'is not valid'}${got(violation.data)}`;
  }
}

function unionSentence(union: Violation, all: readonly Violation[]): string {
  const branches = all.filter((each) => each !== union);
  const constants = branches.filter((each) => each.keyword === 'const');
  if (constants.length > 0 && constants.length === branches.length) {
    return `must be one of ${list(constants.map((each) => each.params.allowedValue))}`;
  }
  return `fits none of the allowed forms: ${branches.map((each) => each.message).join('; or ')}`;
}

function list(values: unknown): string {
  return [values]
    .flat()
    .map((value) => JSON.stringify(value))
    .join(', ');
}

/** What was sent instead: numbers as they are, of all else the kind (texts may be secret). */
function got(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return `, got ${value}`;
  if (value === null) return ', got null';
  if (value === undefined) return '';
  if (Array.isArray(value)) return `, got a list of ${value.length}`;
  return typeof value === 'string' ? `, got a text of ${value.length}` : ', got an object';
}
