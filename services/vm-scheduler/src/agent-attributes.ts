import type { HostAttribute } from '@factory/contracts';
import type { Attribute } from 'mesos-core/protocol';

/** An offer's attributes in the contracts' terms. Pure. */
export function hostAttributes(attributes: readonly Attribute[]): readonly HostAttribute[] {
  return attributes.map(hostAttribute);
}

function hostAttribute(attribute: Attribute): HostAttribute {
  const { name } = attribute;
  switch (attribute.type) {
    case 'SCALAR':
      return { name, type: 'scalar', scalar: attribute.scalar?.value ?? 0 };
    case 'RANGES': {
      const ranges = attribute.ranges?.range ?? [];
      return { name, type: 'ranges', ranges: ranges.map(({ begin, end }) => [begin, end]) };
    }
    case 'SET':
      return { name, type: 'set', items: [...(attribute.set?.item ?? [])] };
    case 'TEXT':
      return { name, type: 'text', text: attribute.text?.value ?? '' };
  }
}
