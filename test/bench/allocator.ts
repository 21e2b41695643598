import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { sleep, systemClock, systemRandom } from '@factory/runtime';
import { type Allocation, Allocator, type FrameworkFacts } from 'mesos-core/allocator';
import { parseResources, type Resources, unallocateResources } from 'mesos-core/protocol';

/**
 * `./factory bench allocator`: cycles of the allocator alone, through its public events, driven in
 * slices as the master drives it. Limits are those of the project.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
/** As the master's driver has it. */
const SLICE_MS = 5;
const OFFERS_PER_SLICE_MAX = 250;
const CYCLE_PAUSE_MAX_MS = 50;
const INTERVAL_MS = 1_000;

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
}

const loopDelay = monitorEventLoopDelay({ resolution: 1 });
const figures: Figure[] = [
  ...(await benchAllWanting()),
  ...(await benchQuota()),
  ...(await benchRefusals()),
];
report(figures);

/** 10,000 agents, 1,000 frameworks in 100 roles of two levels, which all want everything. */
async function benchAllWanting(): Promise<readonly Figure[]> {
  const best = await bestOf(async () => {
    const allocator = newAllocator();
    for (let index = 0; index < 1_000; index += 1) {
      const role = `team-${index % 10}/job-${index % 100}`;
      allocator.putFramework(`framework-${index}`, framework(role));
    }
    addAgents(allocator, 10_000);
    return cycle(allocator, 10_000);
  });
  return [
    {
      what: '10,000 agents, 1,000 frameworks: full cycle',
      value: best.ms,
      unit: 'ms',
      limit: 1_000,
    },
    pause('10,000 agents, 1,000 frameworks', best),
  ];
}

/** 3,000 agents, 3,000 frameworks, each in a role of its own with a guarantee and a limit. */
async function benchQuota(): Promise<readonly Figure[]> {
  let emptyMs = Number.POSITIVE_INFINITY;
  const best = await bestOf(async () => {
    const allocator = newAllocator();
    for (let index = 0; index < 3_000; index += 1) {
      allocator.putFramework(`framework-${index}`, framework(`role-${index}`));
      allocator.setQuota(`role-${index}`, {
        guarantees: { cpus: 4, mem: 8_192 },
        limits: { cpus: 20, mem: 32_768 },
      });
    }
    addAgents(allocator, 3_000);
    const full = await cycle(allocator, 3_000);
    // What quota held back is looked at once more, as the cycle has changed what is there.
    allocator.tick(0);
    await cycle(allocator, 0);
    const startMs = systemClock.monotonicMs();
    allocator.tick(0);
    allocator.slice({ isOver: () => false, allocationsMax: OFFERS_PER_SLICE_MAX });
    emptyMs = Math.min(emptyMs, systemClock.monotonicMs() - startMs);
    return full;
  });
  const size = '3,000 agents, 3,000 roles with quota';
  return [
    { what: `${size}: full cycle`, value: best.ms, unit: 'ms', limit: 1_500 },
    { what: `${size}: empty cycle`, value: emptyMs, unit: 'ms', limit: 1 },
    pause(size, best),
  ];
}

/** 10,000 agents, 9 of 10 frameworks have refused each of them; then the tenth comes. */
async function benchRefusals(): Promise<readonly Figure[]> {
  let filters = 0;
  const best = await bestOf(async () => {
    const allocator = newAllocator();
    addAgents(allocator, 10_000);
    filters = 0;
    for (let index = 0; index < 9; index += 1) {
      allocator.putFramework(`framework-${index}`, framework('*'));
      const { allocations } = await cycle(allocator, 10_000);
      for (const allocation of allocations) decline(allocator, allocation);
      filters += allocations.length;
    }
    allocator.putFramework('framework-9', framework('*'));
    return cycle(allocator, 10_000);
  });
  const size = `10,000 agents, 10 frameworks, ${filters} refusals`;
  return [
    { what: `${size}: full cycle`, value: best.ms, unit: 'ms', limit: 1_000 },
    pause(size, best),
  ];
}

interface Cycle {
  /** Of work and of the pauses between slices. */
  readonly ms: number;
  readonly pauseMs: number;
  readonly allocations: readonly Allocation[];
}

/** A whole cycle in slices; others have their turn in between. */
async function cycle(allocator: Allocator, expected: number): Promise<Cycle> {
  const allocations: Allocation[] = [];
  await sleep(systemClock, 20);
  loopDelay.enable();
  loopDelay.reset();
  const startMs = systemClock.monotonicMs();
  while (!allocator.isIdle) {
    const endsAtMs = systemClock.monotonicMs() + SLICE_MS;
    const isOver = (): boolean => systemClock.monotonicMs() >= endsAtMs;
    const slice = allocator.slice({ isOver, allocationsMax: OFFERS_PER_SLICE_MAX });
    for (const allocation of slice) allocations.push(allocation);
    await sleep(systemClock, 0);
  }
  const ms = systemClock.monotonicMs() - startMs;
  const pauseMs = loopDelay.max / 1e6;
  loopDelay.disable();
  if (allocations.length < expected) throw new Error(`only ${allocations.length} allocations`);
  return { ms, pauseMs, allocations };
}

async function bestOf(round: () => Promise<Cycle>): Promise<Cycle> {
  const cycles: Cycle[] = [];
  for (let index = 0; index < rounds; index += 1) cycles.push(await round());
  // The best: whatever else the machine did only ever adds time.
  return cycles.reduce((best, each) => (each.ms < best.ms ? each : best));
}

function decline(
  allocator: Allocator,
  { frameworkId, role, agentId, resources }: Allocation,
): void {
  allocator.noteRecovered(agentId, frameworkId, resources);
  const refused = { frameworkId, role, agentId };
  allocator.refuse(refused, unallocateResources(resources), 3600 * INTERVAL_MS);
}

function newAllocator(): Allocator {
  return new Allocator({
    roleSorter: 'drf',
    frameworkSorter: 'drf',
    fairSharingExcludedNames: [],
    filterGpuResources: true,
    isolateGroups: false,
    offersDeclinedAtOnce: true,
    minAllocatable: [{ cpus: 0.01 }, { mem: 32 }],
    minAllocatableByRole: new Map(),
    random: systemRandom,
  });
}

function addAgents(allocator: Allocator, count: number): void {
  const total: Resources = parseResources('cpus:24;mem:65536;disk:1000000;ports:[31000-32000]');
  const identity = { hostname: 'host', attributes: [], domain: undefined };
  for (let index = 0; index < count; index += 1) {
    allocator.putAgent(`agent-${index}`, { total, identity, isRemote: false });
  }
}

function framework(role: string): FrameworkFacts {
  return {
    roles: [role],
    suppressedRoles: new Set(),
    isActive: true,
    capabilities: {
      isGpuAware: false,
      isRegionAware: false,
      takesRevocable: false,
      takesShared: false,
      takesRefined: true,
    },
  };
}

function pause(size: string, { pauseMs }: Cycle): Figure {
  return { what: `${size}: longest pause`, value: pauseMs, unit: 'ms', limit: CYCLE_PAUSE_MAX_MS };
}

function report(all: readonly Figure[]): void {
  if (values.json) {
    console.log(JSON.stringify(all));
    return;
  }
  for (const { what, value, unit, limit } of all) {
    const mark = value <= limit ? 'ok  ' : 'OVER';
    console.log(`  ${mark} ${what}: ${value.toFixed(2)} ${unit} (limit ${limit} ${unit})`);
  }
}
