import { addResources, type Offer, type Resources, type Task } from '../../protocol/index.ts';
import { type ExecutorEntry, entryOf, isTerminal } from '../state.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** The resources of so many holders are summed up before others have a turn. */
const HOLDERS_PER_STEP = 200;

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
function sumsBy(
  snapshot: ClusterSnapshot,
  keyOf: (frameworkId: string, resources: Resources) => string,
): Generator<undefined, ReadonlyMap<string, Resources>> {
  const holdings = function* (): Generator<Holding> {
    for (const { tasks, executors } of snapshot.agents) {
      for (const { state, framework_id, resources = [] } of tasks) {
        if (!isTerminal(state)) yield [keyOf(framework_id.value, resources), resources];
      }
      for (const { frameworkId, info } of executors) {
        const { resources = [] } = info;
        yield [keyOf(frameworkId, resources), resources];
      }
    }
  };
  return sumInSteps(holdings());
}

/** Resources, and what they are counted under. */
export type Holding = readonly [key: string, resources: Resources];

/** What there is under each key. Yields when part of the work is done. */
export function* sumInSteps(
  holdings: Iterable<Holding>,
): Generator<undefined, ReadonlyMap<string, Resources>> {
  const sums = new Map<string, Resources>();
  const pending = new Map<string, Resources[]>();
  let count = 0;
  const settle = (): void => {
    for (const [key, parts] of pending)
      sums.set(key, addResources(sums.get(key) ?? [], parts.flat()));
    pending.clear();
  };
  for (const [key, resources] of holdings) {
    count += 1;
    if (resources.length > 0) entryOf(pending, key, (): Resources[] => []).push(resources);
    if (count % HOLDERS_PER_STEP !== 0) continue;
    settle();
    yield undefined;
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
