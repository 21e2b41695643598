import type { Random } from '@factory/runtime';

/** A random UUID (version 4, RFC 9562 section 5.4) as the 16 bytes in base64 of v1 messages. */
export function newUuidBase64(random: Random): string {
  return newUuid(random).toString('base64');
}

/** A random UUID in its usual form. */
export function newUuidText(random: Random): string {
  const hex = newUuid(random).toString('hex');
  const [a, b, c] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16)];
  return `${a}-${b}-${c}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function newUuid(random: Random): Buffer {
  const bytes = Buffer.from(random.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes;
}
