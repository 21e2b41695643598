import { ID_PREFIXES } from '@factory/contracts';
import { type OpenApiDocument, operationsOf, type Parameter } from '../fuzz/operations.ts';
import type { JsonSchema } from '../fuzz/values.ts';

/** Ids of these have a brand in answers. */
const SHOWN_IDS = ['vm', 'batch', 'project', 'cluster', 'operation', 'subnet', 'volume', 'image'];
const ID_PATTERN = /^\^([a-z]+)_\[0-9a-f\]\{32\}\$$/;
/** `vm` → `VmId`. Only of answers: whoever asks has ids from anywhere. */
const BRANDS: ReadonlyMap<string, string> = new Map(
  Object.entries(ID_PREFIXES)
    .filter(([name]) => SHOWN_IDS.includes(name))
    .map(([name, prefix]) => [prefix, `${name.charAt(0).toUpperCase()}${name.slice(1)}Id`]),
);

/** A type that is written down once has a name when it is longer than this, in characters. */
const NAMED_FROM = 160;

/**
 * The types of all operations of the OpenAPI document, as TypeScript: what the typed client
 * (cli/src/client/api.ts) is made of. Pure; the same for the same document.
 */
export function clientTypes(document: OpenApiDocument): string {
  const names = new TypeNames(new Map());
  const branded = new TypeNames(BRANDS);
  const operations = operationsOf(document).map((operation) => {
    const { operationId, method, path, parameters, body, bodyType, answer } = operation;
    const of = (place: 'path' | 'query' | 'header'): string => {
      const chosen = parameters.filter((each) => each.in === place);
      const properties = Object.fromEntries(chosen.map(({ name, schema }) => [name, schema]));
      // What has a default may be left out, whatever the document says.
      const isNeeded = ({ required, schema }: Parameter): boolean =>
        required && schema.default === undefined;
      const required = chosen.filter(isNeeded).map(({ name }) => name);
      return names.typeOf({ type: 'object', properties, required, additionalProperties: false });
    };
    const title = `${operationId.charAt(0).toUpperCase()}${operationId.slice(1)}`;
    const isJson = body !== undefined && bodyType === 'application/json';
    const fields = {
      path: of('path'),
      query: of('query'),
      headers: of('header'),
      body: isJson ? names.named(`${title}Body`, body) : 'undefined',
      answer: answer === undefined ? 'undefined' : branded.named(`${title}Answer`, answer),
    };
    const types = Object.entries(fields).map(([name, type]) => `    readonly ${name}: ${type};`);
    return {
      type: `  readonly ${operationId}: {\n${types.join('\n')}\n  };`,
      route: `  ${operationId}: { method: '${method}', path: '${path}' },`,
    };
  });
  return [
    '// Made of the OpenAPI document by test/docs; see CONTRIBUTING.md. Not to be edited.',
    '',
    `import type { ${[...BRANDS.values()].sort().join(', ')} } from './ids.ts';`,
    '',
    ...names.declarations(),
    ...branded.declarations(),
    '/** What each operation takes and gives. */',
    'export interface ApiOperations {',
    ...operations.map(({ type }) => type),
    '}',
    '',
    '/** Where each operation is. */',
    'export const API_ROUTES = {',
    ...operations.map(({ route }) => route),
    '} as const;',
    '',
  ].join('\n');
}

/** Long types get names, so that they stand there once. */
class TypeNames {
  readonly #brands: ReadonlyMap<string, string>;
  readonly #byText = new Map<string, string>();
  readonly #used = new Set<string>();

  /** `brands`: the types of ids, by their prefixes. */
  constructor(brands: ReadonlyMap<string, string>) {
    this.#brands = brands;
  }

  /** The type of a schema under this name, unless it has one already or is short. */
  named(name: string, schema: JsonSchema): string {
    const items = Object(schema.properties).items;
    if (items?.items !== undefined && Object.keys(Object(schema.properties)).length <= 2) {
      this.named(name.replace(/Answer$/, 'Item'), items.items);
    }
    const text = this.typeOf(schema);
    if (text.length < NAMED_FROM || this.#used.has(text)) return text;
    this.#byText.set(text, name);
    this.#used.add(name);
    return name;
  }

  declarations(): readonly string[] {
    return [...this.#byText].map(([text, name]) => `export type ${name} = ${text};\n`);
  }

  typeOf(schema: JsonSchema): string {
    const text = this.#textOf(schema);
    return this.#byText.get(text) ?? text;
  }

  #textOf(schema: JsonSchema): string {
    const alternatives = schema.anyOf ?? schema.oneOf;
    if (alternatives !== undefined) return this.#unionOf(alternatives);
    if (schema.allOf !== undefined) {
      return schema.allOf.map((each) => this.typeOf(each)).join(' & ');
    }
    if (schema.const !== undefined) return literal(schema.const);
    if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
    if (Array.isArray(schema.type)) {
      return this.#unionOf(schema.type.map((type: string) => ({ ...schema, type })));
    }
    switch (schema.type) {
      case 'string':
        return this.#brands.get(ID_PATTERN.exec(schema.pattern ?? '')?.[1] ?? '') ?? 'string';
      case 'integer':
      case 'number':
        return 'number';
      case 'boolean':
        return 'boolean';
      case 'null':
        return 'null';
      case 'array':
        return this.#arrayOf(schema);
      case 'object':
        return this.#objectOf(schema);
      default:
        return 'unknown';
    }
  }

  #unionOf(schemas: readonly JsonSchema[]): string {
    return [...new Set(schemas.map((each) => this.typeOf(each)))].join(' | ');
  }

  #arrayOf({ items }: JsonSchema): string {
    if (Array.isArray(items)) {
      const tuple = `[${items.map((each: JsonSchema) => this.typeOf(each)).join(', ')}]`;
      return this.#brands.size > 0 ? tuple : `readonly ${tuple}`;
    }
    const item = items === undefined ? 'unknown' : this.typeOf(Object(items));
    // Answers belong to whoever asked.
    return this.#brands.size > 0 ? `(${item})[]` : `readonly (${item})[]`;
  }

  #objectOf({
    properties = {},
    required = [],
    patternProperties,
    additionalProperties,
  }: JsonSchema): string {
    const entries = Object.entries(properties);
    const [pattern] = Object.values(patternProperties ?? {});
    const other = pattern ?? (typeof additionalProperties === 'object' ? additionalProperties : {});
    if (entries.length === 0) {
      const isClosed = additionalProperties === false && pattern === undefined;
      return `Readonly<Record<string, ${isClosed ? 'never' : this.typeOf(other)}>>`;
    }
    const fields = entries.map(([name, property]) => {
      const key = /^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`;
      const mark = required.includes(name) ? '' : '?';
      return `readonly ${key}${mark}: ${this.typeOf(property)}`;
    });
    return `{ ${fields.join('; ')} }`;
  }
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : String(value);
}
