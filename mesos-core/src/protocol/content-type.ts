import type { Encoding } from './codec.ts';

/** The media type of each encoding. */
export const MEDIA_TYPES: Readonly<Record<Encoding, string>> = {
  json: 'application/json',
  protobuf: 'application/x-protobuf',
};

/** No common ground on the encoding. `status` and `message` are what Mesos answers. */
export class ContentTypeError extends Error {
  readonly code = 'MESOS_ERR_CONTENT_TYPE';
  readonly status: 400 | 406 | 415;
  constructor(status: 400 | 406 | 415, message: string) {
    super(message);
    this.name = 'ContentTypeError';
    this.status = status;
  }
}

/**
 * The encoding of a request's body.
 * @throws ContentTypeError 400 when the header is absent, 415 when it names neither encoding.
 */
export function requestEncoding(contentType: string | undefined): Encoding {
  if (contentType === undefined) {
    throw new ContentTypeError(400, "Expecting 'Content-Type' to be present");
  }
  const encoding = encodingOf(contentType);
  if (encoding !== undefined) return encoding;
  const { json, protobuf } = MEDIA_TYPES;
  throw new ContentTypeError(415, `Expecting 'Content-Type' of ${json} or ${protobuf}`);
}

/**
 * The encoding for an answer: JSON where the client leaves a choice, as Mesos does.
 * @throws ContentTypeError 406 when the client accepts neither.
 */
export function responseEncoding(accept: string | undefined): Encoding {
  if (accepts(accept, MEDIA_TYPES.json)) return 'json';
  if (accepts(accept, MEDIA_TYPES.protobuf)) return 'protobuf';
  const { json, protobuf } = MEDIA_TYPES;
  throw new ContentTypeError(406, `Expecting 'Accept' to allow '${protobuf}' or '${json}'`);
}

/** The encoding that a Content-Type names, parameters aside; undefined when it is another type. */
export function encodingOf(contentType: string): Encoding | undefined {
  const type = mediaType(contentType);
  if (type === MEDIA_TYPES.json) return 'json';
  if (type === MEDIA_TYPES.protobuf) return 'protobuf';
  return undefined;
}

function mediaType(value: string): string {
  return (value.split(';')[0] ?? '').trim().toLowerCase();
}

/** Of the ranges that match, the most specific decides (RFC 9110, 12.5.1); `q=0` is a refusal. */
function accepts(accept: string | undefined, wanted: string): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  const ranges = accept.split(',');
  for (const match of [wanted, `${wanted.split('/')[0]}/*`, '*/*']) {
    const range = ranges.find((candidate) => mediaType(candidate) === match);
    if (range !== undefined) return !/;\s*q=0(\.0*)?\s*(;|$)/i.test(range);
  }
  return false;
}
