import {
  hostAttribute,
  VM_EXECUTOR_NEED,
  VM_TASK_VERSION,
  type VmTaskData,
  vmTaskId,
} from '@factory/contracts';
import type { ExecutorInfo, Offer, Resource, SchedulerCall, TaskInfo } from 'mesos-core/protocol';
import { type Amounts, needOf } from './placement-amounts.ts';
import type { AgentOffer } from './placement-eligibility.ts';
import { amountsOf, ResourcePool } from './resource-pool.ts';
import { type VmRecord, vmIdOf } from './vm-record.ts';

export const EXECUTOR_ID = 'vm-executor';

/** What the executor process itself takes, once a host. */
export const EXECUTOR_NEED: Amounts = {
  cpus: VM_EXECUTOR_NEED.vcpus,
  memoryMiB: VM_EXECUTOR_NEED.memoryMiB,
  diskMiB: 0,
};

/** Before an agent's maintenance it gets no new VMs for this long, in ms. */
const DRAIN_AHEAD_MS = 60 * 60_000;

/** Offers of the same agent, seen as one. */
export function groupByAgent(offers: Iterable<Offer>): ReadonlyMap<string, readonly Offer[]> {
  const byAgent = new Map<string, Offer[]>();
  for (const offer of offers) {
    const agentId = offer.agent_id.value;
    byAgent.set(agentId, [...(byAgent.get(agentId) ?? []), offer]);
  }
  return byAgent;
}

/** One agent's offers in the placement's terms. `nowMs` is the wall clock's. */
export function toAgentOffer(agentId: string, offers: readonly Offer[], nowMs: number): AgentOffer {
  const executorIds = offers.flatMap((offer) => offer.executor_ids ?? []);
  return {
    agentId,
    hostName: offers[0]?.hostname ?? agentId,
    free: amountsOf(offers),
    hasExecutor: executorIds.some((id) => id.value === EXECUTOR_ID),
    attributes: (offers[0]?.attributes ?? []).map(hostAttribute),
    closedBy: offers.some((offer) => isDraining(offer, nowMs)) ? 'drain' : undefined,
  };
}

/** Whether the agent goes, or will soon go, into maintenance. */
function isDraining({ unavailability }: Offer, nowMs: number): boolean {
  if (unavailability === undefined) return false;
  const startMs = unavailability.start.nanoseconds / 1e6;
  const durationMs = (unavailability.duration?.nanoseconds ?? Number.POSITIVE_INFINITY) / 1e6;
  return nowMs >= startMs - DRAIN_AHEAD_MS && nowMs < startMs + durationMs;
}

/** How the executor is started on an agent. */
export interface ExecutorTemplate {
  readonly frameworkId: string;
  readonly role: string;
  /** A shell command on the agent's host. */
  readonly command: string;
}

/**
 * Launches `records` (already counted as launched: `task` is set) on these offers of one agent.
 * What they do not take goes back at once; `refuseSeconds` says for how long.
 */
export function acceptCall(
  records: readonly VmRecord[],
  offers: readonly Offer[],
  template: ExecutorTemplate,
  refuseSeconds: number,
): SchedulerCall {
  const pool = new ResourcePool(offers);
  const executor = executorInfo(template);
  const tasks = records.map((record) =>
    taskInfo(record, executor, pool.take(needOf(record.assignment))),
  );
  return {
    type: 'ACCEPT',
    framework_id: { value: template.frameworkId },
    accept: {
      offer_ids: offers.map((offer) => offer.id),
      operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
      filters: { refuse_seconds: refuseSeconds },
    },
  };
}

/**
 * The same for every launch on every agent: Mesos refuses a second `ExecutorInfo` under one id that
 * differs from the first.
 */
export function executorInfo(template: ExecutorTemplate): ExecutorInfo {
  const scalar = (name: string, value: number): Resource => ({
    name,
    type: 'SCALAR',
    scalar: { value },
    allocation_info: { role: template.role },
  });
  return {
    type: 'CUSTOM',
    executor_id: { value: EXECUTOR_ID },
    framework_id: { value: template.frameworkId },
    name: EXECUTOR_ID,
    command: { shell: true, value: template.command },
    resources: [scalar('cpus', EXECUTOR_NEED.cpus), scalar('mem', EXECUTOR_NEED.memoryMiB)],
  };
}

function taskInfo(
  record: VmRecord,
  executor: ExecutorInfo,
  resources: readonly Resource[],
): TaskInfo {
  const { assignment, task } = record;
  const data: VmTaskData = {
    version: VM_TASK_VERSION,
    vmId: assignment.vmId,
    projectId: assignment.projectId,
    assignmentEpoch: assignment.assignmentEpoch,
    generation: assignment.generation,
    desired: assignment.desired,
    spec: assignment.spec,
  };
  return {
    name: assignment.spec.hostname,
    task_id: { value: vmTaskId(vmIdOf(record), task?.attempt ?? 0) },
    agent_id: { value: task?.agentId ?? '' },
    resources: [...resources],
    executor,
    data: Buffer.from(JSON.stringify(data)).toString('base64'),
  };
}
