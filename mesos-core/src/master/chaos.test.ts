import { type Random, randomInteger } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { afterEach, expect, it } from 'vitest';
import { volumePath } from '../agent/operations/volume-directories.ts';
import {
  isPersistentVolume,
  type MasterResponseGetAgents,
  type Offer,
  type OfferOperation,
  scalarAmount,
  type TaskState,
} from '../protocol/index.ts';
import { randomOperations } from './testing/random-operations.ts';
import { FRAMEWORK, type TestAgent, type TestScheduler, taskOn, World } from './testing/world.ts';

const MASTER = 'http://master:5050';
const STEPS = 40;
/** Nothing more comes of a task in one of these. */
const OVER: ReadonlySet<TaskState | undefined> = new Set<TaskState>([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_UNKNOWN',
]);

let world: World;

afterEach(() => world.close());

/** A framework that keeps launching, with a scheduler that is replaced now and then. */
class Fleet {
  readonly agents: TestAgent[] = [];
  readonly #schedulers: TestScheduler[] = [];
  readonly #answered = new Set<string>();
  readonly #launched = new Map<string, Offer>();
  readonly #dice: Random;
  #operations = 0;

  constructor(dice: Random) {
    this.#dice = dice;
  }

  get scheduler(): TestScheduler {
    const scheduler = this.#schedulers.at(-1);
    if (scheduler === undefined) throw new Error('there is no scheduler yet');
    return scheduler;
  }

  get launchedCount(): number {
    return this.#launched.size;
  }

  async replaceScheduler(): Promise<void> {
    const previous = this.#schedulers.at(-1);
    const id = previous === undefined ? {} : { id: { value: previous.id } };
    await Promise.all([previous?.client.stop(), world.run(500)]);
    const name = `scheduler-${this.#schedulers.length}`;
    const encoding = this.#schedulers.length % 2 === 0 ? 'json' : 'protobuf';
    const scheduler = await world.startScheduler(name, { ...FRAMEWORK, ...id }, encoding);
    scheduler.acknowledgesOperations = true;
    this.#schedulers.push(scheduler);
  }

  /** Launches two tasks on each offer that has room for them. */
  launch(): void {
    for (const offer of this.scheduler.offers) {
      if (this.#answered.has(offer.id.value)) continue;
      this.#answered.add(offer.id.value);
      const hasRoom = scalarAmount(offer.resources ?? [], 'cpus') >= 2.1;
      const ids = hasRoom ? [this.launchedCount, this.launchedCount + 1].map((n) => `t${n}`) : [];
      for (const id of ids) this.#launched.set(id, offer);
      const task_infos = ids.map((id) => taskOn(offer, id));
      const operations: readonly OfferOperation[] = [
        ...this.#reshape(offer),
        { type: 'LAUNCH', launch: { task_infos } },
      ];
      const accept = { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } };
      // What does not arrive is what this is about.
      this.scheduler.client.call({ type: 'ACCEPT', accept }).catch(() => undefined);
    }
  }

  #reshape(offer: Offer): readonly OfferOperation[] {
    return randomOperations(offer, this.#dice, () => {
      this.#operations += 1;
      return `o${this.#operations}`;
    });
  }

  /** Operations that agents told were carried out. */
  get finishedCount(): number {
    const statuses = this.#schedulers.flatMap((each) => each.of('UPDATE_OPERATION_STATUS'));
    const finished = statuses
      .map(({ update_operation_status }) => update_operation_status.status)
      .filter(({ state }) => state === 'OPERATION_FINISHED');
    return new Set(finished.map(({ operation_id }) => operation_id?.value)).size;
  }

  /** Tasks of which the framework has not heard that they are over. */
  get open(): readonly string[] {
    const heard = new Map<string, TaskState | undefined>();
    for (const { task_id, state } of this.#schedulers.flatMap((each) => each.statuses())) {
      if (!OVER.has(heard.get(task_id.value))) heard.set(task_id.value, state);
    }
    return [...this.#launched.keys()].filter((id) => !OVER.has(heard.get(id)));
  }

  async reconcile(ids: readonly string[]): Promise<void> {
    const tasks = ids.flatMap((id) => {
      const agent_id = this.#launched.get(id)?.agent_id;
      return agent_id === undefined ? [] : [{ task_id: { value: id }, agent_id }];
    });
    this.scheduler.client.call({ type: 'RECONCILE', reconcile: { tasks } }).catch(() => undefined);
    await world.run(200);
  }

  async kill(ids: readonly string[]): Promise<void> {
    for (const value of ids) {
      const call = { type: 'KILL', kill: { task_id: { value } } } as const;
      this.scheduler.client.call(call).catch(() => undefined);
    }
    await world.run(200);
  }
}

/** One misfortune, or none. */
async function harm(fleet: Fleet, dice: Random): Promise<void> {
  const agent = fleet.agents[randomInteger(dice, fleet.agents.length)];
  if (agent === undefined) return;
  switch (randomInteger(dice, 10)) {
    case 0:
      await world.stopMaster();
      await world.run(dice.next() * 3000);
      return world.startMaster();
    case 1:
    case 2:
      await agent.crash();
      await world.run(dice.next() * 9000);
      return agent.restart();
    case 3:
      world.network.cut(agent.origin, MASTER);
      await world.run(dice.next() * 15_000);
      return world.network.heal();
    case 4:
      return fleet.replaceScheduler();
    case 5:
      return agent.executors.at(-1)?.exit(9);
    case 6:
    case 7:
      return fleet.kill(fleet.open.slice(0, 3));
    default:
      return undefined;
  }
}

async function ask(type: string) {
  const response = await world.master.app.inject({
    method: 'POST',
    url: '/api/v1',
    headers: { 'content-type': 'application/json' },
    payload: { type },
  });
  return response.json()[type.toLowerCase()];
}

async function tasksOfMaster() {
  const { tasks, unreachable_tasks } = await ask('GET_TASKS');
  return { tasks, unreachable_tasks };
}

/** Volumes that the master knows, by agent, as the agents name their directories. */
async function volumesOfMaster(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { agents } = (await ask('GET_AGENTS')) as MasterResponseGetAgents;
  return new Map(
    (agents ?? []).map(({ agent_info, total_resources = [] }) => [
      agent_info.hostname,
      total_resources.filter(isPersistentVolume).map((each) => volumePath('/work', each)),
    ]),
  );
}

it.each([1, 2, 3, 4])(
  'seed %i: whatever dies, no task is run twice, lost sight of or left behind',
  async (seed) => {
    const dice = seededRandom(seed);
    world = new World({
      settings: { agentPingTimeoutMs: 2000, maxAgentPingTimeouts: 3 },
    });
    await world.startMaster();
    const fleet = new Fleet(seededRandom(`${seed}/operations`));
    for (const name of ['agent-1', 'agent-2', 'agent-3']) {
      fleet.agents.push(await world.startAgent(name, 'cpus:8;mem:8192;disk:100'));
    }
    await fleet.replaceScheduler();
    const faults = { dropRequest: 0.03, dropResponse: 0.03, duplicate: 0.03 };
    world.network.setFaults({ ...faults, delayMs: [1, 50] });
    for (let step = 0; step < STEPS; step += 1) {
      fleet.launch();
      await world.run(dice.next() * 3000);
      await harm(fleet, dice);
      expect(world.master.invariants()).toEqual([]);
    }
    expect(fleet.launchedCount).toBeGreaterThan(20);

    world.network.setFaults({ dropRequest: 0, dropResponse: 0, duplicate: 0, delayMs: [1, 1] });
    await world.run(60_000);
    for (let round = 0; round < 10 && fleet.open.length > 0; round += 1) {
      await fleet.reconcile(fleet.open);
      await fleet.kill(fleet.open);
      await world.run(10_000);
    }
    expect(fleet.open).toEqual([]);
    expect(await tasksOfMaster()).toEqual({ tasks: [], unreachable_tasks: [] });
    expect(fleet.finishedCount).toBeGreaterThan(20);
    await world.run(70_000);
    expect(await ask('GET_OPERATIONS')).toEqual({});
    const volumes = await volumesOfMaster();
    for (const { origin, volumes: directories } of fleet.agents) {
      const { hostname } = new URL(origin);
      expect([...directories.paths].toSorted()).toEqual(volumes.get(hostname)?.toSorted());
    }
    const runs = fleet.agents.flatMap(({ executors }) =>
      executors.flatMap(({ launched }) => [...new Set(launched)]),
    );
    expect(runs.length).toBeGreaterThan(10);
    expect(new Set(runs).size).toBe(runs.length);
    expect(world.master.invariants()).toEqual([]);
  },
);
