import type { ApiCallHead } from '../api-call.ts';

/** What the lane needs of a request's head. */
export interface PlainHead extends ApiCallHead {
  readonly path: string;
  readonly bodyBytes: number;
  readonly authorization: string | undefined;
}

const REQUEST_LINE = /^POST (\/[!-~]*) HTTP\/1\.1\r\n/;
/**
 * A token, and visible characters, blanks and what is beyond ASCII (RFC 9110, 5.5 and 5.6.2). Blanks
 * around the value are cut off later: here they would make a hostile field cost the square of its length.
 */
const FIELD = /([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)\r\n/y;
const LENGTH = /^\d{1,9}$/;

/** What changes how a message is framed, or how a connection goes on, is not plain. */
const NOT_PLAIN: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'trailer',
  'te',
  'content-encoding',
]);

/**
 * Reads the head of a plain request: a POST of HTTP/1.1 with a length, on a connection that stays.
 * Strict: anything unusual, be it only a field given twice, gives `undefined`, and is for a server
 * that knows all of HTTP.
 * @param text the whole head, one character a byte, with the line end of its last field, without the
 *   empty line.
 */
export function readPlainHead(text: string): PlainHead | undefined {
  const path = REQUEST_LINE.exec(text)?.[1];
  if (path === undefined) return undefined;
  const fields = readFields(text, text.indexOf('\n') + 1);
  const length = fields?.get('content-length');
  if (fields === undefined || length === undefined || !LENGTH.test(length)) return undefined;
  if (!fields.has('host')) return undefined;
  if ((fields.get('connection') ?? 'keep-alive').toLowerCase() !== 'keep-alive') return undefined;
  return {
    path,
    bodyBytes: Number(length),
    contentType: fields.get('content-type'),
    accept: fields.get('accept'),
    authorization: fields.get('authorization'),
    streamId: fields.get('mesos-stream-id'),
  };
}

/** So many different heads are remembered; a caller sends a few, which differ in their length. */
const HEADS_MAX = 1000;

/** Reads heads, each text once: to read one takes as long as what is done about most calls. */
export class PlainHeads {
  readonly #known = new Map<string, PlainHead>();

  /** As {@link readPlainHead}. */
  read(text: string): PlainHead | undefined {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const head = readPlainHead(text);
    if (head === undefined) return undefined;
    if (this.#known.size >= HEADS_MAX) this.#known.clear();
    this.#known.set(text, head);
    return head;
  }
}

function readFields(text: string, from: number): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  let next = from;
  while (next < text.length) {
    FIELD.lastIndex = next;
    const [all = '', given = '', value = ''] = FIELD.exec(text) ?? [];
    const name = given.toLowerCase();
    if (all === '' || fields.has(name) || NOT_PLAIN.has(name)) return undefined;
    fields.set(name, value.trim());
    next += all.length;
  }
  return fields;
}
