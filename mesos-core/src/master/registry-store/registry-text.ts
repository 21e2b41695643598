import { createHash } from 'node:crypto';
import { BadRegistryError, decodeRegistry, type Registry } from '../registry.ts';

const FORMAT = 'mesos-core registry 2';

/** First line of a stored registry. */
interface Header {
  readonly format: typeof FORMAT;
  /** Of the rest, in hex. */
  readonly sha256: string;
}

/** The registry as it is stored: a line with a checksum, then JSON. */
export function encodeRegistryText(registry: Registry): string {
  const body = `${JSON.stringify(registry)}\n`;
  const header: Header = { format: FORMAT, sha256: digest(body) };
  return `${JSON.stringify(header)}\n${body}`;
}

/**
 * Reads what {@link encodeRegistryText} wrote; also the form without a checksum, from before.
 * @throws BadRegistryError when one byte is missing or another.
 */
export function decodeRegistryText(text: string): Registry {
  const end = text.indexOf('\n');
  const header = parse(text.slice(0, end));
  if (end < 0 || !hasFormat(header)) return decodeRegistry(parse(text));
  const body = text.slice(end + 1);
  if (digest(body) !== header.sha256) throw new BadRegistryError();
  return decodeRegistry(parse(body));
}

function hasFormat(value: unknown): value is Header {
  if (typeof value !== 'object' || value === null) return false;
  return 'format' in value && value.format === FORMAT && 'sha256' in value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRegistryError();
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
