import type {
  AgentUpdate,
  DrainConfig,
  DrainInfo,
  DurationInfo,
  KillPolicy,
  ProtobufDuration,
  Task,
  TaskState,
} from '../../protocol/index.ts';
import type { RegisteredAgent, RegisteredDrain, Registry } from '../registry.ts';

/** How long Mesos' executors wait between SIGTERM and SIGKILL when a task does not say. */
const DEFAULT_GRACE_NS = 3e9;

/**
 * With what grace a task is killed when its agent drains: the operator's bound shortens what the task
 * wishes, and never lengthens it. `undefined`: as the task says. Pure.
 */
export function drainKillPolicy(task: Task, { max_grace_period }: DrainConfig) {
  if (max_grace_period === undefined) return undefined;
  const wishedNs = task.kill_policy?.grace_period?.nanoseconds ?? DEFAULT_GRACE_NS;
  if (wishedNs <= max_grace_period.nanoseconds) return undefined;
  return { grace_period: max_grace_period } satisfies KillPolicy;
}

/**
 * What a draining agent's framework is told instead of a plain end: that the drain is the reason, and,
 * when the agent is to be marked gone, that the task is gone with it. As in Mesos' agents. Pure.
 * @param isPartitionAware the framework knows of tasks that are gone.
 */
export function drainedUpdate<T extends Pick<AgentUpdate, 'status' | 'latest_state'>>(
  update: T,
  { state, config }: RegisteredDrain,
  isPartitionAware: boolean,
): T {
  const { status } = update;
  if (state !== 'DRAINING') return update;
  const isGone = config.mark_gone === true && isPartitionAware;
  const told = (task: TaskState): TaskState =>
    isGone && task === 'TASK_KILLED' ? 'TASK_GONE_BY_OPERATOR' : task;
  const isByDrain = status.state === 'TASK_KILLED' || status.state === 'TASK_KILLING';
  const reason = 'REASON_AGENT_DRAINING' as const;
  return {
    ...update,
    status: isByDrain ? { ...status, state: told(status.state), reason } : status,
    latest_state: told(update.latest_state),
  };
}

/** A duration of the protobuf library, as Mesos' own. */
export function durationInfo({ seconds = 0, nanos = 0 }: ProtobufDuration): DurationInfo {
  return { nanoseconds: seconds * 1e9 + nanos };
}

/** Every registry is an immutable value: what was found in one stays true of it. */
const found = new WeakMap<Registry, ReadonlyMap<string, RegisteredAgent>>();

/** The agents that are out of service, by id; cheap to ask for again and again. Pure. */
export function deactivatedAgents(registry: Registry): ReadonlyMap<string, RegisteredAgent> {
  const known = found.get(registry);
  if (known !== undefined) return known;
  const entries = registry.agents.filter(({ deactivated }) => deactivated === true);
  const index = new Map(entries.map((entry) => [entry.id, entry]));
  found.set(registry, index);
  return index;
}

/** What GET_AGENTS says of an agent's service. Pure. */
export function drainView(entry: RegisteredAgent | undefined, isConnected: boolean) {
  if (entry === undefined) return { active: isConnected, deactivated: false };
  const { drain } = entry;
  const view = { active: false, deactivated: true };
  if (drain === undefined) return view;
  const drain_info: DrainInfo = { state: drain.state, config: drain.config };
  const estimated_drain_start_time = { nanoseconds: Math.round(drain.startedAtMs * 1e6) };
  return { ...view, drain_info, estimated_drain_start_time };
}

/** The registry with one agent deactivated and, if told so, draining. Pure. */
export function withDeactivated(
  registry: Registry,
  agentId: string,
  drain: RegisteredDrain | undefined,
): Registry {
  return withAgent(registry, agentId, (agent) => ({
    ...agent,
    deactivated: true,
    ...(drain === undefined ? {} : { drain }),
  }));
}

/** The registry with one agent offered again. Pure. */
export function withReactivated(registry: Registry, agentId: string): Registry {
  return withAgent(registry, agentId, ({ deactivated: _, drain: __, ...agent }) => agent);
}

/** The registry in which a draining agent has nothing left to end. Pure. */
export function withDrained(registry: Registry, agentId: string): Registry {
  return withAgent(registry, agentId, (agent) =>
    agent.drain === undefined ? agent : { ...agent, drain: { ...agent.drain, state: 'DRAINED' } },
  );
}

function withAgent(
  registry: Registry,
  agentId: string,
  change: (agent: RegisteredAgent) => RegisteredAgent,
): Registry {
  const agents = registry.agents.map((agent) => (agent.id === agentId ? change(agent) : agent));
  return { ...registry, agents };
}
