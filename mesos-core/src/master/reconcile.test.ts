import { atTurnEnd, silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { beforeEach, describe, expect, it } from 'vitest';
import { readableBody } from '../http/readable-body.ts';
import type { SchedulerEvent, Task, TaskStatus } from '../protocol/index.ts';
import { Agents } from './agents.ts';
import { MasterCore } from './core.ts';
import { EventStream } from './event-stream.ts';
import { Frameworks } from './frameworks.ts';
import { Reconciliation } from './reconcile.ts';
import { newRegistry } from './registry.ts';
import { createMemoryRegistryStore } from './registry-store/memory-store.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import type { Agent, Framework } from './state.ts';
import { FRAMEWORK } from './testing/world.ts';

/** More answers than are made before the scheduler reads any. */
const MANY = 8_000;

let core: MasterCore;
let framework: Framework;
let agent: Agent;
let reconciliation: Reconciliation;

beforeEach(async () => {
  const clock = new VirtualClock();
  core = new MasterCore({
    ...{ clock, random: seededRandom('reconciliations'), logger: silentLogger },
    ...{ settings: DEFAULT_SETTINGS, registry: newRegistry('m') },
    store: createMemoryRegistryStore(),
    address: { hostname: 'master', ip: '127.0.0.1', port: 5050 },
  });
  await new Agents(core, new Frameworks(core)).subscribe(
    {
      ...{ agent_info: { hostname: 'a' }, version: '1.12.0', capabilities: [] },
      ...{ total_resources: [], frameworks: [{ ...FRAMEWORK, id: { value: 'f' } }], executors: [] },
      tasks: Array.from({ length: MANY }, (_, index) => taskOf(`task-${index}`)),
    },
    '127.0.0.1',
  );
  framework = known(core.state.frameworks.get('f'));
  agent = known(core.state.agents.get('m-S0'));
  reconciliation = new Reconciliation(core);
});

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('It should be known');
  return value;
}

function taskOf(id: string, state: Task['state'] = 'TASK_RUNNING'): Task {
  return {
    ...{ name: id, task_id: { value: id }, agent_id: { value: 'm-S0' } },
    ...{ framework_id: { value: 'f' }, state, resources: [], statuses: [] },
  };
}

/** The scheduler's stream, and what it was told of its tasks. */
function subscribe(): { stream: EventStream<SchedulerEvent>; told: TaskStatus[] } {
  const told: TaskStatus[] = [];
  const stream = new EventStream<SchedulerEvent>({
    ...{ id: 's', clock: core.clock, heartbeat: { type: 'HEARTBEAT' }, heartbeatIntervalMs: 1e9 },
    encode: (event) => {
      if (event.type === 'UPDATE') told.push(event.update.status);
      return Buffer.alloc(500);
    },
    onClosed: () => undefined,
  });
  framework.stream = stream;
  return { stream, told };
}

function toBeTold(told: readonly TaskStatus[], count: number) {
  return expect.poll(() => told.length, { timeout: 20_000 }).toBe(count);
}

/** Lets everything happen that needs nothing more from outside. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((done) => atTurnEnd(done));
}

describe('the answers to RECONCILE', () => {
  it('tell what is true when they are made, and nothing of tasks that are forgotten', async () => {
    const { stream, told } = subscribe();
    reconciliation.answer(framework, []);
    const last = `task-${MANY - 1}`;
    core.state.putTask(agent, taskOf(last, 'TASK_FINISHED'));
    core.state.removeTask(agent, taskOf(`task-${MANY - 2}`));
    readableBody(stream).resume();
    await toBeTold(told, MANY - 1);
    expect(told.at(-1)).toMatchObject({ task_id: { value: last }, state: 'TASK_FINISHED' });
  });

  it('to several questions come in their order; one question about everything is enough', async () => {
    const { stream, told } = subscribe();
    reconciliation.answer(framework, []);
    reconciliation.answer(framework, [{ task_id: { value: 'unknown' } }]);
    for (let times = 0; times < 5; times += 1) reconciliation.answer(framework, []);
    readableBody(stream).resume();
    await toBeTold(told, 2 * MANY + 1);
    await turns();
    expect(told).toHaveLength(2 * MANY + 1);
    expect(told[MANY]).toMatchObject({ task_id: { value: 'unknown' }, state: 'TASK_UNKNOWN' });
  });
});
