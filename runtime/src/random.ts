import { randomFillSync } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import type { Clock } from './clock.ts';

/** Randomness as a port; the simulated one comes from a seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `length` random bytes. The system's are fit for keys and nonces. */
  bytes(length: number): Uint8Array;
}

/** The operating system's cryptographic randomness. */
export const systemRandom: Random = {
  next: () => {
    const word = new Uint32Array(1);
    randomFillSync(word);
    return (word[0] ?? 0) / 2 ** 32;
  },
  bytes: (length) => randomFillSync(new Uint8Array(length)),
};

/** Makes new ids: `<prefix>_<uuid v7 without dashes>`: unguessable, and sorted by time of birth. */
export type IdGenerator = (prefix: string) => string;

/** An {@link IdGenerator} on the given ports. UUID version 7 is RFC 9562, section 5.7. */
export function createIdGenerator(clock: Clock, random: Random): IdGenerator {
  return (prefix) => {
    const id = uuidV7({ msecs: clock.nowMs(), random: random.bytes(16) });
    return `${prefix}_${id.replaceAll('-', '')}`;
  };
}

/** A whole number in [0, exclusiveMax). */
export function randomInteger(random: Random, exclusiveMax: number): number {
  return Math.floor(random.next() * exclusiveMax);
}
