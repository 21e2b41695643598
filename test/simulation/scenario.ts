import { createHash } from 'node:crypto';
import type { Batch, BatchId, BatchRequest, Vm, VmId, VmState } from '@factory/contracts';
import { type Clock, systemClock, waitFor } from '@factory/runtime';
import type { Faults, NetworkStatistics } from '@factory/runtime/simulated';
import { SimulatedFactory, type SimulationOptions } from './factory.ts';
import { checkAlways, checkNothingLeft, checkTruth } from './invariants.ts';

/** Of a hundred messages, three requests and three answers are lost, three requests come twice. */
export const ROUGH: Partial<Faults> = {
  dropRequest: 0.03,
  dropResponse: 0.03,
  duplicate: 0.03,
  delayMs: [1, 20],
};

const STEP_TIMEOUT_MS = 10 * 60_000;
/** Longer than any state may last: what hangs is given up only at its deadline. */
export const REST_TIMEOUT_MS = 40 * 60_000;
const FAILED_FOR_MS = 30_000;
const SCENARIO_TIMEOUT_MS = 4 * 3_600_000;
const POLL_INTERVAL_MS = 1_000;

/** A rule of the factory was broken. */
export class InvariantError extends Error {
  readonly code = 'FACTORY_ERR_INVARIANT';
  constructor(when: string, breaches: readonly string[]) {
    super(`${when}: ${breaches.slice(0, 10).join('; ')} (${breaches.length} in all)`);
    this.name = 'InvariantError';
  }
}

export interface ScenarioOptions extends SimulationOptions {
  readonly vms: number;
}

/** What a run was like. */
export interface Figures {
  readonly virtualSeconds: number;
  readonly realSeconds: number;
  readonly network: Readonly<NetworkStatistics>;
  /** VMs by end state, before and after everything was deleted. */
  readonly endStates: Readonly<Record<string, number>>;
  /** Virtual seconds from the request to all running. */
  readonly createSeconds: number;
  /** Of everything that happened to guests, when and where: the same for the same seed. */
  readonly traceHash: string;
}

/** One run of a factory, with the checks that hold all the time. */
export class Run {
  readonly factory: SimulatedFactory;
  readonly #trace = createHash('sha256');
  readonly #checkIntervalMs: number;
  #isOver = false;

  /** What always holds is looked at every `checkIntervalMs`: all that there is, each time. */
  constructor(options: SimulationOptions, checkIntervalMs = 1_000) {
    this.#checkIntervalMs = checkIntervalMs;
    this.factory = new SimulatedFactory(options);
    const { clock, hosts } = this.factory;
    for (const { hostName, machine } of hosts) {
      machine.hypervisorListeners.add((event) => {
        if (event.kind !== 'domainChanged') return;
        const isOn = machine.domains.get(event.vmId)?.on;
        this.#trace.update(`${clock.monotonicMs()} ${hostName} ${event.vmId} ${isOn}\n`);
      });
    }
  }

  get clock(): Clock {
    return this.factory.clock;
  }

  /** Brings the factory up, runs the story, and takes everything down. */
  async play<T>(story: () => Promise<T>): Promise<T> {
    const { factory } = this;
    await factory.start();
    this.#checkLater();
    const result = await factory.drive(SCENARIO_TIMEOUT_MS, story);
    this.#isOver = true;
    await factory.close();
    return result;
  }

  get traceHash(): string {
    return this.#trace.copy().digest('hex').slice(0, 16);
  }

  createBatch(name: string, count: number, more: Partial<BatchRequest> = {}): Promise<Batch> {
    const shape = { vcpus: 1, memoryMiB: 128 };
    return this.factory.user.createBatch({ name, image: 'micro', count, ...shape, ...more });
  }

  /** Waits until as many of the batch's VMs are in each state, then compares with the hosts. */
  async reach(
    id: BatchId,
    states: Partial<Record<VmState, number>>,
    timeoutMs = STEP_TIMEOUT_MS,
  ): Promise<readonly Vm[]> {
    const what = `the state ${JSON.stringify(states)}`;
    let last = '';
    const wished = Object.entries(states);
    const vmsThere = async (): Promise<readonly Vm[] | undefined> => {
      const batch = await this.factory.user.batch(id);
      last = JSON.stringify(batch.vmCounts);
      const isSame = wished.every(([state, n]) => (batch.vmCounts[state] ?? 0) === n);
      if (!isSame || !batch.settled) return undefined;
      // On a bad network a host may have fallen silent since the VMs were counted.
      const vms = await this.factory.user.vms({ batchId: id, withDeleted: true });
      const count = (state: string): number => vms.filter((vm) => vm.state === state).length;
      return wished.every(([state, n]) => count(state) === n) ? vms : undefined;
    };
    const { clock } = this;
    const vms = await waitFor(clock, what, timeoutMs, vmsThere, POLL_INTERVAL_MS).catch((cause) => {
      throw new InvariantError(`${what} was not reached`, [last, String(cause)]);
    });
    this.require(JSON.stringify(states), checkTruth(this.factory, vms));
    return vms;
  }

  /** Waits until each VM of the batch is as wished, or failed, and stays so; then compares. */
  async comeToRest(id: BatchId, count: number): Promise<readonly Vm[]> {
    let moving: readonly string[] = [];
    const atRest = async (): Promise<readonly Vm[] | undefined> => {
      const { vmCounts, settled } = await this.factory.user.batch(id);
      moving = [JSON.stringify(vmCounts)];
      if (!settled) return undefined;
      const vms = await this.factory.user.vms({ batchId: id, withDeleted: true });
      moving = vms.filter((vm) => !this.#rests(vm)).map((vm) => JSON.stringify(vm));
      return vms.length === count && moving.length === 0 ? vms : undefined;
    };
    const [clock, timeoutMs, what] = [this.clock, REST_TIMEOUT_MS, 'rest'];
    const vms = await waitFor(clock, what, timeoutMs, atRest, POLL_INTERVAL_MS).catch((cause) => {
      throw new InvariantError('some never come to rest', [...moving, String(cause)]);
    });
    this.require(what, checkTruth(this.factory, vms));
    return vms;
  }

  /** A wish that is new may still be on its way to a VM that failed before. */
  #rests({ state, desiredState, stateSince }: Vm): boolean {
    if (state === desiredState) return true;
    return state === 'failed' && this.clock.nowMs() - Date.parse(stateSince) > FAILED_FOR_MS;
  }

  async deleteBatch(id: BatchId, count: number, timeoutMs = STEP_TIMEOUT_MS): Promise<void> {
    await this.factory.user.deleteBatch(id);
    await this.reach(id, { deleted: count }, timeoutMs);
    this.require('after the deletion', checkNothingLeft(this.factory));
  }

  async wishAll(vmIds: readonly VmId[], wish: 'start' | 'stop'): Promise<void> {
    await Promise.all(vmIds.map((vmId) => this.factory.user.wish(vmId, wish)));
  }

  /** @throws InvariantError when there is any breach. */
  require(when: string, breaches: readonly string[]): void {
    const atSeconds = (this.clock.monotonicMs() / 1000).toFixed(3);
    if (breaches.length > 0) throw new InvariantError(`${when}, at ${atSeconds} s`, breaches);
  }

  #checkLater(): void {
    if (this.#isOver) return;
    // What is thrown here ends the run at this very moment.
    this.require('underway', checkAlways(this.factory));
    this.clock.after(this.#checkIntervalMs, () => this.#checkLater());
  }
}

/** Makes VMs, stops a part of them, starts it again, deletes all, and finds nothing left. */
export async function runLifecycle(options: ScenarioOptions): Promise<Figures> {
  const startedMs = systemClock.monotonicMs();
  const run = new Run(options);
  const { vms: count } = options;
  const story = async () => {
    const requestedMs = run.clock.monotonicMs();
    const { id } = await run.createBatch('all', count);
    const vms = await run.reach(id, { running: count });
    const createSeconds = (run.clock.monotonicMs() - requestedMs) / 1000;
    const some = vms.slice(0, Math.ceil(count / 10)).map((vm) => vm.id);
    await run.wishAll(some, 'stop');
    await run.reach(id, { running: count - some.length, stopped: some.length });
    await run.wishAll(some, 'start');
    await run.reach(id, { running: count });
    await run.deleteBatch(id, count);
    return { createSeconds, endStates: { running: count, deleted: count } };
  };
  const { createSeconds, endStates } = await run.play(story);
  return {
    virtualSeconds: run.clock.monotonicMs() / 1000,
    realSeconds: (systemClock.monotonicMs() - startedMs) / 1000,
    network: { ...run.factory.network.statistics },
    endStates,
    createSeconds,
    traceHash: run.traceHash,
  };
}

/** One line for people. */
export function describeRun(seed: number | string, figures: Figures): string {
  const { network, endStates } = figures;
  const dropped = network.droppedRequests + network.droppedResponses;
  return [
    `seed ${seed}:`,
    `${figures.virtualSeconds.toFixed(1)} s virtual in ${figures.realSeconds.toFixed(1)} s,`,
    `all running after ${figures.createSeconds.toFixed(1)} s,`,
    `${network.requests + network.streams} messages,`,
    `${dropped} dropped, ${network.duplicates} duplicated, ${network.brokenStreams} streams broken,`,
    `VMs ${Object.entries(endStates)
      .map(([state, count]) => `${state} ${count}`)
      .join(', ')},`,
    `trace ${figures.traceHash}`,
  ].join(' ');
}
