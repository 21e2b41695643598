import type { Encoding } from '../../../../mesos-core/src/protocol/index.ts';

const noted = new Set<string>();

/**
 * Notes a message that was received, or sent: its type, and those of the operations in an ACCEPT.
 * @param isTaken false for a call that was refused.
 */
export function noteTraffic(
  encoding: Encoding,
  name: string,
  message: object,
  isTaken = true,
): void {
  if (!('type' in message)) return;
  noted.add(keyOf(encoding, name, String(message.type), isTaken));
  if (!('accept' in message)) return;
  const { operations = [] } = message.accept as { operations?: readonly { type: string }[] };
  for (const { type } of operations) noted.add(keyOf(encoding, 'Offer.Operation', type, isTaken));
}

/** Whether a message of this type has been noted in this process. */
export function wasNoted(
  encoding: Encoding,
  name: string,
  type: string,
  isTaken: boolean,
): boolean {
  return noted.has(keyOf(encoding, name, type, isTaken));
}

function keyOf(encoding: Encoding, name: string, type: string, isTaken: boolean): string {
  return `${name} ${type} in ${encoding}${isTaken ? '' : ', refused'}`;
}
