import { MesosHttpError } from '../../http/mesos-http.ts';
import {
  type MasterCall,
  type MasterResponse,
  type Offer,
  type Quantities,
  type QuotaConfig,
  type QuotaRequest,
  reservationsOf,
  scalarQuantities,
  subtractScalars,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { withAncestors } from '../role-names.ts';
import {
  configOfRequest,
  configProblem,
  contains,
  formatQuantities,
  isAnyPositive,
  isWithin,
  quotaOf,
  quotaStatus,
  requestProblem,
  smallerOf,
  sumOf,
  totalGuarantees,
  treeProblem,
  withQuotas,
} from './quota-plan.ts';

/** Calls about quota. */
type QuotaCall = Extract<
  MasterCall,
  { type: 'GET_QUOTA' | 'UPDATE_QUOTA' | 'SET_QUOTA' | 'REMOVE_QUOTA' }
>;

/**
 * Carries out one call; what changes quota resolves when that is durable.
 * @throws MesosHttpError 400 for what can't be, 409 for an older request of more than there is.
 */
export async function handleQuotaCall(
  core: MasterCore,
  call: QuotaCall,
): Promise<MasterResponse | undefined> {
  switch (call.type) {
    case 'GET_QUOTA': {
      const status = quotaStatus(quotasOf(core));
      return { type: 'GET_QUOTA', get_quota: { status } };
    }
    case 'UPDATE_QUOTA': {
      const { quota_configs = [], force = false } = call.update_quota;
      await updateQuotas(core, quota_configs, force);
      return undefined;
    }
    case 'SET_QUOTA':
      await setQuota(core, call.set_quota.quota_request);
      return undefined;
    case 'REMOVE_QUOTA':
      await removeQuota(core, call.remove_quota.role, 'Failed to remove quota');
      return undefined;
  }
}

/** Gives the allocator the quotas that the last master left. */
export function restoreQuotas(core: MasterCore): void {
  for (const config of quotasOf(core)) core.allocator.setQuota(config.role, quotaOf(config));
}

async function updateQuotas(core: MasterCore, configs: readonly QuotaConfig[], force: boolean) {
  const quotas = withQuotas(quotasOf(core), configs);
  const problem =
    configs.map(configProblem).find((each) => each !== undefined) ??
    (force ? undefined : excessProblem(core, configs)) ??
    treeProblem(quotas) ??
    (force ? undefined : overcommitProblem(core, quotas));
  if (problem !== undefined) throw new MesosHttpError(400, `Invalid QuotaConfig: ${problem}`);
  await apply(core, configs);
}

/** The older form of the call: for a role that has no quota yet. */
async function setQuota(core: MasterCore, request: QuotaRequest): Promise<void> {
  const before = quotasOf(core);
  const config = configOfRequest(request);
  const quotas = withQuotas(before, [config]);
  const isSet = before.some(({ role }) => role === config.role);
  const problem =
    requestProblem(request) ??
    (isSet ? `Cannot set quota for role '${config.role}' which already has quota` : undefined) ??
    treeProblem(quotas);
  if (problem !== undefined) {
    throw new MesosHttpError(400, `Failed to validate set quota request: ${problem}`);
  }
  const [total, capacity] = [totalGuarantees(quotas), capacityOf(core)];
  if (request.force !== true && !contains(capacity, total)) {
    throw new MesosHttpError(
      409,
      "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota " +
        `guarantees '${formatQuantities(total)}' exceed cluster capacity ` +
        `'${formatQuantities(capacity)}'`,
    );
  }
  await apply(core, [config]);
}

/**
 * Ends a role's quota.
 * @param failure how the refusal begins.
 * @throws MesosHttpError 400 when it has none, or its children's need it.
 */
export async function removeQuota(core: MasterCore, role: string, failure: string): Promise<void> {
  const before = quotasOf(core);
  if (!before.some((config) => config.role === role)) {
    throw new MesosHttpError(400, `${failure}: Role '${role}' has no quota set`);
  }
  const problem = treeProblem(withQuotas(before, [{ role }]));
  if (problem !== undefined) throw new MesosHttpError(400, `${failure}: ${problem}`);
  await apply(core, [{ role }]);
}

/** Makes the change durable, then effective. */
async function apply(core: MasterCore, configs: readonly QuotaConfig[]): Promise<void> {
  await core.updateRegistry((registry) => ({
    ...registry,
    quotas: withQuotas(registry.quotas ?? [], configs),
  }));
  const current = new Map(quotasOf(core).map((config) => [config.role, config]));
  for (const { role } of configs) {
    const config = current.get(role);
    core.allocator.setQuota(role, config && quotaOf(config));
  }
  rescindBeyondLimits(core, new Set(configs.map(({ role }) => role)));
  rescindForGuarantees(core);
}

/** Roles that are offered more than they may have lose offers, until what is left is allowed. */
function rescindBeyondLimits(core: MasterCore, changed: ReadonlySet<string>): void {
  const limits = new Map(
    quotasOf(core)
      .filter(({ role }) => changed.has(role))
      .map((config) => [config.role, quotaOf(config).limits]),
  );
  for (const offer of core.state.offers.values()) {
    const isTooMuch = rolesAround(offer).some((role) => {
      const excess = excessOf(core.allocator.consumptionOf(role), limits.get(role) ?? {});
      return helps(openOf(offer), excess);
    });
    if (isTooMuch) core.rescind([offer.id.value], true);
  }
}

/**
 * What guarantees need is taken from those who are offered more than they are guaranteed themselves,
 * until enough is free. Mesos takes all offers of one agent after the other.
 */
function rescindForGuarantees(core: MasterCore): void {
  let lacking = core.allocator.lackingHeadroom();
  const guarantees = new Map(
    quotasOf(core).map((config) => [config.role, quotaOf(config).guarantees]),
  );
  for (const offer of core.state.offers.values()) {
    if (!isAnyPositive(lacking)) return;
    if (!helps(beyondGuarantees(core, offer, guarantees), lacking)) continue;
    core.rescind([offer.id.value], true);
    lacking = core.allocator.lackingHeadroom();
  }
}

/** What of an offer no guarantee is for: only that can become free for others. */
function beyondGuarantees(
  { allocator }: MasterCore,
  offer: Offer,
  guarantees: ReadonlyMap<string, Quantities>,
): Quantities {
  return rolesAround(offer).reduce((left, role) => {
    const guaranteed = guarantees.get(role);
    if (guaranteed === undefined) return left;
    return smallerOf(left, excessOf(allocator.consumptionOf(role), guaranteed));
  }, openOf(offer));
}

/** What is more than a role may have, by name. */
function excessOf(consumed: Quantities, limits: Quantities): Quantities {
  return Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [
      name,
      subtractScalars(consumed[name] ?? 0, limit),
    ]),
  );
}

/** The role that the offer is to, and all that it is in. */
function rolesAround({ allocation_info }: Offer): readonly string[] {
  return withAncestors(allocation_info?.role ?? '*');
}

/** Whether there is any of what there is too little of elsewhere. */
function helps(given: Quantities, wanted: Quantities): boolean {
  return Object.entries(wanted).some(([name, value]) => value > 0 && (given[name] ?? 0) > 0);
}

/** What the offer holds unreserved. */
function openOf({ resources = [] }: Offer): Quantities {
  return scalarQuantities(resources.filter((each) => reservationsOf(each).length === 0));
}

/** Roles that use more already than they may have from now on, in Mesos' words. */
function excessProblem(core: MasterCore, configs: readonly QuotaConfig[]): string | undefined {
  const consumedBy = consumptions(core);
  for (const config of configs) {
    const { role } = config;
    const { limits } = quotaOf(config);
    const consumed = consumedBy(role);
    if (isWithin(consumed, limits)) continue;
    return (
      `Role '${role}' is already consuming '${formatQuantities(consumed)}'; this is more than the ` +
      `requested limits '${formatQuantities(limits)}' (use 'force' flag to bypass this check)`
    );
  }
  return undefined;
}

/**
 * Gives what roles consume of their quotas without what they, and their descendants, are only offered.
 * Looks once at all offers, however many roles are asked for.
 */
export function consumptions({ allocator, state }: MasterCore): (role: string) => Quantities {
  const offers = [...state.offers.values()].flatMap((offer) =>
    rolesAround(offer).map((role) => [role, openOf(offer)] as const),
  );
  const offered = Map.groupBy(offers, ([role]) => role);
  return (role) => {
    const open = sumOf((offered.get(role) ?? []).map(([, each]) => each));
    return Object.fromEntries(
      Object.entries(allocator.consumptionOf(role))
        .map(([name, value]) => [name, subtractScalars(value, open[name] ?? 0)] as const)
        .filter(([, value]) => value > 0),
    );
  };
}

function overcommitProblem(core: MasterCore, quotas: readonly QuotaConfig[]): string | undefined {
  const [total, capacity] = [totalGuarantees(quotas), capacityOf(core)];
  if (contains(capacity, total)) return undefined;
  return (
    `total quota guarantees '${formatQuantities(total)}' exceed cluster capacity ` +
    `'${formatQuantities(capacity)}' (use 'force' flag to bypass this check)`
  );
}

/** Of all agents, also those that are away for a moment. */
function capacityOf({ state }: MasterCore): Quantities {
  const totals = Array.from(state.agents.values(), ({ total }) =>
    scalarQuantities(total.filter(({ revocable }) => revocable === undefined)),
  );
  return sumOf(totals);
}

/** All quotas that operators have set. */
export function quotasOf({ registry }: MasterCore): readonly QuotaConfig[] {
  return registry.quotas ?? [];
}
