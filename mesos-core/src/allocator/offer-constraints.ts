import type {
  Attribute,
  SchedulerAttributeConstraint,
  SchedulerAttributeConstraintPredicate,
  SchedulerAttributeConstraintSelector,
  SchedulerOfferConstraints,
} from '../protocol/index.ts';
import type { AgentIdentity } from './facts.ts';
import { compilePattern, PatternError, type TextPattern } from './text-pattern.ts';

/** All patterns of a framework together: what they cost for one agent stays small. */
const STATES_MAX = 10_000;

/** Offer constraints of a framework that make no sense, in Mesos' words. */
export class OfferConstraintsError extends Error {
  readonly code = 'MESOS_ERR_OFFER_CONSTRAINTS';
  constructor(message: string) {
    super(message);
    this.name = 'OfferConstraintsError';
  }
}

/** What a constraint sees of an agent: text, a named attribute of another type, or that it is missing. */
type Subject = string | undefined | typeof NO_TEXT;
const NO_TEXT = Symbol('not text');

/** Offer constraints, as they were given, and ready to be asked. */
export interface CompiledOfferConstraints {
  readonly constraints: SchedulerOfferConstraints;
  /** By role: whether the agent is kept from the framework. */
  readonly exclusions: ReadonlyMap<string, (agent: AgentIdentity) => boolean>;
}

type Holds = (agent: AgentIdentity) => boolean;

/**
 * Compiles offer constraints: for each role, whether an agent is kept from the framework. It is so
 * unless all constraints of at least one group hold; the answer is remembered for each agent.
 * @throws OfferConstraintsError when they are not valid.
 */
export function compileOfferConstraints(
  constraints: SchedulerOfferConstraints,
): CompiledOfferConstraints {
  const budget = { states: STATES_MAX };
  const byRole = Object.entries(constraints.role_constraints ?? {});
  const exclusions = new Map(
    byRole.map(([role, { groups = [] }]) => {
      if (groups.length === 0) {
        const where = "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups'";
        throw new OfferConstraintsError(`${where} for role ${role}`);
      }
      const compiled = groups.map((group) =>
        compileGroup(role, group.attribute_constraints, budget),
      );
      return [role, remembered((agent) => !compiled.some((holds) => holds(agent)))];
    }),
  );
  return { constraints, exclusions };
}

function compileGroup(
  role: string,
  constraints: readonly SchedulerAttributeConstraint[] = [],
  budget: { states: number },
): Holds {
  if (constraints.length === 0) {
    const where = `'OfferConstraints::RoleConstraints::groups' for role ${role}`;
    throw new OfferConstraintsError(`${where} contains an empty RoleConstraints::Group`);
  }
  const compiled = constraints.map((constraint) => {
    try {
      return compileConstraint(constraint, budget);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw new OfferConstraintsError(
        `A role ${role} has an invalid 'AttributeConstraint': ${error.message}`,
      );
    }
  });
  return (agent) => compiled.every((holds) => holds(agent));
}

function compileConstraint(
  { selector, predicate }: SchedulerAttributeConstraint,
  budget: { states: number },
): Holds {
  const select = compileSelector(selector);
  const holds = compilePredicate(predicate, budget);
  return (agent) => holds(select(agent));
}

function compileSelector(
  selector: SchedulerAttributeConstraintSelector,
): (agent: AgentIdentity) => Subject {
  const { attribute_name: name, pseudoattribute_type: pseudo } = selector;
  switch (pseudo) {
    case 'HOSTNAME':
      return ({ hostname }) => hostname;
    case 'REGION':
      return ({ domain }) => domain?.fault_domain?.region.name;
    case 'ZONE':
      return ({ domain }) => domain?.fault_domain?.zone.name;
    case 'UNKNOWN':
      throw new PatternError('Unknown pseudoattribute type');
    case undefined:
      break;
  }
  if (name === undefined) {
    throw new PatternError(
      "Exactly one of 'AttributeConstraint::Selector::name' or " +
        "'AttributeConstraint::Selector::pseudoattribute_type' must be set",
    );
  }
  return ({ attributes }) => textOf(attributes.find((each) => each.name === name));
}

function textOf(attribute: Attribute | undefined): Subject {
  if (attribute === undefined) return undefined;
  return attribute.type === 'TEXT' ? (attribute.text?.value ?? '') : NO_TEXT;
}

/** An attribute that is not text passes what is asked of text: the framework can tell itself. */
function compilePredicate(
  predicate: SchedulerAttributeConstraintPredicate,
  budget: { states: number },
): (subject: Subject) => boolean {
  const { text_equals, text_not_equals, text_matches, text_not_matches } = predicate;
  if (predicate.exists !== undefined) return (subject) => subject !== undefined;
  if (predicate.not_exists !== undefined) return (subject) => subject === undefined;
  if (text_equals !== undefined) return textual(false, (text) => text === text_equals.value);
  if (text_not_equals !== undefined) return textual(true, (text) => text !== text_not_equals.value);
  if (text_matches !== undefined)
    return textual(false, patternOf(text_matches.regex, budget).matches);
  if (text_not_matches !== undefined) {
    const { matches } = patternOf(text_not_matches.regex, budget);
    return textual(true, (text) => !matches(text));
  }
  throw new PatternError('Unknown predicate type');
}

function textual(
  whenMissing: boolean,
  holds: (text: string) => boolean,
): (subject: Subject) => boolean {
  return (subject) => {
    if (subject === undefined) return whenMissing;
    return subject === NO_TEXT || holds(subject);
  };
}

function patternOf(regex: string, budget: { states: number }): TextPattern {
  try {
    const pattern = compilePattern(regex);
    budget.states -= pattern.states;
    if (budget.states < 0) throw new PatternError('all patterns together are too large');
    return pattern;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new PatternError(`Failed to construct regex from pattern '${regex}': ${error.message}`);
  }
}

function remembered(holds: Holds): Holds {
  const answers = new WeakMap<AgentIdentity, boolean>();
  return (agent) => {
    const known = answers.get(agent);
    if (known !== undefined) return known;
    const answer = holds(agent);
    answers.set(agent, answer);
    return answer;
  };
}
