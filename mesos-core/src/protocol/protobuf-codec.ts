import protobuf from 'protobufjs';
import { checkDepth, type Fields, missingFields, PendingChecks } from './checks.ts';
import { CodecError } from './codec-error.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import type { FieldKind, FieldPlan, MessagePlan } from './schema.ts';

const { Reader } = protobuf;

/** Wire types of the protobuf encoding. */
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

const WIRE_TYPES: Readonly<Record<FieldKind, number>> = {
  message: DELIMITED,
  enum: VARINT,
  string: DELIMITED,
  bytes: DELIMITED,
  bool: VARINT,
  double: FIXED64,
  float: FIXED32,
  int32: VARINT,
  uint32: VARINT,
  int64: VARINT,
  uint64: VARINT,
};

/**
 * The message in `bytes`, in its in-memory form. Unknown fields and enum values are skipped.
 * @throws CodecError when the bytes are no such message or lack a required field.
 */
export function decodeFields(plan: MessagePlan, bytes: Uint8Array): Fields {
  const fields: Fields = {};
  const checks = new PendingChecks(plan);
  try {
    const reader = Reader.create(bytes);
    readInto(plan, fields, reader, reader.len, 0, checks);
  } catch (error) {
    throw new CodecError(parseFailure(plan), { cause: error });
  }
  const missing = checks.missing(fields);
  if (missing.length > 0) {
    throw new CodecError(parseFailure(plan), { cause: `Missing required fields: ${missing}` });
  }
  checks.settleUnions();
  return fields;
}

function parseFailure(plan: MessagePlan): string {
  return `Failed to parse body into ${plan.name.split('.').at(-1)} protobuf`;
}

/** Reads on top of what is in `fields`: a message sent in two pieces is one (protobuf's merging). */
function readInto(
  plan: MessagePlan,
  fields: Fields,
  reader: protobuf.Reader,
  end: number,
  depth: number,
  checks: PendingChecks,
): void {
  checkDepth(depth);
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = plan.byId.get(tag >>> 3);
    if (field === undefined || !readField(field, fields, reader, tag & 7, depth, checks)) {
      reader.skipType(tag & 7);
    }
  }
  if (reader.pos !== end) throw new RangeError('A field reaches beyond its message');
  checks.add(plan, fields);
}

/** False when the wire type is not the field's: it must be skipped like an unknown field. */
function readField(
  field: FieldPlan,
  fields: Fields,
  reader: protobuf.Reader,
  wireType: number,
  depth: number,
  checks: PendingChecks,
): boolean {
  const expected = WIRE_TYPES[field.kind];
  if (field.label === 'map') {
    if (wireType !== DELIMITED) return false;
    readMapEntry(field, fields, reader, depth, checks);
    return true;
  }
  if (field.label === 'repeated') {
    const list = (fields[field.name] ?? []) as unknown[];
    if (wireType === expected) pushKnown(list, readValue(field, reader, depth, checks));
    else if (wireType === DELIMITED) readPacked(field, list, reader, depth, checks);
    else return false;
    fields[field.name] = list;
    return true;
  }
  if (wireType !== expected) return false;
  const value = readValue(field, reader, depth, checks, fields[field.name]);
  if (value !== undefined) fields[field.name] = value;
  return true;
}

function readPacked(
  field: FieldPlan,
  list: unknown[],
  reader: protobuf.Reader,
  depth: number,
  checks: PendingChecks,
): void {
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) pushKnown(list, readValue(field, reader, depth, checks));
}

function pushKnown(list: unknown[], value: unknown): void {
  if (value !== undefined) list.push(value);
}

function readMapEntry(
  field: FieldPlan,
  fields: Fields,
  reader: protobuf.Reader,
  depth: number,
  checks: PendingChecks,
): void {
  const end = reader.uint32() + reader.pos;
  let key = '';
  let value: unknown;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) key = reader.string();
    else if (tag >>> 3 === 2) value = readValue(field, reader, depth, checks, value);
    else reader.skipType(tag & 7);
  }
  const map = (fields[field.name] ?? {}) as Fields;
  // Not map[key] = …: the key comes from outside and may be `__proto__`.
  fields[field.name] = Object.fromEntries([...Object.entries(map), [key, value ?? '']]);
}

/** Undefined for an enum value that this version does not know. */
function readValue(
  field: FieldPlan,
  reader: protobuf.Reader,
  depth: number,
  checks: PendingChecks,
  earlier?: unknown,
): unknown {
  switch (field.kind) {
    case 'message': {
      if (field.message === undefined) throw new TypeError(`No plan for ${field.name}`);
      const end = reader.uint32() + reader.pos;
      if (end > reader.len) throw new RangeError('A message reaches beyond the input');
      const fields = (earlier ?? {}) as Fields;
      readInto(field.message, fields, reader, end, depth + 1, checks);
      return fields;
    }
    case 'enum':
      return field.enumeration?.nameOf.get(reader.int32());
    case 'string':
      return reader.string();
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'bool':
      return reader.bool();
    case 'double':
      return reader.double();
    case 'float':
      return reader.float();
    case 'int32':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return Number(reader.int64());
    case 'uint64':
      return Number(reader.uint64());
  }
}

/**
 * The message as protobuf bytes.
 * @throws CodecError when a required field is not set or an enum has no such name.
 */
export function encodeFields(plan: MessagePlan, fields: Fields): Uint8Array {
  writer.begin();
  writeFields(plan, fields);
  return writer.finish();
}

/** Encoding is never interrupted, so one is enough. */
const writer = new ProtobufWriter();

function writeFields(plan: MessagePlan, fields: Fields): void {
  for (const field of plan.fields) {
    const value = fields[field.name];
    if (value === undefined) {
      if (field.label !== 'required') continue;
      throw new CodecError(`Missing required fields: ${missingFields(plan, fields).join(', ')}`);
    }
    switch (field.label) {
      case 'repeated':
        for (const element of value as readonly unknown[]) writeValue(field, element);
        break;
      case 'map':
        for (const [key, element] of Object.entries(value as Fields)) {
          writer.unsigned((field.id << 3) | DELIMITED);
          const entry = writer.open();
          writer.unsigned((1 << 3) | DELIMITED);
          writer.text(key);
          writeValue({ ...field, id: 2 }, element);
          writer.close(entry);
        }
        break;
      default:
        writeValue(field, value);
    }
  }
}

function writeValue(field: FieldPlan, value: unknown): void {
  writer.unsigned((field.id << 3) | WIRE_TYPES[field.kind]);
  switch (field.kind) {
    case 'message': {
      if (field.message === undefined) throw new TypeError(`No plan for ${field.name}`);
      const start = writer.open();
      writeFields(field.message, value as Fields);
      writer.close(start);
      break;
    }
    case 'enum': {
      const number = field.enumeration?.numberOf.get(value as string);
      if (number === undefined) throw new CodecError(`Failed to find enum for '${value}'`);
      writer.signed(number);
      break;
    }
    case 'string':
      writer.text(value as string);
      break;
    case 'bytes':
      writer.base64(value as string);
      break;
    case 'bool':
      writer.unsigned(value === true ? 1 : 0);
      break;
    case 'double':
      writer.double(value as number);
      break;
    case 'float':
      writer.float(value as number);
      break;
    case 'int32':
      writer.signed(value as number);
      break;
    case 'uint32':
      writer.unsigned(value as number);
      break;
    case 'int64':
      writer.signed(value as number);
      break;
    case 'uint64':
      writer.unsigned(value as number);
      break;
  }
}
