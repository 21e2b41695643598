import type { Encoding } from '../../../../mesos-core/src/protocol/index.ts';

const seen = new Set<string>();

/**
 * Notes a message that was received, or sent and not refused: its type, and those of the operations
 * in an ACCEPT.
 */
export function noteTraffic(encoding: Encoding, name: string, message: object): void {
  if (!('type' in message)) return;
  seen.add(keyOf(encoding, name, String(message.type)));
  if (!('accept' in message)) return;
  const { operations = [] } = message.accept as { operations?: readonly { type: string }[] };
  for (const { type } of operations) seen.add(keyOf(encoding, 'Offer.Operation', type));
}

function keyOf(encoding: Encoding, name: string, type: string): string {
  return `${name} ${type} ${encoding}`;
}
