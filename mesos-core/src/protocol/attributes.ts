import type {
  Attribute,
  DomainInfo,
  SchedulerAttributeConstraint,
  SchedulerAttributeConstraintPredicate,
} from './messages.ts';
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

/** What a constraint can ask about an agent. */
export interface ConstraintSubject {
  readonly hostname: string;
  readonly domain?: DomainInfo | undefined;
  readonly attributes: readonly Attribute[];
}

/**
 * Whether an agent fits a framework's offer constraint. As in Mesos, the first attribute of the
 * name counts, and one that is not TEXT passes every predicate about text: the framework decides.
 * @throws ParseError when the predicate's regular expression is not one.
 */
export function matchesConstraint(
  constraint: SchedulerAttributeConstraint,
  subject: ConstraintSubject,
): boolean {
  const { selector, predicate } = constraint;
  switch (selector.pseudoattribute_type) {
    case 'HOSTNAME':
      return holdsForText(predicate, subject.hostname);
    case 'REGION':
      return holdsForText(predicate, subject.domain?.fault_domain?.region.name);
    case 'ZONE':
      return holdsForText(predicate, subject.domain?.fault_domain?.zone.name);
    case 'UNKNOWN':
    case undefined:
      break;
  }
  const attribute = subject.attributes.find(({ name }) => name === selector.attribute_name);
  if (attribute === undefined) return holdsForText(predicate, undefined);
  if (attribute.type !== 'TEXT') return predicate.not_exists === undefined;
  return holdsForText(predicate, attribute.text?.value ?? '');
}

/** `text` is undefined when the agent has no such attribute. */
function holdsForText(
  predicate: SchedulerAttributeConstraintPredicate,
  text: string | undefined,
): boolean {
  const { text_equals, text_not_equals, text_matches, text_not_matches } = predicate;
  if (predicate.exists !== undefined) return text !== undefined;
  if (predicate.not_exists !== undefined) return text === undefined;
  if (text_equals !== undefined) return text === text_equals.value;
  if (text_not_equals !== undefined) return text !== text_not_equals.value;
  if (text_matches !== undefined) return text !== undefined && matches(text_matches.regex, text);
  if (text_not_matches !== undefined) {
    return text === undefined || !matches(text_not_matches.regex, text);
  }
  return false;
}

/** The whole text must match, as with RE2's FullMatch in Mesos. */
function matches(regex: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${regex})$`, 'u').test(text);
  } catch (error) {
    throw new ParseError(`Invalid regular expression '${regex}': ${String(error)}`);
  }
}
