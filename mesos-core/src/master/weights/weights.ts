import { MesosHttpError } from '../../http/mesos-http.ts';
import {
  type MasterCall,
  type MasterResponse,
  roleNameProblem,
  type WeightInfo,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import type { RegisteredWeight } from '../registry.ts';
import { withAncestors } from '../role-names.ts';
import { rolesOf } from '../state.ts';

/** Calls about weights. */
type WeightsCall = Extract<MasterCall, { type: 'GET_WEIGHTS' | 'UPDATE_WEIGHTS' }>;

/**
 * Carries out one call; an update resolves when it is durable.
 * @throws MesosHttpError 400 for a weight that can't be.
 */
export async function handleWeightsCall(
  core: MasterCore,
  call: WeightsCall,
): Promise<MasterResponse | undefined> {
  switch (call.type) {
    case 'GET_WEIGHTS': {
      const weight_infos = weightsOf(core);
      return weight_infos.length === 0
        ? { type: 'GET_WEIGHTS' }
        : { type: 'GET_WEIGHTS', get_weights: { weight_infos } };
    }
    case 'UPDATE_WEIGHTS':
      await updateWeights(core, call.update_weights.weight_infos ?? []);
      return undefined;
  }
}

/** All weights that operators have set, by role. */
export function weightsOf({ registry }: MasterCore): readonly RegisteredWeight[] {
  return (registry.weights ?? []).toSorted((a, b) => (a.role < b.role ? -1 : 1));
}

/** The weights that are not 1, and those that were set to it. */
export function weightsByRole({ registry }: MasterCore): ReadonlyMap<string, number> {
  return new Map((registry.weights ?? []).map(({ role, weight }) => [role, weight]));
}

/**
 * All roles of which anything is known, as Mesos counts them: those that frameworks have or hold
 * something under, with a quota, a weight or a reservation, and their ancestors. Sorted.
 * @param members those that frameworks have.
 */
export function knownRoles(core: MasterCore, members: Iterable<string>): readonly string[] {
  const inBooks = core.allocator.figures().roles.map(({ path }) => path);
  const all = [...inBooks, ...members, ...weightsByRole(core).keys()];
  return [...new Set(all.flatMap(withAncestors))].toSorted();
}

/** Gives the allocator the weights that the last master left. */
export function restoreWeights(core: MasterCore): void {
  for (const { role, weight } of weightsOf(core)) core.allocator.setWeight(role, weight);
}

async function updateWeights(core: MasterCore, infos: readonly WeightInfo[]): Promise<void> {
  const wanted = infos.map(({ role = '', weight }) => ({ role: role.trim(), weight }));
  const problem = wanted.map(weightProblem).find((each) => each !== undefined);
  if (problem !== undefined) throw new MesosHttpError(400, problem);
  const before = weightsByRole(core);
  await core.updateRegistry((registry) => ({
    ...registry,
    weights: withWeights(registry.weights ?? [], wanted),
  }));
  const current = weightsByRole(core);
  const changed = wanted
    .map(({ role }) => role)
    .filter((role) => (before.get(role) ?? 1) !== current.get(role));
  for (const role of changed) core.allocator.setWeight(role, current.get(role) ?? 1);
  if (changed.some((role) => isActive(core, role))) rescindAll(core);
}

/** All weights with some of them replaced. Pure. */
export function withWeights(
  weights: readonly RegisteredWeight[],
  changes: readonly RegisteredWeight[],
): readonly RegisteredWeight[] {
  const byRole = new Map([...weights, ...changes].map(({ role, weight }) => [role, weight]));
  return Array.from(byRole, ([role, weight]) => ({ role, weight }));
}

/** What is wrong with a weight, in Mesos' words, or `undefined`. Pure. */
export function weightProblem({ role, weight }: RegisteredWeight): string | undefined {
  const failure = 'Failed to validate update weights request JSON';
  const invalid = roleNameProblem(role);
  if (invalid !== undefined) return `${failure}: Invalid role '${role}': ${invalid}`;
  if (weight > 0 && weight < Number.POSITIVE_INFINITY) return undefined;
  return `${failure} for role '${role}': Invalid weight '${weight}': Weights must be positive`;
}

/** Whether any framework has the role, or one below it. */
function isActive({ state }: MasterCore, role: string): boolean {
  return [...state.frameworks.values()].some(({ info }) =>
    rolesOf(info).some((each) => each === role || each.startsWith(`${role}/`)),
  );
}

/** So that what is offered already is shared anew. */
function rescindAll(core: MasterCore): void {
  core.rescind([...core.state.offers.keys()], true);
}
