import type { Random } from '@factory/runtime';

/** A random UUID (version 4, RFC 9562 section 5.4) as the 16 bytes in base64 of v1 messages. */
export function newUuidBase64(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('base64');
}
