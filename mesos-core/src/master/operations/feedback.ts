import type {
  AgentCall,
  AgentSubscribe,
  Operation,
  OperationState,
  SchedulerCall,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { registeredAgent } from '../registry.ts';
import type { Agent, Framework } from '../state.ts';
import { isTerminalOperation } from './book.ts';

type Update = Extract<AgentCall, { type: 'UPDATE_OPERATION' }>;
type Acknowledge = Extract<SchedulerCall, { type: 'ACKNOWLEDGE_OPERATION_STATUS' }>;
type Reconcile = Extract<SchedulerCall, { type: 'RECONCILE_OPERATIONS' }>;

/**
 * An agent says what became of an operation. Whoever gave it an id is told, and acknowledges it; in
 * place of the others, and of frameworks that are gone for good, the master does.
 */
export function onOperationUpdate(core: MasterCore, agent: Agent, update: Update): void {
  const { operation_uuid, framework_id, status } = update;
  const known = core.operations.get(operation_uuid);
  const operation = known && core.operations.update(known, status);
  const frameworkId = framework_id ?? '';
  if (status.operation_id !== undefined && isExpected(core, frameworkId)) {
    sendStatus(core, frameworkId, status);
    return;
  }
  if (operation !== undefined && isTerminalOperation(operation.latest_status.state)) {
    core.operations.remove(operation);
  }
  const uuid = status.uuid?.value ?? '';
  agent.stream?.send({ type: 'OPERATION_ACKNOWLEDGED', operation_uuid, uuid });
}

/** Whether the framework is there, or may come back. */
function isExpected({ state, registry }: MasterCore, frameworkId: string): boolean {
  if (state.frameworks.has(frameworkId)) return true;
  return registry.frameworks.some(({ id }) => id === frameworkId);
}

function sendStatus(core: MasterCore, frameworkId: string, status: Update['status']): void {
  core.send(core.state.frameworks.get(frameworkId), {
    type: 'UPDATE_OPERATION_STATUS',
    update_operation_status: { status },
  });
}

/** The framework has handled a status: the agent need not send it again. */
export function acknowledgeOperation(
  core: MasterCore,
  framework: Framework,
  { acknowledge_operation_status: call }: Acknowledge,
): void {
  const operation = core.operations.find(framework.id, call.operation_id.value);
  const agent = core.state.agents.get(operation?.agent_id?.value ?? '');
  // The agent sends the status again when it is back.
  if (operation === undefined || agent?.stream === undefined) return;
  const { state, uuid } = operation.latest_status;
  if (isTerminalOperation(state) && uuid?.value === call.uuid) core.operations.remove(operation);
  agent.stream.send({
    type: 'OPERATION_ACKNOWLEDGED',
    operation_uuid: operation.uuid.value,
    uuid: call.uuid,
  });
}

/** Answers with the latest status of each operation; of all with an id when none is named. */
export function reconcileOperations(
  core: MasterCore,
  framework: Framework,
  { reconcile_operations: { operations = [] } }: Reconcile,
): void {
  if (operations.length === 0) {
    for (const { latest_status } of core.operations.ofFramework(framework.id)) {
      sendStatus(core, framework.id, latest_status);
    }
    return;
  }
  for (const { operation_id, agent_id } of operations) {
    const known = core.operations.find(framework.id, operation_id.value);
    const status = known?.latest_status ?? {
      operation_id,
      ...verdictOn(core, agent_id?.value),
      ...(agent_id === undefined ? {} : { agent_id }),
    };
    sendStatus(core, framework.id, status);
  }
}

/** What the master says of an operation that it does not know. */
function verdictOn(
  { state, registry }: MasterCore,
  agentId: string | undefined,
): { readonly state: OperationState; readonly message: string } {
  const say = (verdict: OperationState, what: string) => ({
    state: verdict,
    message: `Reconciliation: ${what}`,
  });
  if (agentId === undefined) return say('OPERATION_UNKNOWN', 'Operation is unknown');
  if (state.agents.has(agentId)) {
    return say('OPERATION_UNKNOWN', 'Operation is unknown to the agent');
  }
  const registered = registeredAgent(registry, agentId);
  switch (registered?.state) {
    case 'admitted':
      return say('OPERATION_RECOVERING', 'Agent is recovered but has not re-registered');
    case 'unreachable':
      return say('OPERATION_UNREACHABLE', 'Agent is unreachable');
    case 'gone':
      return say('OPERATION_GONE_BY_OPERATOR', 'Agent marked gone by operator');
    case undefined:
      return say('OPERATION_UNKNOWN', 'Both operation and agent are unknown');
  }
}

/** The agent has subscribed: what it knows of operations is what there is. */
export function takeOverOperations(
  core: MasterCore,
  agent: Agent,
  { operations = [] }: AgentSubscribe,
): void {
  const reported = new Set(operations.map(({ uuid }) => uuid.value));
  for (const operation of core.operations.ofAgent(agent.id)) {
    if (reported.has(operation.uuid.value)) continue;
    // Either it got lost on its way, or its end was acknowledged and the acknowledgement is old.
    const isOver = isTerminalOperation(operation.latest_status.state);
    if (!isOver) end(core, operation, 'OPERATION_DROPPED', 'The agent does not know the operation');
    core.operations.remove(operation);
  }
  for (const operation of operations) {
    core.operations.put({ ...operation, agent_id: { value: agent.id } });
  }
}

/** The agent is gone, for now or for good: nothing more is to be heard of its operations. */
export function dropOperationsOf(
  core: MasterCore,
  agentId: string,
  state: 'OPERATION_UNREACHABLE' | 'OPERATION_GONE_BY_OPERATOR',
): void {
  for (const operation of core.operations.ofAgent(agentId)) {
    end(core, operation, state, 'The agent was removed');
    core.operations.remove(operation);
  }
}

function end(core: MasterCore, operation: Operation, state: OperationState, message: string): void {
  const { info, framework_id, agent_id } = operation;
  if (info.id === undefined || framework_id === undefined) return;
  sendStatus(core, framework_id.value, {
    operation_id: info.id,
    state,
    message,
    ...(agent_id === undefined ? {} : { agent_id }),
  });
}
