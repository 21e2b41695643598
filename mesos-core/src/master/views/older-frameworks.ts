import { inSteps } from '../../http/steps.ts';
import {
  addResources,
  LazyList,
  LazyMessage,
  olderLabels,
  olderOffer,
  olderResources,
  olderTask,
  type Resources,
  type Task,
} from '../../protocol/index.ts';
import { hasCapability, rolesOf } from '../state.ts';
import { allocatedByFramework, offeredIn } from './resource-sums.ts';
import type { ClusterSnapshot, FrameworkView } from './snapshot.ts';

/** `GET /frameworks`, of all frameworks or of one. */
export function olderFrameworks(
  snapshot: ClusterSnapshot,
  frameworkId: string | null,
): LazyMessage {
  return new LazyMessage({
    ...frameworkLists(snapshot, ({ id }) => frameworkId === null || id === frameworkId),
    unregistered_frameworks: [],
  });
}

/** Frameworks and those that are completed, with all that they have. */
export function frameworkLists(
  snapshot: ClusterSnapshot,
  isWanted: (framework: FrameworkView) => boolean = () => true,
): { readonly frameworks: LazyList; readonly completed_frameworks: LazyList } {
  const list = (frameworks: readonly FrameworkView[]): LazyList =>
    new LazyList(function* () {
      const wanted = frameworks.filter(isWanted);
      if (wanted.length === 0) return;
      const allocated = yield* allocatedByFramework(snapshot);
      const belongings = yield* belongingsByFramework(snapshot);
      for (const framework of wanted) {
        const own = belongings.get(framework.id) ?? NOTHING;
        yield fullFramework(framework, allocated.get(framework.id) ?? [], own);
      }
    });
  return {
    frameworks: list(snapshot.frameworks),
    completed_frameworks: list(snapshot.completedFrameworks),
  };
}

/** A framework without what it has. */
export function olderFramework(framework: FrameworkView, allocated: Resources) {
  const { id, info, offers, isConnected, isRecovered } = framework;
  return {
    id,
    name: info.name,
    ...(info.principal === undefined ? {} : { principal: info.principal }),
    used_resources: olderResources(allocated),
    offered_resources: olderResources(offeredIn(offers)),
    capabilities: (info.capabilities ?? []).map(({ type }) => type),
    hostname: info.hostname ?? '',
    webui_url: info.webui_url ?? '',
    active: isConnected,
    connected: isConnected,
    recovered: isRecovered,
  };
}

function fullFramework(
  framework: FrameworkView,
  allocated: Resources,
  own: Belongings,
): LazyMessage {
  const { info, offers, registeredAtMs, reregisteredAtMs, unregisteredAtMs } = framework;
  const tasks = (list: readonly Task[]): LazyList =>
    new LazyList(function* () {
      for (const task of list) yield olderTask(task);
    });
  return new LazyMessage({
    ...olderFramework(framework, allocated),
    user: info.user,
    failover_timeout: info.failover_timeout ?? 0,
    checkpoint: info.checkpoint ?? false,
    registered_time: registeredAtMs / 1000,
    unregistered_time: (unregisteredAtMs ?? 0) / 1000,
    reregistered_time: reregisteredAtMs === registeredAtMs ? undefined : reregisteredAtMs / 1000,
    resources: olderResources(addResources(allocated, offeredIn(offers))),
    ...(hasCapability(info, 'MULTI_ROLE') ? { roles: rolesOf(info) } : { role: info.role ?? '*' }),
    tasks: tasks(own.tasks),
    unreachable_tasks: tasks(own.unreachable),
    completed_tasks: tasks(own.completed),
    offers: offers.map(olderOffer),
    executors: own.executors,
    ...olderLabels(info.labels),
    offer_constraints: framework.offerConstraints,
  });
}

interface Belongings {
  readonly tasks: Task[];
  readonly unreachable: Task[];
  readonly completed: Task[];
  readonly executors: object[];
}

const NOTHING: Belongings = { tasks: [], unreachable: [], completed: [], executors: [] };

/** Yields when part of the work is done. */
function* belongingsByFramework(
  snapshot: ClusterSnapshot,
): Generator<undefined, ReadonlyMap<string, Belongings>> {
  const all = new Map<string, Belongings>();
  const of = (frameworkId: string): Belongings => {
    const known = all.get(frameworkId);
    if (known !== undefined) return known;
    const made = { tasks: [], unreachable: [], completed: [], executors: [] };
    all.set(frameworkId, made);
    return made;
  };
  const { agents, unreachableTasks, completedTasks } = snapshot;
  const kinds = [
    ['tasks', agents.map(({ tasks }) => tasks)],
    ['unreachable', [unreachableTasks]],
    ['completed', [completedTasks]],
  ] as const;
  for (const [kind, lists] of kinds) {
    for (const task of inSteps(lists)) {
      if (task === undefined) yield undefined;
      else of(task.framework_id.value)[kind].push(task);
    }
  }
  const executors = agents.map(({ id, executors }) =>
    executors.map(({ frameworkId, info }) => ({ id, frameworkId, info })),
  );
  for (const each of inSteps(executors)) {
    if (each === undefined) yield undefined;
    else of(each.frameworkId).executors.push({ ...each.info, slave_id: each.id });
  }
  return all;
}
