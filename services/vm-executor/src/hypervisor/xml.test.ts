import fc from 'fast-check';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { renderXml, UnrepresentableTextError, xml } from './xml.ts';

describe('renderXml', () => {
  it('writes elements, attributes and text, and leaves out what is undefined', () => {
    const tree = xml('a', { x: 1, y: undefined }, xml('b'), xml('c', {}, 'text'));
    expect(renderXml(tree)).toBe("<a x='1'>\n  <b/>\n  <c>text</c>\n</a>\n");
  });

  it('keeps every text as text', () => {
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      trimValues: false,
      parseTagValue: false,
      parseAttributeValue: false,
      processEntities: { enabled: true, maxTotalExpansions: 1e6 },
      htmlEntities: true,
    });
    const text = fc.string({ unit: fc.constantFrom('a', '<', '>', '&', "'", '"', ']', 'é', '\n') });
    fc.assert(
      fc.property(
        text.filter((each) => each.trim() !== ''),
        (value) => {
          const read = parser.parse(renderXml(xml('a', { v: value }, value)));
          expect(read.a.v).toBe(value);
          expect(read.a['#text']).toBe(value);
        },
      ),
    );
  });

  it.each(['\u0000', '\u001b', '\ud800'])('refuses what XML can not carry', (text) => {
    expect(() => renderXml(xml('a', {}, text))).toThrow(UnrepresentableTextError);
  });
});
