import type { Fields } from './checks.ts';
import { type Encoding, type MessageName, planOf } from './codec.ts';
import { fieldsToJson } from './json-codec.ts';
import { encodeFields } from './protobuf-codec.ts';
import type { FieldPlan, MessagePlan } from './schema.ts';

/**
 * A list whose elements are made one by one while it is encoded. An element that is `undefined`
 * stands for nothing: it gives whoever encodes a chance to let others work.
 */
export class LazyList {
  readonly elements: () => Iterable<object | undefined>;

  constructor(elements: () => Iterable<object | undefined>) {
    this.elements = elements;
  }
}

/** A message with lazy lists in it; the messages around those are lazy too. */
export class LazyMessage {
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.fields = fields;
  }
}

/** A JSON object whose fields are made one by one; `undefined` as in a {@link LazyList}. */
export class LazyObject {
  readonly entries: () => Iterable<readonly [name: string, value: unknown] | undefined>;

  constructor(entries: () => Iterable<readonly [name: string, value: unknown] | undefined>) {
    this.entries = entries;
  }
}

/**
 * The message, encoded piece by piece; the pieces together are the message. An empty piece means
 * that work was done and nothing came out of it yet: protobuf tells lengths first, so its pieces
 * all come at the end.
 */
export function encodePieces(
  name: MessageName,
  encoding: Encoding,
  message: LazyMessage,
): Iterable<string | Uint8Array> {
  const plan = planOf(name);
  return encoding === 'json' ? plannedJson(plan, message) : protobufPieces(plan, message);
}

/** A JSON value of no particular message, with lazy parts, as pieces of text. */
export function* jsonPieces(value: unknown): Generator<string> {
  if (value instanceof LazyMessage || value instanceof LazyObject) {
    const entries = value instanceof LazyObject ? value.entries() : Object.entries(value.fields);
    let separator = '{';
    for (const entry of entries) {
      if (entry === undefined) yield '';
      const [name, field] = entry ?? [];
      if (field === undefined) continue;
      yield `${separator}${JSON.stringify(name)}:`;
      yield* jsonPieces(field);
      separator = ',';
    }
    yield separator === '{' ? '{}' : '}';
  } else if (value instanceof LazyList) {
    let separator = '[';
    for (const element of value.elements()) {
      if (element === undefined) {
        yield '';
      } else if (element instanceof LazyMessage) {
        yield separator;
        yield* jsonPieces(element);
        separator = ',';
      } else {
        yield separator + JSON.stringify(element);
        separator = ',';
      }
    }
    yield separator === '[' ? '[]' : ']';
  } else {
    yield JSON.stringify(value);
  }
}

/** With what Mesos prints of messages, in the order of their fields. */
function plannedJson(plan: MessagePlan, message: LazyMessage): Generator<string> {
  return jsonPieces(planned(plan, message));
}

function planned(plan: MessagePlan, { fields }: LazyMessage): LazyMessage {
  const json: Record<string, unknown> = {};
  for (const field of plan.fields) {
    const value = fields[field.name];
    if (value !== undefined) json[field.name] = plannedValue(field, value);
  }
  return new LazyMessage(json);
}

function plannedValue(field: FieldPlan, value: unknown): unknown {
  const plan = field.message;
  if (plan === undefined) return value;
  if (value instanceof LazyMessage) return planned(plan, value);
  if (value instanceof LazyList) {
    return new LazyList(function* () {
      for (const element of value.elements()) {
        yield element && fieldsToJson(plan, element as Fields);
      }
    });
  }
  if (Array.isArray(value)) return value.map((element) => fieldsToJson(plan, element));
  return fieldsToJson(plan, value as Fields);
}

function* protobufPieces(plan: MessagePlan, message: LazyMessage): Generator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (const _ of collect(plan, message, pieces)) yield NOTHING;
  yield* pieces;
}

const NOTHING = new Uint8Array();
const DELIMITED = 2;

/** Appends the message to `pieces`; gives its length. Yields when some of the work is done. */
function* collect(
  plan: MessagePlan,
  { fields }: LazyMessage,
  pieces: Uint8Array[],
): Generator<undefined, number> {
  const plain: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!(value instanceof LazyList || value instanceof LazyMessage)) plain[name] = value;
  }
  let length = append(pieces, encodeFields(plan, plain));
  for (const field of plan.fields) {
    const value = fields[field.name];
    if (field.message === undefined) continue;
    if (value instanceof LazyMessage) {
      const inner: Uint8Array[] = [];
      const innerLength = yield* collect(field.message, value, inner);
      length += append(pieces, header(field, innerLength)) + innerLength;
      for (const piece of inner) pieces.push(piece);
    } else if (value instanceof LazyList) {
      for (const element of value.elements()) {
        yield undefined;
        if (element === undefined) continue;
        const bytes = encodeFields(field.message, element as Fields);
        length += append(pieces, header(field, bytes.length)) + append(pieces, bytes);
      }
    }
  }
  return length;
}

function append(pieces: Uint8Array[], piece: Uint8Array): number {
  if (piece.length > 0) pieces.push(piece);
  return piece.length;
}

function header({ id }: FieldPlan, length: number): Uint8Array {
  const bytes: number[] = [];
  for (const number of [(id << 3) | DELIMITED, length]) {
    let rest = number;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}
