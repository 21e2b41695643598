import { type Static, Type } from 'typebox';
import { stringEnum } from './ids.ts';
import { compileTextPattern, TEXT_PATTERN_LIMITS, TextPatternError } from './text-pattern.ts';

export const REQUIREMENT_LIMITS = { rulesMax: 16, valuesMax: 64, valueLengthMax: 255 } as const;

const AttributeNameSchema = Type.String({ pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$' });
const ValueSchema = Type.String({ maxLength: REQUIREMENT_LIMITS.valueLengthMax });
const strict = { additionalProperties: false } as const;

/**
 * One thing that a host's attributes must be. An attribute has values: a text or a scalar one, a
 * set its items, ranges all numbers in them. The rule holds when one of them will do.
 */
export const AttributeRuleSchema = Type.Union([
  Type.Object({ name: AttributeNameSchema, op: Type.Literal('eq'), value: ValueSchema }, strict),
  Type.Object(
    {
      name: AttributeNameSchema,
      op: Type.Literal('in'),
      values: Type.Array(ValueSchema, { minItems: 1, maxItems: REQUIREMENT_LIMITS.valuesMax }),
    },
    strict,
  ),
  Type.Object(
    {
      name: AttributeNameSchema,
      op: Type.Literal('range'),
      /** Both are included; without one, there is no bound on that side. */
      min: Type.Optional(Type.Number()),
      max: Type.Optional(Type.Number()),
    },
    strict,
  ),
  Type.Object(
    {
      name: AttributeNameSchema,
      op: Type.Literal('regex'),
      /** Of the whole value; see `compileTextPattern` for what is known. */
      pattern: Type.String({ minLength: 1, maxLength: TEXT_PATTERN_LIMITS.lengthMax }),
    },
    strict,
  ),
]);
export type AttributeRule = Static<typeof AttributeRuleSchema>;

/** All rules must hold. */
export const RequirementsSchema = Type.Array(AttributeRuleSchema, {
  maxItems: REQUIREMENT_LIMITS.rulesMax,
});
export type Requirements = readonly AttributeRule[];

/**
 * Machines of a project under the same name and rule: `affinity` keeps them on one host,
 * `anti-affinity` has at most one of them on each.
 */
export const PlacementGroupSchema = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' }),
    rule: stringEnum(['affinity', 'anti-affinity'] as const),
  },
  strict,
);
export type PlacementGroup = Static<typeof PlacementGroupSchema>;

/** `spread` keeps hosts equally full, `pack` fills one before the next. */
export const PlacementPolicySchema = stringEnum(['pack', 'spread'] as const);
export type PlacementPolicy = Static<typeof PlacementPolicySchema>;

/** What a machine may wish of its host; the same in a batch's request and in a machine's spec. */
export const PLACEMENT_FIELDS = {
  /** Whether its first card has an address of the world of its own, one of those of its host. */
  externalAddress: Type.Optional(Type.Boolean()),
  requirements: Type.Optional(RequirementsSchema),
  group: Type.Optional(PlacementGroupSchema),
  placement: Type.Optional(PlacementPolicySchema),
  /** Further scalars of the host by name, beside those that its size and hardware take. */
  resources: Type.Optional(
    Type.Record(
      Type.String({
        pattern:
          '^(?!(cpus|mem|disk|gpus|ports|pinned_cpus|hugepages_2m|hugepages_1g|external_addresses)$)' +
          '[a-z][a-z0-9_.-]{0,62}$',
      }),
      Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000_000 }),
      { maxProperties: 16, additionalProperties: false },
    ),
  ),
};

export const PlacementWishesSchema = Type.Object(PLACEMENT_FIELDS);
export type PlacementWishes = Static<typeof PlacementWishesSchema>;

/** An attribute of a host, of one of Mesos' four types. */
export const HostAttributeSchema = Type.Union([
  Type.Object({ name: Type.String(), type: Type.Literal('text'), text: Type.String() }),
  Type.Object({ name: Type.String(), type: Type.Literal('scalar'), scalar: Type.Number() }),
  Type.Object({
    name: Type.String(),
    type: Type.Literal('ranges'),
    /** Each from the first to the second, both included. */
    ranges: Type.Array(Type.Tuple([Type.Number(), Type.Number()])),
  }),
  Type.Object({ name: Type.String(), type: Type.Literal('set'), items: Type.Array(Type.String()) }),
]);
export type HostAttribute = Static<typeof HostAttributeSchema>;

/** An attribute as Mesos writes it; one of the four values is there, as the type says. */
interface MesosAttribute {
  readonly name: string;
  readonly type: 'SCALAR' | 'RANGES' | 'SET' | 'TEXT';
  readonly scalar?: { readonly value: number } | undefined;
  readonly ranges?:
    | { readonly range?: readonly { readonly begin: number; readonly end: number }[] | undefined }
    | undefined;
  readonly set?: { readonly item?: readonly string[] | undefined } | undefined;
  readonly text?: { readonly value: string } | undefined;
}

/** An attribute of a Mesos agent in our terms. */
export function hostAttribute(attribute: MesosAttribute): HostAttribute {
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

/** A compiled rule: whether a host with these attributes will do. */
export type RuleMatcher = (attributes: readonly HostAttribute[]) => boolean;

/**
 * Compiles a rule, so that it can be asked of many hosts.
 * @throws TextPatternError when its pattern is not one.
 */
export function compileRule(rule: AttributeRule): RuleMatcher {
  const holds = valueTest(rule);
  return (attributes) => attributes.some((each) => each.name === rule.name && holds(each));
}

/**
 * Compiles rules all of which must hold. Of a host that does not tell its attributes anything may
 * be; a rule whose pattern is none, which the API refuses, holds nowhere.
 */
export function compileRequirements(
  rules: Requirements,
): (attributes: readonly HostAttribute[] | undefined) => boolean {
  const matchers = rules.map(compiledOrNever);
  return (attributes) =>
    attributes === undefined || matchers.every((matches) => matches(attributes));
}

function compiledOrNever(rule: AttributeRule): RuleMatcher {
  try {
    return compileRule(rule);
  } catch (error) {
    if (error instanceof TextPatternError) return () => false;
    throw error;
  }
}

/** The rule in words: `rack is r1`. */
export function describeRule(rule: AttributeRule): string {
  switch (rule.op) {
    case 'eq':
      return `${rule.name} is ${rule.value}`;
    case 'in':
      return `${rule.name} is one of ${rule.values.join(', ')}`;
    case 'range': {
      const low = rule.min === undefined ? '' : ` from ${rule.min}`;
      const high = rule.max === undefined ? '' : ` to ${rule.max}`;
      return `${rule.name} is a number${low}${high}`;
    }
    case 'regex':
      return `${rule.name} matches ${rule.pattern}`;
  }
}

function valueTest(rule: AttributeRule): (attribute: HostAttribute) => boolean {
  switch (rule.op) {
    case 'eq':
      return (attribute) => isOneOf(attribute, [rule.value]);
    case 'in':
      return (attribute) => isOneOf(attribute, rule.values);
    case 'range': {
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = rule;
      return (attribute) => rangesOf(attribute).some(([low, high]) => low <= max && high >= min);
    }
    case 'regex': {
      const matches = compileTextPattern(rule.pattern);
      return (attribute) => textsOf(attribute).some(matches);
    }
  }
}

function isOneOf(attribute: HostAttribute, values: readonly string[]): boolean {
  switch (attribute.type) {
    case 'text':
      return values.includes(attribute.text);
    case 'set':
      return attribute.items.some((item) => values.includes(item));
    case 'scalar':
    case 'ranges':
      return rangesOf(attribute).some(([low, high]) =>
        values.some((value) => isNumber(value) && Number(value) >= low && Number(value) <= high),
      );
  }
}

/** The attribute's values as numbers, in ranges; texts that are no numbers are left out. */
function rangesOf(attribute: HostAttribute): readonly (readonly [number, number])[] {
  switch (attribute.type) {
    case 'scalar':
      return [[attribute.scalar, attribute.scalar]];
    case 'ranges':
      return attribute.ranges;
    case 'text':
    case 'set':
      return textsOf(attribute)
        .filter(isNumber)
        .map((text) => [Number(text), Number(text)]);
  }
}

/** The attribute's values as texts; ranges have too many. */
function textsOf(attribute: HostAttribute): readonly string[] {
  switch (attribute.type) {
    case 'text':
      return [attribute.text];
    case 'set':
      return attribute.items;
    case 'scalar':
      return [String(attribute.scalar)];
    case 'ranges':
      return [];
  }
}

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}
