import { type Static, type TProperties, Type } from 'typebox';
import { stringEnum } from './ids.ts';
import { VmReasonSchema } from './vm.ts';
import { VM_STATES, type VmReason, type VmState } from './vm-states.ts';

const MESSAGE_LENGTH_MAX = 4096;

const NOT_FAILED = VM_STATES.filter((state) => state !== 'failed');

const AnyStanding = {
  state: stringEnum(NOT_FAILED),
  reason: Type.Union([VmReasonSchema, Type.Null()]),
  message: Type.Union([Type.String({ maxLength: MESSAGE_LENGTH_MAX }), Type.Null()]),
};
const FailedStanding = {
  state: Type.Literal('failed'),
  reason: VmReasonSchema,
  message: Type.String({ minLength: 1, maxLength: MESSAGE_LENGTH_MAX }),
};

/** An object with these properties, that says in what state a VM is; of a failed one also why. */
export function withStanding<Properties extends TProperties>(properties: Properties) {
  return Type.Union([
    Type.Object({ ...properties, ...AnyStanding }),
    Type.Object({ ...properties, ...FailedStanding }),
  ]);
}

const StandingSchema = withStanding({});
/** In what state a VM is, and why: a VM that has failed always says so, in a code and in words. */
export type Standing = Static<typeof StandingSchema>;

/** Said when what was found does not say why: for people, the log of its host has more. */
const NO_WORDS = 'It failed, and nothing was said of why; the log of its host may tell.';

/** The parts as one: what is missing of a failure is put in words. */
export function standing(
  state: VmState,
  reason: VmReason | null,
  message: string | null,
): Standing {
  if (state !== 'failed') return { state, reason, message };
  const words = message === null || message === '' ? NO_WORDS : message;
  return { state, reason: reason ?? 'HYPERVISOR_ERROR', message: words };
}
