import { type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { PROBLEMS } from '@factory/contracts';
import { createLimiter, ProblemError, type Random } from '@factory/runtime';

/** scrypt's cost (RFC 7914): 128·N·r bytes of memory, p times over. */
export interface PasswordCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** One of the equally strong settings that OWASP's Password Storage Cheat Sheet names; 32 MiB. */
const COST: PasswordCost = { logN: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Each takes a core for a quarter of a second. */
const AT_ONCE_MAX = 2;
const WAITING_MAX = 20;
const STORED = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([\w-]+)\$([\w-]+)$/;

/** Hashes passwords, a few at a time: `scrypt$log2 N$r$p$salt$hash`. */
export class Passwords {
  readonly #random: Random;
  readonly #cost: PasswordCost;
  readonly #limit = createLimiter(AT_ONCE_MAX);
  #waiting = 0;

  constructor(random: Random, cost: PasswordCost = COST) {
    this.#random = random;
    this.#cost = cost;
  }

  /** @throws ProblemError when too many wait. */
  async hash(password: string): Promise<string> {
    const { logN, r, p } = this.#cost;
    const salt = Buffer.from(this.#random.bytes(SALT_BYTES));
    const hash = await this.#derive(password, salt, this.#cost);
    return ['scrypt', logN, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$');
  }

  /**
   * Whether it is the password. Takes as long when there is none, so that it does not show who has one.
   * @throws ProblemError when too many wait.
   */
  async verify(password: string, stored: string | null): Promise<boolean> {
    const [, logN, r, p, salt, hash] = STORED.exec(stored ?? '') ?? [];
    if (salt === undefined || hash === undefined) {
      await this.#derive(password, Buffer.alloc(SALT_BYTES), this.#cost);
      return false;
    }
    const cost = { logN: Number(logN), r: Number(r), p: Number(p) };
    const derived = await this.#derive(password, Buffer.from(salt, 'base64url'), cost);
    const known = Buffer.from(hash, 'base64url');
    return known.length === derived.length && timingSafeEqual(known, derived);
  }

  async #derive(password: string, salt: Buffer, { logN, r, p }: PasswordCost): Promise<Buffer> {
    if (this.#waiting >= WAITING_MAX) {
      const detail = 'Too many sign in at once; try again shortly.';
      throw new ProblemError(PROBLEMS.rateLimited, detail, { extra: { retryAfterSeconds: 2 } });
    }
    this.#waiting += 1;
    try {
      // The same letters may be typed in different ways (RFC 8265, section 4.1).
      const options = { N: 2 ** logN, r, p, maxmem: 2 * 128 * 2 ** logN * r };
      return await this.#limit(() => derive(password.normalize('NFC'), salt, options));
    } finally {
      this.#waiting -= 1;
    }
  }
}

function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
