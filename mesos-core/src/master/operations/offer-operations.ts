import {
  applyConversions,
  conversionsOf,
  identityOf,
  newUuidBase64,
  type Offer,
  type OfferOperation,
  type Operation,
  type Resources,
  unallocateConversions,
  unallocateResources,
} from '../../protocol/index.ts';
import { operationRefusal } from '../authorization.ts';
import type { MasterCore } from '../core.ts';
import { type Agent, type Framework, hasCapability, rolesOf } from '../state.ts';
import { inOurForm } from './operation-form.ts';
import { operationProblem } from './validate.ts';

/** Where an operation of a framework is carried out. */
interface Site {
  readonly framework: Framework;
  readonly agent: Agent;
  readonly role: string;
}

/**
 * Carries out one operation on what is left of a framework's offers; a refused one changes nothing
 * and, where it has an id, is answered with OPERATION_ERROR.
 * @returns what is left after it, for the operations that follow.
 */
export function applyToOffers(
  core: MasterCore,
  { framework, agent, role }: Site,
  given: OfferOperation,
  available: Resources,
): Resources {
  const operation = inOurForm(given, role);
  const forbidden = operationRefusal(core.authorizer, framework.info, operation);
  if (forbidden !== undefined) {
    refuse(core, framework, operation, forbidden);
    return available;
  }
  const problem = operationProblem(operation, {
    principal: framework.info.principal,
    framework: {
      id: framework.id,
      roles: rolesOf(framework.info),
      sharesResources: hasCapability(framework.info, 'SHARED_RESOURCES'),
    },
    total: agent.total,
    used: agent.used,
  });
  if (problem !== undefined) {
    refuse(core, framework, operation, `${problem}; on agent ${describe(agent)}`);
    return available;
  }
  const isTaken =
    operation.id !== undefined &&
    core.operations.find(framework.id, operation.id.value) !== undefined;
  if (isTaken) {
    const why = `Operation ID '${operation.id?.value}' is already in use`;
    refuse(core, framework, operation, why);
    return available;
  }
  const left = applyConversions(available, conversionsOf(operation));
  const applied =
    left.problem === undefined ? applyToAgent(core, agent, operation, framework.id) : left.problem;
  if (applied === undefined && left.resources !== undefined) return left.resources;
  refuse(core, framework, operation, applied ?? '');
  return available;
}

/**
 * Changes the agent's total and has the agent do so too.
 * @param frameworkId whose operation it is; `undefined` for an operator's.
 * @returns why it can't be done, or `undefined`.
 */
export function applyToAgent(
  core: MasterCore,
  agent: Agent,
  operation: OfferOperation,
  frameworkId: string | undefined,
): string | undefined {
  const conversions = unallocateConversions(conversionsOf(operation));
  const { resources: total, problem } = applyConversions(agent.total, conversions);
  if (problem !== undefined) return problem;
  rescindShared(core, agent, operation);
  changeTotal(core, agent, total);
  const tracked: Operation = {
    ...(frameworkId === undefined ? {} : { framework_id: { value: frameworkId } }),
    agent_id: { value: agent.id },
    info: operation,
    latest_status: {
      ...(operation.id === undefined ? {} : { operation_id: operation.id }),
      state: 'OPERATION_PENDING',
      agent_id: { value: agent.id },
    },
    uuid: { value: newUuidBase64(core.random) },
  };
  core.operations.put(tracked);
  agent.stream?.send({ type: 'APPLY_OPERATION', operation: tracked });
  return undefined;
}

/** A shared volume that is destroyed can be with several frameworks: all have to let go of it. */
function rescindShared(core: MasterCore, agent: Agent, operation: OfferOperation): void {
  if (operation.type !== 'DESTROY') return;
  const volumes = unallocateResources(operation.destroy.volumes ?? []);
  const shared = volumes.filter((volume) => volume.shared !== undefined);
  if (shared.length === 0) return;
  const offers = core.state.offersOfAgent(agent.id).filter((offer) => overlaps(offer, shared));
  core.rescind(
    offers.map(({ id }) => id.value),
    true,
  );
}

/** Whether something of the resources, without allocation marks, is in the offer. */
export function overlaps(offer: Offer, resources: Resources): boolean {
  const kinds = new Set(unallocateResources(offer.resources ?? []).map(identityOf));
  return resources.some((resource) => kinds.has(identityOf(resource)));
}

/** The agent has other resources than before: what is not used or offered of them is free. */
function changeTotal(core: MasterCore, agent: Agent, total: Resources): void {
  core.state.setTotal(agent, total);
  core.allocator.updateAgent(agent.id, total);
}

/** Says that an operation was not carried out, to who asked to be told. */
export function refuse(
  core: MasterCore,
  framework: Framework,
  { id, type }: OfferOperation,
  message: string,
): void {
  core.logger.warn({ frameworkId: framework.id, operation: type, why: message }, 'dropping it');
  if (id === undefined) return;
  core.send(framework, {
    type: 'UPDATE_OPERATION_STATUS',
    update_operation_status: {
      status: { operation_id: id, state: 'OPERATION_ERROR', message },
    },
  });
}

/** The same for an operation on offers that are no more: that is true unless it came twice. */
export function refuseStale(
  core: MasterCore,
  framework: Framework,
  operation: OfferOperation,
  message: string,
): void {
  const known = core.operations.find(framework.id, operation.id?.value ?? '');
  if (known === undefined) {
    refuse(core, framework, operation, message);
    return;
  }
  const { latest_status: status } = known;
  core.send(framework, { type: 'UPDATE_OPERATION_STATUS', update_operation_status: { status } });
}

/** An agent as Mesos names it in messages. */
export function describe({ id, ip, info }: Agent): string {
  return `${id} at slave(1)@${ip}:${info.port ?? 5051} (${info.hostname})`;
}
