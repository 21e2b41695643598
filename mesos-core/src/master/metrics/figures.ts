import type { RoleFigures } from '../../allocator/index.ts';
import { inSteps } from '../../http/steps.ts';
import { systemMetrics } from '../../system-metrics.ts';
import type { MasterCore } from '../core.ts';
import type { Registry } from '../registry.ts';
import { type Framework, rolesOf } from '../state.ts';
import { FRAMEWORK_COUNTERS, MASTER_COUNTERS } from './names.ts';

type Figures = Record<string, number>;

/** So much of a framework's name is in the names of its metrics. */
const NAME_MAX = 255;

/** A metric. */
type Figure = readonly [name: string, value: number];

/** Before this name come all that are not of single frameworks and sort before those. */
const OF_FRAMEWORKS = 'master/frameworks/';

/**
 * All metrics by Mesos' names, in their order. There are some eighty of each framework, so they are
 * made one by one; `undefined` where others may have a turn.
 */
export function* masterFigures(core: MasterCore): Generator<Figure | undefined> {
  const own = inOrder({
    ...counterFigures(core),
    ...clusterFigures(core),
    ...resourceFigures(core),
    ...allocatorFigures(core),
    ...registrarFigures(core),
    ...systemMetrics(),
  });
  const unreachable = new Map<string, number>();
  for (const task of inSteps([[...core.state.unreachableTasks.values()]])) {
    if (task === undefined) yield undefined;
    else
      unreachable.set(task.framework_id.value, (unreachable.get(task.framework_id.value) ?? 0) + 1);
  }
  const frameworks = [...core.state.frameworks.values()]
    .map((framework) => ({ framework, prefix: prefixOf(framework) }))
    .sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
  yield* own.filter(([name]) => name < OF_FRAMEWORKS);
  for (const { framework, prefix } of frameworks) {
    const count = unreachable.get(framework.id) ?? 0;
    yield* inOrder(frameworkFigures(core, framework, prefix, count));
  }
  yield* own.filter(([name]) => name >= OF_FRAMEWORKS);
}

function inOrder(figures: Figures): readonly Figure[] {
  return Object.entries(figures).sort(([a], [b]) => (a < b ? -1 : 1));
}

function prefixOf({ id, info }: Framework): string {
  // A name may be of any length, and hold half of a surrogate pair, which no URL can.
  const name = info.name.slice(0, NAME_MAX).toWellFormed();
  return `${OF_FRAMEWORKS}${encodeURIComponent(name)}/${id}/`;
}

function counterFigures({ metrics }: MasterCore): Figures {
  const figures: Figures = {};
  for (const name of MASTER_COUNTERS) figures[`master/${name}`] = 0;
  for (const [name, value] of metrics.counters.entries()) figures[`master/${name}`] = value;
  for (const [name, value] of metrics.ends) figures[`master/${name}`] = value;
  return figures;
}

function clusterFigures(core: MasterCore): Figures {
  const { state, registry, events, clock, startedAtMs } = core;
  const agents = state.agents.size;
  const connectedAgents = countIf(state.agents.values(), ({ stream }) => stream !== undefined);
  const frameworks = state.frameworks.size;
  const connected = countIf(state.frameworks.values(), ({ stream }) => stream !== undefined);
  const unreachable = countIf(registry.agents, (agent) => agent.state === 'unreachable');
  return {
    'master/elected': 1,
    'master/uptime_secs': (clock.nowMs() - startedAtMs) / 1000,
    'master/slaves_active': connectedAgents,
    'master/slaves_connected': connectedAgents,
    'master/slaves_disconnected': agents - connectedAgents,
    'master/slaves_inactive': agents - connectedAgents,
    'master/slaves_unreachable': unreachable,
    'master/frameworks_active': connected,
    'master/frameworks_connected': connected,
    'master/frameworks_disconnected': frameworks - connected,
    'master/frameworks_inactive': frameworks - connected,
    'master/outstanding_offers': state.offers.size,
    'master/operator_event_stream_subscribers': events.subscribers,
    'master/tasks_staging': state.taskCount('TASK_STAGING'),
    'master/tasks_starting': state.taskCount('TASK_STARTING'),
    'master/tasks_running': state.taskCount('TASK_RUNNING'),
    'master/tasks_killing': state.taskCount('TASK_KILLING'),
    'master/tasks_unreachable': state.unreachableTasks.size,
  };
}

const SCALARS = ['cpus', 'gpus', 'mem', 'disk'] as const;

function resourceFigures({ state }: MasterCore): Figures {
  const figures: Figures = {};
  for (const name of SCALARS) {
    for (const kind of [name, `${name}_revocable`]) {
      const [total, used] = [state.totals.of(kind), state.used.of(kind)];
      figures[`master/${kind}_total`] = total;
      figures[`master/${kind}_used`] = used;
      figures[`master/${kind}_percent`] = total === 0 ? 0 : used / total;
    }
  }
  return figures;
}

function allocatorFigures({ allocator, metrics }: MasterCore): Figures {
  const { total, root, roles } = allocator.figures();
  const figures: Figures = {
    // Nothing waits in a queue for the allocator.
    'allocator/event_queue_dispatches': 0,
    'allocator/mesos/event_queue_dispatches': 0,
    'allocator/mesos/allocation_runs': metrics.allocationRun.count,
    ...metrics.allocationRun.figures('allocator/mesos/allocation_run_ms'),
    ...metrics.allocationLatency.figures('allocator/mesos/allocation_run_latency_ms'),
    ...quotaFigures(root),
  };
  for (const [name, value] of Object.entries(total)) {
    const prefix = `allocator/mesos/resources/${name}`;
    figures[`${prefix}/total`] = value;
    figures[`${prefix}/offered_or_allocated`] = root.held[name] ?? 0;
  }
  for (const role of roles) {
    figures[`allocator/mesos/offer_filters/roles/${role.path}/active`] = role.activeFilters;
    figures[`allocator/mesos/roles/${role.path}/shares/dominant`] = role.dominantShare;
    Object.assign(figures, quotaFigures(role));
  }
  return figures;
}

function quotaFigures({ path, consumed, guarantees, limits, held }: RoleFigures): Figures {
  const figures: Figures = {};
  const note = (name: string, what: string, value: number): void => {
    figures[`allocator/mesos/quota/roles/${path}/resources/${name}/${what}`] = value;
  };
  for (const [name, value] of Object.entries(consumed)) note(name, 'consumed', value);
  for (const [name, value] of Object.entries(guarantees)) note(name, 'guarantee', value);
  for (const [name, value] of Object.entries(limits)) note(name, 'limit', value);
  for (const name of Object.keys({ ...guarantees, ...limits })) {
    note(name, 'offered_or_allocated', held[name] ?? 0);
  }
  return figures;
}

function registrarFigures({ registry, metrics }: MasterCore): Figures {
  return {
    'registrar/queued_operations': 0,
    'registrar/registry_size_bytes': sizeOf(registry),
    'registrar/state_fetch_ms': metrics.registryFetchMs,
    ...metrics.registryStore.figures('registrar/state_store_ms'),
  };
}

const knownSizes = new WeakMap<Registry, number>();

/** Registries never change either; one of 5,000 agents is a megabyte of text. */
function sizeOf(registry: Registry): number {
  const size = knownSizes.get(registry) ?? Buffer.byteLength(JSON.stringify(registry));
  knownSizes.set(registry, size);
  return size;
}

function frameworkFigures(
  { metrics }: MasterCore,
  { id, info, stream, suppressedRoles }: Framework,
  prefix: string,
  unreachable: number,
): Figures {
  const own = metrics.framework(id);
  const figures: Figures = { [`${prefix}subscribed`]: stream === undefined ? 0 : 1 };
  for (const name of FRAMEWORK_COUNTERS) figures[`${prefix}${name}`] = own.get(name);
  figures[`${prefix}tasks/active/task_unreachable`] = unreachable;
  for (const role of rolesOf(info)) {
    figures[`${prefix}roles/${role}/suppressed`] = suppressedRoles.has(role) ? 1 : 0;
  }
  return figures;
}

function countIf<T>(all: Iterable<T>, isWanted: (each: T) => boolean): number {
  let count = 0;
  for (const each of all) if (isWanted(each)) count += 1;
  return count;
}
