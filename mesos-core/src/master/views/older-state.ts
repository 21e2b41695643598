import { inSteps } from '../../http/steps.ts';
import { LazyList, LazyMessage, type TaskState } from '../../protocol/index.ts';
import { VERSION_INFO } from '../../version-info.ts';
import type { MasterCore } from '../core.ts';
import { olderAgent, olderRecovered } from './older-agents.ts';
import { frameworkLists, olderFramework } from './older-frameworks.ts';
import { allocatedByFramework } from './resource-sums.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** `GET /state`. */
export function olderState(
  core: MasterCore,
  snapshot: ClusterSnapshot,
  flags: Readonly<Record<string, string>> | undefined,
): LazyMessage {
  const { id, pid, port, hostname, capabilities, domain } = core.masterInfo;
  const startSeconds = core.startedAtMs / 1000;
  const active = snapshot.agents.filter(({ isConnected }) => isConnected).length;
  return new LazyMessage({
    ...VERSION_INFO,
    start_time: startSeconds,
    elected_time: startSeconds,
    ...{ id, pid, hostname, domain },
    capabilities: (capabilities ?? []).map(({ type }) => type),
    activated_slaves: active,
    deactivated_slaves: snapshot.agents.length - active,
    unreachable_slaves: snapshot.unreachableAgents,
    cluster: flags?.cluster,
    leader: pid,
    leader_info: { id, pid, port, hostname },
    flags,
    slaves: new LazyList(function* () {
      for (const agent of snapshot.agents) yield olderAgent(agent);
    }),
    recovered_slaves: olderRecovered(snapshot),
    ...frameworkLists(snapshot),
    orphan_tasks: [],
    unregistered_frameworks: [],
  });
}

/** `GET /state-summary`. */
export function olderSummary(
  core: MasterCore,
  snapshot: ClusterSnapshot,
  flags: Readonly<Record<string, string>> | undefined,
): LazyMessage {
  let counts: Counts | undefined;
  const counted = function* (): Generator<undefined, Counts> {
    counts ??= yield* countTasks(snapshot);
    return counts;
  };
  return new LazyMessage({
    hostname: core.masterInfo.hostname,
    cluster: flags?.cluster,
    slaves: new LazyList(function* () {
      const { byAgent } = yield* counted();
      for (const agent of snapshot.agents) {
        const { states, others } = byAgent.get(agent.id) ?? newCount();
        yield { ...olderAgent(agent), ...states, framework_ids: [...others] };
      }
    }),
    frameworks: new LazyList(function* () {
      const { byFramework } = yield* counted();
      const allocated = yield* allocatedByFramework(snapshot);
      for (const framework of snapshot.frameworks) {
        const { states, others } = byFramework.get(framework.id) ?? newCount();
        const form = olderFramework(framework, allocated.get(framework.id) ?? []);
        yield { ...form, ...states, slave_ids: [...others] };
      }
    }),
  });
}

/** The states that the summary tells, in Mesos' order. */
const STATES = [
  ...['TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING', 'TASK_FINISHED'],
  ...['TASK_KILLED', 'TASK_FAILED', 'TASK_LOST', 'TASK_ERROR', 'TASK_UNREACHABLE'],
];

interface Count {
  readonly states: Record<string, number>;
  /** Frameworks of an agent; agents of a framework. */
  readonly others: Set<string>;
}

interface Counts {
  readonly byAgent: ReadonlyMap<string, Count>;
  readonly byFramework: ReadonlyMap<string, Count>;
}

function newCount(): Count {
  return { states: Object.fromEntries(STATES.map((state) => [state, 0])), others: new Set() };
}

/** Yields when part of the work is done. */
function* countTasks(snapshot: ClusterSnapshot): Generator<undefined, Counts> {
  const byAgent = new Map<string, Count>();
  const byFramework = new Map<string, Count>();
  const add = (counts: Map<string, Count>, key: string, state: TaskState, other: string): void => {
    const count = counts.get(key) ?? newCount();
    counts.set(key, count);
    if (count.states[state] !== undefined) count.states[state] += 1;
    count.others.add(other);
  };
  const { agents, unreachableTasks, completedTasks } = snapshot;
  const lists = [...agents.map(({ tasks }) => tasks), unreachableTasks, completedTasks];
  for (const task of inSteps(lists)) {
    if (task === undefined) {
      yield undefined;
      continue;
    }
    const { state, agent_id, framework_id } = task;
    add(byAgent, agent_id.value, state, framework_id.value);
    add(byFramework, framework_id.value, state, agent_id.value);
  }
  return { byAgent, byFramework };
}
