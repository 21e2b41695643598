import { describe, expect, it } from 'vitest';
import { containerIdOf, containerKey } from './container-ids.ts';

describe('ids of containers', () => {
  it('are keys from the outermost to the innermost, and back', () => {
    const id = { value: 'c', parent: { value: 'b', parent: { value: 'a' } } };
    expect(containerKey(id)).toBe('a.b.c');
    expect(containerIdOf('a.b.c')).toEqual(id);
    expect(() => containerKey({ value: '../x' })).toThrow(/invalid characters/);
    expect(() => containerKey({ value: 'x', parent: { value: 'a.b' } })).toThrow(/invalid/);
  });
});
