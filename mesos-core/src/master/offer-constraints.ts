import {
  type CompiledOfferConstraints,
  compileOfferConstraints,
  OfferConstraintsError,
} from '../allocator/index.ts';
import type { FrameworkInfo, SchedulerOfferConstraints } from '../protocol/index.ts';
import { rolesOf } from './state.ts';

/** Offer constraints of a framework, ready for the allocator, or what is wrong with them. Pure. */
export function readOfferConstraints(
  info: FrameworkInfo,
  constraints: SchedulerOfferConstraints | undefined,
): { readonly problem?: string; readonly compiled?: CompiledOfferConstraints } {
  if (constraints === undefined) return {};
  const roles = rolesOf(info);
  const constrained = Object.keys(constraints.role_constraints ?? {});
  const unknown = constrained.find((role) => !roles.includes(role));
  if (unknown !== undefined) {
    const problem =
      `Offer constraints specify 'role_constraints' for a role '${unknown}' ` +
      'which is not contained in the set of roles';
    return { problem };
  }
  try {
    return { compiled: compileOfferConstraints(constraints) };
  } catch (error) {
    if (!(error instanceof OfferConstraintsError)) throw error;
    return { problem: `Offer constraints are not valid: ${error.message}` };
  }
}
