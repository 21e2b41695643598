import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from './random.ts';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
/** What NIST SP 800-38D recommends for GCM. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The key is not 32 bytes in hexadecimal or base64. */
export class BadSecretKeyError extends Error {
  readonly code = 'FACTORY_ERR_BAD_SECRET_KEY';
  constructor(setting: string) {
    super(`${setting} must be 32 bytes, as 64 hexadecimal digits or in base64`);
    this.name = 'BadSecretKeyError';
  }
}

/** A sealed text was not sealed with this key for this purpose, or was changed. */
export class UnsealError extends Error {
  readonly code = 'FACTORY_ERR_UNSEAL';
  constructor(options?: ErrorOptions) {
    super('a stored secret can not be opened with the secret key of this service', options);
    this.name = 'UnsealError';
  }
}

/** Keeps secrets readable to us alone: AES-256-GCM. */
export class SecretBox {
  readonly #key: Buffer;
  readonly #random: Random;

  /** A box with this key, which `setting` gave. @throws BadSecretKeyError */
  constructor(key: string, random: Random, setting = 'FACTORY_SECRET_KEY') {
    const isHex = /^[0-9a-fA-F]{64}$/.test(key);
    this.#key = Buffer.from(key, isHex ? 'hex' : 'base64');
    if (this.#key.length !== KEY_BYTES) throw new BadSecretKeyError(setting);
    this.#random = random;
  }

  /** Seals a text for one purpose, such as the id of the key it belongs to. */
  seal(text: string, purpose: string): string {
    const nonce = this.#random.bytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** @throws UnsealError when it was not sealed by {@link seal} for this purpose. */
  open(sealed: string, purpose: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    try {
      const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(purpose)).setAuthTag(tag);
      const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new UnsealError({ cause });
    }
  }
}
