import { checkDepth, type Fields, PendingChecks } from './checks.ts';
import { CodecError } from './codec-error.ts';
import type { FieldPlan, MessagePlan } from './schema.ts';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The message in a parsed JSON value, in its in-memory form: as Mesos reads it. Unknown fields,
 * unknown names of optional enums, and nulls count as not set; one value stands for a list of one.
 * Shares with `json` what is the same in both; changes nothing in it. The caller still has to settle the unions of `checks`.
 * @throws CodecError worded as Mesos does, without saying which message was wanted.
 */
export function fieldsFromJson(
  plan: MessagePlan,
  json: unknown,
): { readonly fields: Fields; readonly checks: PendingChecks } {
  if (!isObject(json)) throw new CodecError('Expecting a JSON object');
  const checks = new PendingChecks(plan);
  const fields = readObject(plan, json, 0, checks);
  const missing = checks.missing(fields);
  if (missing.length > 0) throw new CodecError(`Missing required fields: ${missing.join(', ')}`);
  return { fields, checks };
}

/** Gives `json` itself where it is as it should be: nearly all is, and copies cost most of the time. */
function readObject(plan: MessagePlan, json: Fields, depth: number, checks: PendingChecks): Fields {
  checkDepth(depth);
  let copy: Fields | undefined;
  for (const name in json) {
    const field = plan.byName.get(name);
    const value = json[name];
    if (field === undefined || value === null) {
      copy ??= fieldsBefore(json, name);
      continue;
    }
    const read = readField(field, value, depth, checks);
    if (read !== value) copy ??= fieldsBefore(json, name);
    if (copy !== undefined && read !== undefined) copy[name] = read;
  }
  // A union is given its type when everything has been read: not the caller's object.
  if (plan.payloads !== undefined) copy ??= { ...json };
  const fields = copy ?? json;
  checks.add(plan, fields);
  return fields;
}

/** The fields that come before `end`. */
function fieldsBefore(json: Fields, end: string): Fields {
  const fields: Fields = {};
  for (const name in json) {
    if (name === end) break;
    fields[name] = json[name];
  }
  return fields;
}

function readField(field: FieldPlan, json: unknown, depth: number, checks: PendingChecks): unknown {
  switch (field.label) {
    case 'repeated':
      return readList(field, Array.isArray(json) ? json : [json], depth, checks);
    case 'map': {
      if (!isObject(json)) throw new CodecError(notExpecting(field, json));
      const entries = Object.entries(json);
      return Object.fromEntries(
        entries.map(([key, element]) => [key, readValue(field, element, depth, checks)]),
      );
    }
    default:
      if (Array.isArray(json)) throw new CodecError(notExpecting(field, json));
      return readValue(field, json, depth, checks);
  }
}

function readList(
  field: FieldPlan,
  json: readonly unknown[],
  depth: number,
  checks: PendingChecks,
): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < json.length; index += 1) {
    const read = readValue(field, json[index], depth, checks);
    if (read !== json[index]) copy ??= json.slice(0, index);
    if (copy !== undefined && read !== undefined) copy.push(read);
  }
  return copy ?? json;
}

function readValue(field: FieldPlan, json: unknown, depth: number, checks: PendingChecks): unknown {
  switch (field.kind) {
    case 'message':
      if (!isObject(json) || field.message === undefined) break;
      return readObject(field.message, json, depth + 1, checks);
    case 'enum':
      if (typeof json !== 'string') break;
      return readEnum(field, json);
    case 'string':
      if (typeof json !== 'string') break;
      return json;
    case 'bytes':
      if (typeof json !== 'string') break;
      return readBytes(field, json);
    case 'bool':
      if (typeof json !== 'boolean') break;
      return json;
    case 'double':
    case 'float':
      if (typeof json !== 'number') break;
      return json;
    case 'int32':
      if (typeof json !== 'number') break;
      return readInteger(field, json, -(2 ** 31), 2 ** 31 - 1);
    case 'uint32':
      if (typeof json !== 'number') break;
      return readInteger(field, json, 0, 2 ** 32 - 1);
    case 'int64':
      if (typeof json !== 'number') break;
      return readInteger(field, json, -(2 ** 63), 2 ** 63);
    case 'uint64':
      if (typeof json !== 'number') break;
      return readInteger(field, json, 0, 2 ** 64);
  }
  throw new CodecError(notExpecting(field, json));
}

function readEnum(field: FieldPlan, name: string): string | undefined {
  if (field.enumeration?.numberOf.has(name)) return name;
  if (field.label === 'required') throw new CodecError(`Failed to find enum for '${name}'`);
  return undefined;
}

/** Always padded, so that equal bytes are equal text. */
function readBytes(field: FieldPlan, text: string): string {
  if (!BASE64.test(text)) {
    const wrong = /[^A-Za-z0-9+/=]/.exec(text)?.[0] ?? '=';
    throw new CodecError(
      `Failed to base64 decode bytes field '${field.name}': Invalid character '${wrong}'`,
    );
  }
  return text.length % 4 === 0 ? text : Buffer.from(text, 'base64').toString('base64');
}

/** Fractions are cut off, as Mesos does. Mesos wraps what does not fit; we say so instead. */
function readInteger(field: FieldPlan, number: number, min: number, max: number): number {
  const integer = Math.trunc(number);
  if (integer >= min && integer <= max) return integer;
  throw new CodecError(`Not expecting the number ${number} for field '${field.name}'`);
}

function isObject(json: unknown): json is Fields {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function notExpecting(field: FieldPlan, json: unknown): string {
  const kind = Array.isArray(json) ? 'array' : json === null ? 'null' : typeof json;
  return `Not expecting a JSON ${kind} for field '${field.name}'`;
}

/**
 * The message as a JSON value with everything that Mesos prints: explicit defaults of fields that
 * are not set too. Nothing is copied that is complete as it is: state queries come through here for
 * every task, and most of a task has no such defaults.
 */
export function fieldsToJson(plan: MessagePlan, fields: Fields): Fields {
  let json = fields;
  for (const field of plan.printedFields) {
    const value = fields[field.name];
    const printed = value === undefined ? field.printedDefault : valueToJson(field, value);
    if (printed === value) continue;
    if (json === fields) json = { ...fields };
    json[field.name] = printed;
  }
  return json;
}

function valueToJson(field: FieldPlan, value: unknown): unknown {
  const plan = field.message;
  if (plan === undefined) return value;
  if (field.label === 'repeated') {
    return mapChanged(value as readonly Fields[], (element) => fieldsToJson(plan, element));
  }
  if (field.label === 'map') {
    const entries = Object.entries(value as Readonly<Record<string, Fields>>);
    return Object.fromEntries(entries.map(([key, element]) => [key, fieldsToJson(plan, element)]));
  }
  return fieldsToJson(plan, value as Fields);
}

/** The same list when `map` changes none of its elements. */
function mapChanged(list: readonly Fields[], map: (element: Fields) => Fields): readonly Fields[] {
  let mapped: Fields[] | undefined;
  for (const [index, element] of list.entries()) {
    const one = map(element);
    if (one === element) continue;
    mapped ??= [...list];
    mapped[index] = one;
  }
  return mapped ?? list;
}
