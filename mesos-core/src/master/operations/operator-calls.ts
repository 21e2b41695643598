import type { FastifyInstance } from 'fastify';
import { bodyOf, MesosHttpError } from '../../http/mesos-http.ts';
import {
  type AgentID,
  addResources,
  applyConversions,
  CodecError,
  conversionsOf,
  fromJson,
  type MasterCall,
  type MasterResponseGetOperations,
  type OfferOperation,
  type Resources,
  takeResources,
  toRefinedFormat,
  unallocateResources,
} from '../../protocol/index.ts';
import { checkOperatorCall } from '../authorization.ts';
import type { MasterCore } from '../core.ts';
import { PREFIXES } from '../prefixes.ts';
import type { Agent } from '../state.ts';
import { applyToAgent, describe, overlaps } from './offer-operations.ts';
import { inOurForm } from './operation-form.ts';
import { operationProblem } from './validate.ts';

/** Calls with which operators change an agent's resources; answered with 202. */
export type OperationCall = Extract<
  MasterCall,
  {
    type:
      | 'RESERVE_RESOURCES'
      | 'UNRESERVE_RESOURCES'
      | 'CREATE_VOLUMES'
      | 'DESTROY_VOLUMES'
      | 'GROW_VOLUME'
      | 'SHRINK_VOLUME';
  }
>;

/** Whether the call, when all is well, is answered with 202: it has begun. */
export function isOperationCall({ type }: MasterCall): boolean {
  switch (type) {
    case 'RESERVE_RESOURCES':
    case 'UNRESERVE_RESOURCES':
    case 'CREATE_VOLUMES':
    case 'DESTROY_VOLUMES':
    case 'GROW_VOLUME':
    case 'SHRINK_VOLUME':
      return true;
    default:
      return false;
  }
}

/**
 * Changes an agent's resources as an operator wishes; offers that are in the way are rescinded.
 * @param principal who asks, where that is known.
 * @throws MesosHttpError 400 for what is not in order, 409 for what is not there or not free.
 */
export function operateOnAgent(core: MasterCore, call: OperationCall, principal?: string): void {
  const [agentId, given] = operationOf(call);
  const agent = core.state.agents.get(agentId ?? '');
  if (agent === undefined) throw new MesosHttpError(400, 'No agent found with specified ID');
  const operation = inOurForm(given);
  const { total, used } = agent;
  const problem = operationProblem(operation, { principal, framework: undefined, total, used });
  if (problem !== undefined) {
    const where = `Invalid ${operation.type} operation on agent ${describe(agent)}`;
    throw new MesosHttpError(400, `${where}: ${problem}`);
  }
  // What is sent to an agent that is away is lost, and the operator would never hear of it.
  if (agent.stream === undefined) {
    throw new MesosHttpError(409, `Agent ${describe(agent)} is disconnected`);
  }
  makeRoom(core, agent, operation);
  const conflict = applyToAgent(core, agent, operation, undefined);
  if (conflict !== undefined) throw new MesosHttpError(409, conflict);
}

/** Operations that are under way, or whose end is not acknowledged. */
export function getOperations(core: MasterCore): MasterResponseGetOperations {
  const operations = core.operations.all();
  return operations.length === 0 ? {} : { operations };
}

function operationOf(call: OperationCall): readonly [string | undefined, OfferOperation] {
  switch (call.type) {
    case 'RESERVE_RESOURCES': {
      const { agent_id, ...reserve } = call.reserve_resources;
      return [agent_id.value, { type: 'RESERVE', reserve }];
    }
    case 'UNRESERVE_RESOURCES': {
      const { agent_id, ...unreserve } = call.unreserve_resources;
      return [agent_id.value, { type: 'UNRESERVE', unreserve }];
    }
    case 'CREATE_VOLUMES': {
      const { agent_id, ...create } = call.create_volumes;
      return [agent_id.value, { type: 'CREATE', create }];
    }
    case 'DESTROY_VOLUMES': {
      const { agent_id, ...destroy } = call.destroy_volumes;
      return [agent_id.value, { type: 'DESTROY', destroy }];
    }
    case 'GROW_VOLUME': {
      const { agent_id, ...grow_volume } = call.grow_volume;
      return [agent_id?.value, { type: 'GROW_VOLUME', grow_volume }];
    }
    case 'SHRINK_VOLUME': {
      const { agent_id, ...shrink_volume } = call.shrink_volume;
      return [agent_id?.value, { type: 'SHRINK_VOLUME', shrink_volume }];
    }
  }
}

/**
 * Rescinds the offers that hold what the operation consumes, one by one until it is free.
 * @throws MesosHttpError 409 when tasks have it, or nobody.
 */
function makeRoom(core: MasterCore, agent: Agent, operation: OfferOperation): void {
  const conversions = conversionsOf(operation);
  const consumed = conversions.flatMap((conversion) => conversion.consumed);
  const conflict = (): string | undefined =>
    applyConversions(freeOf(core, agent), conversions).problem;
  let problem = conflict();
  for (const offer of core.state.offersOfAgent(agent.id)) {
    if (problem === undefined) return;
    if (!overlaps(offer, consumed)) continue;
    core.rescind([offer.id.value], true);
    problem = conflict();
  }
  if (problem !== undefined) throw new MesosHttpError(409, problem);
}

/** What nobody uses and nobody is offered; shared resources are always free. */
function freeOf({ state }: MasterCore, agent: Agent): Resources {
  const offered = state.offersOfAgent(agent.id).flatMap(({ resources = [] }) => resources);
  return takeResources(agent.total, addResources(agent.used, unallocateResources(offered)));
}

/** The endpoints from before the v1 API: form bodies, `slaveId=…&resources=[…]`. */
export function addOperationRoutes(app: FastifyInstance, core: MasterCore): void {
  for (const prefix of PREFIXES) {
    for (const [name, toCall] of Object.entries(FORMS)) {
      app.post(`${prefix}/${name}`, async (request, reply) => {
        const form = new URLSearchParams(Buffer.from(bodyOf(request)).toString('utf8'));
        const call = toCall({ value: formValue(form, 'slaveId') }, form);
        checkOperatorCall(core, call, request.caller);
        operateOnAgent(core, call, request.caller?.value);
        return reply.status(202).send();
      });
    }
  }
}

type ToCall = (agent_id: AgentID, form: URLSearchParams) => OperationCall;

const FORMS: Readonly<Record<string, ToCall>> = {
  reserve: (agent_id, form) => ({
    type: 'RESERVE_RESOURCES',
    reserve_resources: { agent_id, resources: formResources(form, 'resources') },
  }),
  unreserve: (agent_id, form) => ({
    type: 'UNRESERVE_RESOURCES',
    unreserve_resources: { agent_id, resources: formResources(form, 'resources') },
  }),
  'create-volumes': (agent_id, form) => ({
    type: 'CREATE_VOLUMES',
    create_volumes: { agent_id, volumes: formResources(form, 'volumes') },
  }),
  'destroy-volumes': (agent_id, form) => ({
    type: 'DESTROY_VOLUMES',
    destroy_volumes: { agent_id, volumes: formResources(form, 'volumes') },
  }),
};

function formValue(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (value !== null) return value;
  throw new MesosHttpError(400, `Missing '${name}' query parameter in the request body`);
}

function formResources(form: URLSearchParams, name: string): Resources {
  const text = formValue(form, name);
  try {
    const json: unknown = JSON.parse(text);
    if (!Array.isArray(json)) throw new CodecError('Expecting a JSON array');
    return toRefinedFormat(json.map((each) => fromJson('Resource', each)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const where = `Error in parsing '${name}' query parameter in the request body`;
    throw new MesosHttpError(400, `${where}: ${why}`);
  }
}
