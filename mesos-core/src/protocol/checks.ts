import { CodecError } from './codec-error.ts';
import type { MessagePlan } from './schema.ts';

/** A message in memory, before its type is known to the compiler. */
export type Fields = { [name: string]: unknown };

/** As deep as protobuf's C++ parser goes by default. Only ContainerID nests without end. */
const NESTING_MAX = 100;

/** @throws CodecError when `depth` is beyond {@link NESTING_MAX}. */
export function checkDepth(depth: number): void {
  if (depth > NESTING_MAX) throw new CodecError(`Nested deeper than ${NESTING_MAX} messages`);
}

/** Whether every required field of this message itself is set. */
function hasRequired(plan: MessagePlan, fields: Fields): boolean {
  const { requiredNames } = plan;
  // Asked of every message that is read: an iterator for each would take twice as long.
  for (let index = 0; index < requiredNames.length; index += 1) {
    if (fields[requiredNames[index] ?? ''] === undefined) return false;
  }
  return true;
}

/**
 * The paths of required fields that are not set, in the order and wording of protobuf's
 * `InitializationErrorString`: a message's own first, then those inside it by field number.
 */
export function missingFields(plan: MessagePlan, fields: Fields, prefix = ''): readonly string[] {
  const own = plan.requiredNames.filter((name) => fields[name] === undefined);
  const inside = plan.fields
    .toSorted((a, b) => a.id - b.id)
    .flatMap(({ name, label, message }) => {
      const value = fields[name];
      if (message === undefined || value === undefined) return [];
      if (label === 'optional' || label === 'required') {
        return missingFields(message, value as Fields, `${prefix}${name}.`);
      }
      return Object.entries(value as object).flatMap(([key, element]) =>
        missingFields(message, element, `${prefix}${name}[${key}].`),
      );
    });
  return [...own.map((name) => prefix + name), ...inside];
}

/**
 * What is to be checked when a message has been read in full. Not before: protobuf may send one
 * message in several pieces, and Mesos too names missing fields before it looks at the call.
 */
export class PendingChecks {
  readonly #plan: MessagePlan;
  readonly #unions: { readonly plan: MessagePlan; readonly fields: Fields }[] = [];
  #incomplete = false;

  constructor(plan: MessagePlan) {
    this.#plan = plan;
  }

  /** Notes a message (or a piece of one) that was read. */
  add(plan: MessagePlan, fields: Fields): void {
    if (!hasRequired(plan, fields)) this.#incomplete = true;
    if (plan.payloads !== undefined) this.#unions.push({ plan, fields });
  }

  /** The required fields that are not set in `fields`, the outermost message. */
  missing(fields: Fields): readonly string[] {
    return this.#incomplete ? missingFields(this.#plan, fields) : [];
  }

  /** @throws CodecError when a union lacks its payload, or a call its type. */
  settleUnions(): void {
    // The outermost was read to its end last.
    for (const { plan, fields } of this.#unions.toReversed()) settleUnion(plan, fields);
  }
}

/**
 * Makes a decoded union hold what its TypeScript type promises: a `type` (UNKNOWN when the peer
 * sent none, or one that is newer than we are) and that type's payload.
 */
function settleUnion(plan: MessagePlan, fields: Fields): void {
  if (fields.type === undefined) {
    if (plan.name.endsWith('.Call')) throw new CodecError(expecting(plan, 'type'));
    fields.type = 'UNKNOWN';
    return;
  }
  const payload = plan.payloads?.get(fields.type as string);
  if (payload === undefined || fields[payload] !== undefined) return;
  throw new CodecError(expecting(plan, payload));
}

function expecting(plan: MessagePlan, field: string): string {
  const name = plan.name.replaceAll('.', '::');
  return `Failed to validate ${name}: Expecting '${field}' to be present`;
}
