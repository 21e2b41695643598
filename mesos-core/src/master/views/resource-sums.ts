import { addResources, type Offer, type Resources, type Task } from '../../protocol/index.ts';
import { type ExecutorEntry, entryOf, isTerminal } from '../state.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** Of so many tasks the resources are summed up before others have a turn. */
const TASKS_PER_STEP = 200;

interface Holders {
  readonly tasks: readonly Task[];
  readonly executors: readonly ExecutorEntry[];
}

/** What tasks that live and executors hold together, marks included. */
export function allocatedTo({ tasks, executors }: Holders): Resources {
  return sumOf([
    ...tasks.filter((task) => !isTerminal(task.state)),
    ...executors.map(({ info }) => info),
  ]);
}

/** The resources of offers, together. */
export function offeredIn(offers: readonly Offer[]): Resources {
  return sumOf(offers);
}

/** What each framework holds on all agents, by its id. Yields when part of the work is done. */
export function allocatedByFramework(
  snapshot: ClusterSnapshot,
): Generator<undefined, ReadonlyMap<string, Resources>> {
  return sumsBy(snapshot, (frameworkId) => frameworkId);
}

/** What is allocated to each role on all agents. Yields when part of the work is done. */
export function allocatedByRole(
  snapshot: ClusterSnapshot,
): Generator<undefined, ReadonlyMap<string, Resources>> {
  return sumsBy(snapshot, (_frameworkId, [first]) => first?.allocation_info?.role ?? '*');
}

/** Sums of what tasks that live and executors hold; all resources of one have one role. */
function* sumsBy(
  snapshot: ClusterSnapshot,
  keyOf: (frameworkId: string, resources: Resources) => string,
): Generator<undefined, ReadonlyMap<string, Resources>> {
  const sums = new Map<string, Resources>();
  const pending = new Map<string, Resources[]>();
  let count = 0;
  const settle = (): void => {
    for (const [key, parts] of pending)
      sums.set(key, addResources(sums.get(key) ?? [], parts.flat()));
    pending.clear();
    count = 0;
  };
  const note = (frameworkId: string, resources: Resources | undefined): void => {
    if (resources === undefined || resources.length === 0) return;
    entryOf(pending, keyOf(frameworkId, resources), (): Resources[] => []).push(resources);
    count += 1;
  };
  for (const { tasks, executors } of snapshot.agents) {
    for (const task of tasks) {
      if (!isTerminal(task.state)) note(task.framework_id.value, task.resources);
      if (count < TASKS_PER_STEP) continue;
      settle();
      yield undefined;
    }
    for (const { frameworkId, info } of executors) note(frameworkId, info.resources);
  }
  settle();
  return sums;
}

function sumOf(holders: readonly { readonly resources?: Resources | undefined }[]): Resources {
  return addResources(
    [],
    holders.flatMap(({ resources }) => resources ?? []),
  );
}
