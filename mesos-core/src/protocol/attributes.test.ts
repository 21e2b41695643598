import { describe, expect, it } from 'vitest';
import { formatAttributes, parseAttributes } from './attributes.ts';

describe('attributes', () => {
  it('are read and printed', () => {
    const attributes = parseAttributes(
      'rack:r1;cores:8;vlans:[1-5,9-9];url:http://a/b; tags:{x,y}',
    );
    expect(attributes).toEqual([
      { name: 'rack', type: 'TEXT', text: { value: 'r1' } },
      { name: 'cores', type: 'SCALAR', scalar: { value: 8 } },
      {
        name: 'vlans',
        type: 'RANGES',
        ranges: {
          range: [
            { begin: 1, end: 5 },
            { begin: 9, end: 9 },
          ],
        },
      },
      { name: 'url', type: 'TEXT', text: { value: 'http://a/b' } },
      { name: 'tags', type: 'SET', set: { item: ['x', 'y'] } },
    ]);
    expect(parseAttributes(formatAttributes(attributes))).toEqual(attributes);
    expect(parseAttributes('')).toEqual([]);
  });

  it.each(['rack', ':r1', 'rack:', 'rack:[1-'])('%j is refused', (text) => {
    expect(() => parseAttributes(text)).toThrow(
      expect.objectContaining({ code: 'MESOS_ERR_PARSE' }),
    );
  });
});
