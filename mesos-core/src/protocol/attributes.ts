import type { Attribute } from './messages.ts';
import { formatRanges, formatScalar, formatSet, ParseError, parseValue } from './values.ts';

/**
 * Reads the text of the agent's `attributes` flag: `rack:r1;cores:8;vlans:[1-5];tags:{a,b}`.
 * @throws ParseError when a part is not `name:value`.
 */
export function parseAttributes(text: string): readonly Attribute[] {
  const parts = text.split(/[;\n]/).filter((part) => part.trim() !== '');
  return parts.map((part) => {
    const colon = part.indexOf(':');
    const name = part.slice(0, Math.max(colon, 0)).trim();
    if (name === '') throw new ParseError(`Invalid attribute key:value pair '${part.trim()}'`);
    return { name, ...parseValue(part.slice(colon + 1)) };
  });
}

/** The attributes in the text form that {@link parseAttributes} reads. */
export function formatAttributes(attributes: readonly Attribute[]): string {
  return attributes.map((each) => `${each.name}:${formatAttributeValue(each)}`).join(';');
}

/** The value of an attribute as text: `r1`, `8`, `[1-5]`, `{a, b}`. */
export function formatAttributeValue(attribute: Attribute): string {
  switch (attribute.type) {
    case 'SCALAR':
      return formatScalar(attribute.scalar?.value ?? 0);
    case 'RANGES':
      return formatRanges(attribute.ranges?.range ?? []);
    case 'SET':
      return formatSet(attribute.set?.item ?? []);
    case 'TEXT':
      return attribute.text?.value ?? '';
  }
}
