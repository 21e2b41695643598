import type { Fields } from './checks.ts';
import { CodecError } from './codec-error.ts';
import { fieldsFromJson, fieldsToJson } from './json-codec.ts';
import { findSyntaxError } from './json-syntax.ts';
import type { MessageTypes } from './messages.ts';
import { decodeFields, encodeFields } from './protobuf-codec.ts';
import { loadSchema, type MessagePlan, planMessages } from './schema.ts';

export { CodecError } from './codec-error.ts';

/** The two encodings of the v1 API. */
export type Encoding = 'json' | 'protobuf';

/** The name of a message: `scheduler.Call`, `Offer`, `master.Response.GetState`. */
export type MessageName = keyof MessageTypes;

const plans = planMessages(loadSchema());

/** Of a malformed body, so much is given back in the error. */
const NEAR_CHARS_MAX = 200;

const utf8 = new TextDecoder('utf-8');

/** The plan of a message: for the codecs alone. */
export function planOf(name: MessageName): MessagePlan {
  const plan = plans.get(name);
  if (plan === undefined) throw new CodecError(`No such message: ${name}`);
  return plan;
}

/** The names of all messages. */
export const messageNames: readonly MessageName[] = [...plans.keys()] as readonly MessageName[];

/**
 * Reads protobuf bytes. Unknown fields and enum values are skipped.
 * @throws CodecError `Failed to parse body into Call protobuf` when the bytes are no such message;
 * `Failed to validate scheduler::Call: Expecting 'accept' to be present` when a call, event or
 * operation lacks what its type needs.
 */
export function decodeProtobuf<N extends MessageName>(name: N, bytes: Uint8Array): MessageTypes[N] {
  return decodeFields(planOf(name), bytes) as unknown as MessageTypes[N];
}

/**
 * Writes protobuf bytes.
 * @throws CodecError when a required field is not set or an enum has no such name.
 */
export function encodeProtobuf<N extends MessageName>(
  name: N,
  message: MessageTypes[N],
): Uint8Array {
  return encodeFields(planOf(name), message as unknown as Fields);
}

/**
 * Reads a parsed JSON value. Unknown fields are skipped, null means not set. The message may share
 * parts with `json`, which must not be changed afterwards.
 * @throws CodecError `Failed to convert JSON into Call protobuf: …` when it is no such message; or
 * as {@link decodeProtobuf}.
 */
export function fromJson<N extends MessageName>(name: N, json: unknown): MessageTypes[N] {
  const plan = planOf(name);
  const { fields, checks } = prefixErrors(
    `Failed to convert JSON into ${name.split('.').at(-1)} protobuf: `,
    () => fieldsFromJson(plan, json),
  );
  checks.settleUnions();
  return fields as unknown as MessageTypes[N];
}

/**
 * The message as a JSON value with everything that Mesos prints: explicit defaults of fields that
 * are not set too. May share parts with `message`.
 */
export function toJson<N extends MessageName>(name: N, message: MessageTypes[N]): object {
  return fieldsToJson(planOf(name), message as unknown as Fields);
}

/**
 * Reads the body of a request or a response, or one RecordIO record.
 * @throws CodecError worded as Mesos words its 400 answers: see {@link decodeProtobuf},
 * {@link fromJson}; `Failed to parse body into JSON: …` when it is no JSON.
 */
export function decodeMessage<N extends MessageName>(
  name: N,
  encoding: Encoding,
  body: Uint8Array,
): MessageTypes[N] {
  if (encoding === 'protobuf') return decodeProtobuf(name, body);
  return fromJson(name, parseJson(utf8.decode(body)));
}

/**
 * Writes the body of a request or a response, or one RecordIO record.
 * @throws CodecError as {@link encodeProtobuf}.
 */
export function encodeMessage<N extends MessageName>(
  name: N,
  encoding: Encoding,
  message: MessageTypes[N],
): Uint8Array {
  if (encoding === 'protobuf') return encodeProtobuf(name, message);
  return Buffer.from(JSON.stringify(toJson(name, message)));
}

function prefixErrors<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new CodecError(prefix + error.message, { cause: error });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = `Failed to parse body into JSON: ${describeSyntaxError(text)}`;
    throw new CodecError(message, { cause: error });
  }
}

/** Mesos' wording: the line, and what is left of it from the wrong character on. */
function describeSyntaxError(text: string): string {
  const position = findSyntaxError(text);
  const line = (text.slice(0, position).match(/\n/g)?.length ?? 0) + 1;
  const near = text.slice(position, position + NEAR_CHARS_MAX).split('\n')[0];
  return `syntax error at line ${line} near: ${near}`;
}
