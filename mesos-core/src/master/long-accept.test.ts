import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  allocateResources,
  type Offer,
  type OfferOperation,
  parseResources,
  type SchedulerEvent,
  type TaskInfo,
} from '../protocol/index.ts';
import { OfferAnswers } from './accept.ts';
import { Agents } from './agents.ts';
import type { Slices } from './call-order.ts';
import { MasterCore } from './core.ts';
import { EventStream } from './event-stream.ts';
import { Frameworks } from './frameworks.ts';
import { checkMasterInvariants } from './invariants.ts';
import { newRegistry } from './registry.ts';
import { createMemoryRegistryStore } from './registry-store/memory-store.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import type { Framework } from './state.ts';
import { FRAMEWORK, taskOn } from './testing/world.ts';

const TASKS = 1800;
const SLICE_MAX = 250;

let core: MasterCore;
let agents: Agents;
let framework: Framework;
let told: SchedulerEvent[];
let offer: Offer;

beforeEach(async () => {
  core = new MasterCore({
    ...{ clock: new VirtualClock(), random: seededRandom('accept'), logger: silentLogger },
    ...{ settings: DEFAULT_SETTINGS, registry: newRegistry('m') },
    store: createMemoryRegistryStore(),
    address: { hostname: 'master', ip: '127.0.0.1', port: 5050 },
  });
  const frameworks = new Frameworks(core);
  agents = new Agents(core, frameworks);
  await agents.subscribe(
    {
      ...{ agent_info: { hostname: 'a' }, version: '1.12.0', capabilities: [], scheme: 'http' },
      ...{ total_resources: parseResources('cpus:2000;mem:9000'), executors: [], tasks: [] },
      frameworks: [{ ...FRAMEWORK, id: { value: 'f' } }],
    },
    '127.0.0.1',
  );
  framework = known(core.state.frameworks.get('f'));
  told = [];
  framework.stream = streamTo(told);
  offer = offered('o1', 'cpus:1990;mem:8000');
});

afterEach(() => {
  expect(checkMasterInvariants(core.state)).toEqual([]);
  expect(core.allocator.problems()).toEqual([]);
  agents.close();
});

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('It should be known');
  return value;
}

function streamTo(events: SchedulerEvent[]): EventStream<SchedulerEvent> {
  return new EventStream<SchedulerEvent>({
    ...{ id: 's', clock: core.clock, heartbeat: { type: 'HEARTBEAT' }, heartbeatIntervalMs: 1e9 },
    encode: (event) => {
      events.push(event);
      return Buffer.alloc(1);
    },
    onClosed: () => undefined,
  });
}

/** As the allocator makes one. */
function offered(id: string, text: string): Offer {
  const made: Offer = {
    ...{ id: { value: id }, framework_id: { value: 'f' }, agent_id: { value: 'm-S0' } },
    ...{ hostname: 'a', allocation_info: { role: 'eng' } },
    resources: allocateResources(parseResources(text), 'eng'),
  };
  core.allocator.noteTaken('m-S0', 'f', made.resources ?? []);
  core.state.addOffer(made);
  return made;
}

const task = (index: number): TaskInfo => taskOn(offer, `task-${index}`, 'cpus:1;mem:1');
const tasks = (): readonly TaskInfo[] => Array.from({ length: TASKS }, (_, index) => task(index));

function accept(...operations: readonly OfferOperation[]): Slices {
  const call = { type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } } as const;
  return new OfferAnswers(core).accept(framework, call);
}

const launch = (task_infos: readonly TaskInfo[]): OfferOperation => ({
  ...{ type: 'LAUNCH', launch: { task_infos } },
});

/** What has come of the tasks: those that the agent has, and those that were refused. */
const results = () => ({
  launched: core.state.tasksOf('f').length,
  refused: told.filter(({ type }) => type === 'UPDATE').length,
});

/** By how much the results grow in each slice. */
function workOf(slices: Slices): readonly number[] {
  const work: number[] = [];
  let before = 0;
  for (let isDone = false; !isDone; ) {
    isDone = slices.next().done === true;
    const { launched, refused } = results();
    work.push(launched + refused - before);
    before = launched + refused;
    expect(checkMasterInvariants(core.state)).toEqual([]);
  }
  return work;
}

describe('an ACCEPT of very many tasks', () => {
  it('is carried out in slices; its offer keeps what is left between them', () => {
    const work = workOf(accept(launch(tasks())));
    expect(Math.max(...work)).toBe(SLICE_MAX);
    expect(results()).toEqual({ launched: TASKS, refused: 0 });
    expect(core.state.offers.size).toBe(0);
  });

  it('of offers that are no more is refused in slices, too', () => {
    core.rescind([offer.id.value], false);
    const work = workOf(accept(launch(tasks())));
    expect(Math.max(...work)).toBe(SLICE_MAX);
    expect(results()).toEqual({ launched: 0, refused: TASKS });
  });

  it('finds a task that it names twice, in whatever slices they are', () => {
    workOf(accept(launch([...tasks(), task(3)])));
    expect(results()).toEqual({ launched: TASKS, refused: 1 });
    expect(told.at(-1)).toMatchObject({
      update: {
        status: { reason: 'REASON_TASK_INVALID', message: 'Task has duplicate ID: task-3' },
      },
    });
  });

  it('ends where its offer becomes void, and says so of the rest', () => {
    const slices = accept(launch(tasks()));
    slices.next();
    core.rescind([offer.id.value], true);
    workOf(slices);
    expect(results()).toEqual({ launched: SLICE_MAX, refused: TASKS - SLICE_MAX });
    expect(told.at(-1)).toMatchObject({
      update: {
        status: {
          ...{ state: 'TASK_DROPPED', reason: 'REASON_INVALID_OFFERS' },
          message: 'Task launched with invalid offers: Offer o1 is no longer valid',
        },
      },
    });
  });

  it('ends where its agent is gone', async () => {
    const slices = accept(launch(tasks()));
    slices.next();
    await agents.markGone('m-S0');
    workOf(slices);
    expect(core.state.tasksOf('f')).toEqual([]);
  });
});

describe('an ACCEPT of very many reservations', () => {
  it('is carried out in slices, too', () => {
    const reserve = (index: number): OfferOperation => ({
      ...{ type: 'RESERVE', id: { value: `operation-${index}` } },
      reserve: {
        resources: parseResources('cpus:1').map((each) => ({
          ...each,
          reservations: [
            { type: 'DYNAMIC', role: 'eng', labels: { labels: [{ key: `${index}` }] } },
          ],
        })),
      },
    });
    const slices = accept(...Array.from({ length: 300 }, (_, index) => reserve(index)));
    const work: number[] = [];
    for (let isDone = false; !isDone; ) {
      const before = core.operations.all().length;
      isDone = slices.next().done === true;
      work.push(core.operations.all().length - before);
    }
    expect(work).toEqual(Array(12).fill(25));
  });
});
