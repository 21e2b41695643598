import type { Random } from '../random.ts';

/**
 * A {@link Random} whose whole sequence follows from `seed`; independent sequences come from
 * different seeds (`${seed}/network`). The generator is sfc32 of PractRand (C. Doty-Humphrey):
 * 128 bits of state, passes its own and TestU01's batteries. Not fit for keys.
 */
export function seededRandom(seed: number | string): Random {
  let [a, b, c, d] = stateOf(String(seed));
  const nextWord = (): number => {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  // PractRand's own seeding throws the first outputs away, until the state is well mixed.
  for (let round = 0; round < 15; round += 1) nextWord();
  return {
    // 53 bits, as many as a double holds below 1.
    next: () => ((nextWord() >>> 5) * 2 ** 26 + (nextWord() >>> 6)) / 2 ** 53,
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let index = 0; index < length; index += 1) bytes[index] = nextWord() & 0xff;
      return bytes;
    },
  };
}

/** Three 32-bit FNV-1a hashes of the text from different starts, and sfc32's counter. */
function stateOf(text: string): [number, number, number, number] {
  const hash = (start: number): number => {
    let value = start;
    for (const byte of new TextEncoder().encode(text)) {
      value = Math.imul(value ^ byte, 0x01000193);
    }
    return value | 0;
  };
  return [hash(0x811c9dc5), hash(0x9e3779b9), hash(0x85ebca6b), 1];
}
