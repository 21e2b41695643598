import fc from 'fast-check';

/** A JSON schema as the OpenAPI document has it. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** How long generated lists get where more is allowed: breadth finds more than length does. */
const ITEMS_MAX = 4;
const TEXT_MAX = 40;
const OPTIONAL_MAX = 3;
const ID_PATTERN = /^\^([a-z]+)_\[0-9a-f\]\{32\}\$$/;

/** What breaks parsers, databases and those who trust a type. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '💥',
  'İstanbul',
  "'; drop table vms; --",
  '" onload="x',
  '../../../etc/passwd',
  '..%2f..%2f',
  '%00',
  '%',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'toString',
  '-1',
  '1e999',
  '0x10',
  'NaN',
  'null',
  'undefined',
  'true',
  '[]',
  '\r\nx-injected: 1',
  '\u202e\u0000\u200b',
  'x'.repeat(300),
  'x'.repeat(9_000),
  `vm_${'0'.repeat(32)}`,
  `bat_${'f'.repeat(32)}`,
  `VM_${'A'.repeat(32)}`,
];

const hostileValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e308,
  -1e308,
  5e-324,
  2 ** 31,
  2 ** 53,
  2 ** 63,
  1e20,
  [],
  {},
  [[]],
  [null],
  { length: 3 },
  { toString: 1 },
  { $ne: null },
  nested(200),
  Array.from({ length: 2_000 }, (_, index) => index),
];

/** Any of them. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...hostileTexts),
  fc.string({ unit: 'binary', maxLength: TEXT_MAX }),
);
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostileValues) },
  { weight: 2, arbitrary: hostileText },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);

function nested(depth: number): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}

/**
 * Values that fit the schema. Ids come as {@link knownId}: which there are is known only when the
 * request is sent.
 */
export function fitting(schema: JsonSchema): fc.Arbitrary<unknown> {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return fc.oneof(...alternatives.map(fitting));
  if (schema.allOf !== undefined) {
    return fc
      .tuple(...schema.allOf.map(fitting))
      .map((parts) => Object.assign({}, ...parts.map(Object)));
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type: string) => fitting({ ...schema, type })));
  }
  switch (schema.type) {
    case 'string':
      return textOf(schema);
    case 'integer':
      return fc.integer(boundsOf(schema));
    case 'number':
      return fc.double({ ...boundsOf(schema), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return arrayOf(schema);
    case 'object':
      return objectOf(schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

/** Numbers near both ends as well as small ones: large ones ask for more than there ever is. */
function boundsOf({ minimum = 0, maximum = 2 ** 31 - 1 }: JsonSchema) {
  return { min: minimum, max: Math.max(minimum, Math.min(maximum, 2 ** 31 - 1)) };
}

function textOf({ pattern, format, minLength = 0, maxLength = TEXT_MAX }: JsonSchema) {
  const prefix = ID_PATTERN.exec(pattern ?? '')?.[1];
  if (prefix !== undefined) return fc.nat({ max: 999 }).map((number) => knownId(prefix, number));
  if (format === 'date-time') {
    return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  }
  const max = Math.max(minLength, Math.min(maxLength, TEXT_MAX));
  if (pattern === undefined) return fc.string({ minLength, maxLength: max });
  const fit = matching(pattern);
  return fit.map((text) => text.slice(0, maxLength).padEnd(minLength, 'a'));
}

/** Some patterns (look-ahead) can't be generated from: a plain word is the best guess then. */
function matching(pattern: string): fc.Arbitrary<string> {
  try {
    const fit = fc.stringMatching(new RegExp(pattern), { maxLength: TEXT_MAX });
    fc.sample(fit, { numRuns: 1, seed: 1 });
    return fit;
  } catch {
    return fc.constantFrom('a', 'web', '10.1.0.0/16', '10.1.0.9', '22');
  }
}

function arrayOf({ items, minItems = 0, maxItems = ITEMS_MAX }: JsonSchema) {
  if (Array.isArray(items)) return fc.tuple(...items.map(fitting));
  const item = fitting(items === undefined ? {} : Object(items));
  const maxLength = Math.max(minItems, Math.min(maxItems, ITEMS_MAX));
  return fc.array(item, { minLength: minItems, maxLength });
}

/** What there is, where a schema can't say it. */
const HINTS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  image: fc.constantFrom('micro', 'micro', 'micro', 'none'),
  subnet: fc.constantFrom('default', 'none'),
  count: fc.integer({ min: 1, max: 3 }),
  memoryMiB: fc.constantFrom(64, 64, 128, 1_024),
  label: fc.constantFrom('a=b', 'team=a', 'a'),
  limit: fc.integer({ min: 1, max: 500 }),
};

/** A value of a property or parameter of this name. */
export function hinted(name: string, schema: JsonSchema): fc.Arbitrary<unknown> {
  const hint = HINTS[name];
  const fit = fitting(schema);
  return hint === undefined
    ? fit
    : fc.oneof({ weight: 4, arbitrary: hint }, { weight: 1, arbitrary: fit });
}

function objectOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], patternProperties, additionalProperties } = schema;
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [name, hinted(name, property)]),
  );
  const needed = required.filter((name) => name in fields);
  const optional = Object.keys(fields).filter((name) => !needed.includes(name));
  // A few at a time: of all at once some always contradict each other.
  const named = fc
    .subarray(optional, { maxLength: Math.min(optional.length, OPTIONAL_MAX) })
    .chain((chosen) => {
      const names = new Set([...needed, ...chosen]);
      return fc.record(
        Object.fromEntries(Object.entries(fields).filter(([name]) => names.has(name))),
      );
    });
  const [pattern, value] = Object.entries(patternProperties ?? {})[0] ?? [];
  if (pattern !== undefined && value !== undefined) {
    return fc.dictionary(matching(pattern), fitting(value), { maxKeys: ITEMS_MAX });
  }
  if (typeof additionalProperties !== 'object') return named;
  const others = fc.dictionary(fc.string(), fitting(additionalProperties), { maxKeys: ITEMS_MAX });
  return fc.tuple(named, others).map(([one, other]) => ({ ...other, ...one }));
}

/** A value that was sound, with one thing about it that is not. */
export function spoiled(sound: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const how = fc.constantFrom('replace', 'remove', 'add', 'whole', 'wrap' as const);
  return fc
    .tuple(sound, how, fc.nat(), hostileValue, hostileText)
    .map(([value, kind, position, hostile, name]) => {
      const entries = Object.entries(Object(value));
      const chosen = entries[position % Math.max(1, entries.length)]?.[0];
      if (kind === 'whole' || typeof value !== 'object' || value === null) return hostile;
      if (kind === 'wrap') return [value];
      if (kind === 'add') return Object.fromEntries([...entries, [name, hostile]]);
      if (kind === 'remove') return Object.fromEntries(entries.filter(([key]) => key !== chosen));
      return Object.fromEntries(
        entries.map(([key, each]) => [key, key === chosen ? hostile : each]),
      );
    });
}

/** Stands for the id of something that there may be by the time the request is sent. */
export function knownId(prefix: string, number: number): string {
  return `<<${prefix}:${number}>>`;
}
