import fc from 'fast-check';
import type { Operation, Parameter } from './operations.ts';
import { fitting, hinted, hostileText, hostileValue, knownId, spoiled } from './values.ts';

/** A request as it will be sent; {@link knownId} still stands for ids. */
export interface FuzzRequest {
  readonly operationId: string;
  readonly method: Operation['method'];
  /** Path and query, percent-encoded. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Nobody waits for long polls here: what they wait for may never come. */
const WAIT_MS_MAX = 20;

/** Requests of all these operations, half of them sound. */
export function requestOf(operations: readonly Operation[]): fc.Arbitrary<FuzzRequest> {
  return fc
    .constantFrom(...operations)
    .chain((operation) =>
      fc.oneof(
        { weight: 5, arbitrary: requestTo(operation, 'sound') },
        { weight: 2, arbitrary: requestTo(operation, 'body') },
        { weight: 2, arbitrary: requestTo(operation, 'parameters') },
        { weight: 1, arbitrary: requestTo(operation, 'headers') },
      ),
    );
}

function requestTo(
  operation: Operation,
  spoil: 'sound' | 'body' | 'parameters' | 'headers',
): fc.Arbitrary<FuzzRequest> {
  const isSpoiled = spoil === 'parameters';
  return fc
    .record({
      path: pathOf(operation, isSpoiled),
      query: queryOf(operation, isSpoiled),
      headers: headersOf(operation, spoil === 'headers'),
      body: bodyOf(operation, spoil === 'body'),
    })
    .map(({ path, query, headers, body }) => ({
      operationId: operation.operationId,
      method: operation.method,
      url: query === '' ? path : `${path}?${query}`,
      headers: {
        ...(body === undefined ? {} : { 'content-type': operation.bodyType ?? 'application/json' }),
        ...headers,
      },
      body,
    }));
}

function pathOf({ path, parameters }: Operation, isSpoiled: boolean): fc.Arbitrary<string> {
  const named = parameters.filter((each) => each.in === 'path');
  const values = fc.record(
    Object.fromEntries(named.map((each) => [each.name, parameterValue(each, isSpoiled)])),
  );
  return values.map((texts) =>
    path.replace(/\{([^}]+)\}/g, (_all, name: string) => encoded(texts[name])),
  );
}

function queryOf({ parameters }: Operation, isSpoiled: boolean): fc.Arbitrary<string> {
  // No cursor is sound but one that was given.
  const isWanted = ({ name }: Parameter): boolean => isSpoiled || name !== 'cursor';
  const named = parameters.filter((each) => each.in === 'query' && isWanted(each));
  const sound = fc.record(
    Object.fromEntries(named.map((each) => [each.name, parameterValue(each, isSpoiled)])),
    { requiredKeys: named.filter(({ required }) => required).map(({ name }) => name) },
  );
  const pairs = sound.map((values) =>
    Object.entries(values).map(([name, value]) => `${name}=${encoded(value)}`),
  );
  if (!isSpoiled) return pairs.map((each) => each.join('&'));
  const more = fc.array(fc.tuple(hostileText, hostileText), { maxLength: 2 });
  return fc.tuple(pairs, more, fc.boolean()).map(([each, added, isTwice]) => {
    const odd = added.map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
    return [...each, ...odd, ...(isTwice ? each : [])].join('&');
  });
}

function parameterValue(parameter: Parameter, isSpoiled: boolean): fc.Arbitrary<unknown> {
  if (/^wait/i.test(parameter.name)) return fc.integer({ min: 0, max: WAIT_MS_MAX });
  const isId = parameter.name === 'id' && parameter.schema.pattern === undefined;
  const sound = isId ? fc.constant(knownId('vm', 0)) : hinted(parameter.name, parameter.schema);
  if (!isSpoiled) return sound;
  return fc.oneof(
    { weight: 1, arbitrary: sound },
    { weight: 2, arbitrary: hostileText },
    { weight: 1, arbitrary: hostileValue.map((value) => String(JSON.stringify(value))) },
  );
}

function headersOf(
  { parameters }: Operation,
  isSpoiled: boolean,
): fc.Arbitrary<Readonly<Record<string, string>>> {
  const named = parameters.filter((each) => each.in === 'header');
  const sound = fc
    .record(Object.fromEntries(named.map((each) => [each.name, fitting(each.schema)])), {
      requiredKeys: named.filter(({ required }) => required).map(({ name }) => name),
    })
    .map((values) =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, headerText(String(value))]),
      ),
    );
  if (!isSpoiled) return sound;
  const odd = fc.constantFrom(
    ...['content-type', 'accept', 'idempotency-key', 'if-match', 'if-none-match', 'x-request-id'],
    ...['traceparent', 'range', 'cookie', 'x-http-method-override', 'x-factory-principal'],
    ...['x-forwarded-for', 'accept-encoding', 'last-event-id'],
  );
  const hostile = fc.dictionary(odd, hostileText.map(headerText), { minKeys: 1, maxKeys: 4 });
  return fc.tuple(sound, hostile).map(([one, other]) => ({ ...one, ...other }));
}

function bodyOf(
  { body, bodyType, method }: Operation,
  isSpoiled: boolean,
): fc.Arbitrary<string | undefined> {
  if (body === undefined) {
    const none = fc.constant(undefined);
    if (!isSpoiled || method === 'GET') return none;
    return fc.oneof(
      none,
      hostileValue.map((value) => JSON.stringify(value)),
      hostileText,
    );
  }
  if (bodyType !== 'application/json') return hostileText;
  const sound = fitting(body);
  const text = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
    value.map((each) => JSON.stringify(each) ?? 'null');
  if (!isSpoiled) return text(sound);
  return fc.oneof(
    { weight: 6, arbitrary: text(spoiled(sound)) },
    { weight: 2, arbitrary: text(spoiled(spoiled(sound))) },
    { weight: 1, arbitrary: hostileText },
    {
      weight: 1,
      arbitrary: fc.tuple(text(sound), fc.nat()).map(([each, cut]) => each.slice(0, cut % 200)),
    },
  );
}

/** Ids stay as they are until the request is sent; a lone surrogate can't be encoded. */
function encoded(value: unknown): string {
  const text = String(value).toWellFormed();
  if (/^<<[a-z]+:\d+>>$/.test(text)) return text;
  return encodeURIComponent(text);
}

/** What a header may hold at all. */
function headerText(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 4_000)
    .trim();
}
