import { describe, expect, it } from 'vitest';
import { systemRandom } from './random.ts';
import { BadSecretKeyError, SecretBox, UnsealError } from './secret-box.ts';

const box = new SecretBox('ab'.repeat(32), systemRandom);

describe('a secret box', () => {
  it('opens what it sealed, for the same purpose only', () => {
    const sealed = box.seal('the secret', 'key_1');
    expect(sealed).not.toContain('the secret');
    expect(box.open(sealed, 'key_1')).toBe('the secret');
    expect(() => box.open(sealed, 'key_2')).toThrow(UnsealError);
    expect(box.seal('the secret', 'key_1')).not.toBe(sealed);
  });

  it('does not open what was changed, or sealed with another key', () => {
    const sealed = Buffer.from(box.seal('the secret', 'p'), 'base64');
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
    expect(() => box.open(sealed.toString('base64'), 'p')).toThrow(UnsealError);
    expect(() => box.open('', 'p')).toThrow(UnsealError);
    const other = new SecretBox(Buffer.alloc(32, 1).toString('base64'), systemRandom);
    expect(() => other.open(box.seal('x', 'p'), 'p')).toThrow(UnsealError);
  });

  it('wants a key of 32 bytes', () => {
    expect(() => new SecretBox('short', systemRandom)).toThrow(BadSecretKeyError);
    const named = () => new SecretBox('short', systemRandom, 'FACTORY_OTHER_KEY');
    expect(named).toThrow(/^FACTORY_OTHER_KEY must be 32 bytes/);
  });
});
