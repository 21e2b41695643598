import { type Random, randomInteger } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { TestHost, testOperationId, testTask, testVmId } from './testing.ts';
import { IllegalTransitionError } from './vm/observe.ts';

const VMS = 6;
const ROUNDS = 40;
const SEEDS = Array.from({ length: 25 }, (_, index) => index + 1);

/** A user, a scheduler and a world that do anything at any time; all from one seed. */
class Chaos {
  readonly test: TestHost;
  readonly #random: Random;
  readonly #generations = new Map<number, number>();
  readonly #attempts = new Map<number, number>();
  #operations = 0;

  constructor(seed: number) {
    this.#random = seededRandom(`chaos ${seed}`);
    this.test = new TestHost({ seed, latency: { guestBootMs: 1_500 }, failureRate: 0.03 });
  }

  /** Launches a VM's task, as the scheduler does when none is alive. */
  launch(number: number, desired: 'running' | 'deleted' = 'running'): void {
    const attempt = (this.#attempts.get(number) ?? 0) + 1;
    this.#attempts.set(number, attempt);
    const generation = this.#generations.get(number) ?? 1;
    this.#generations.set(number, generation);
    this.test.launch(testTask(number, { generation, desired }), attempt);
  }

  async step(): Promise<void> {
    const { test } = this;
    const number = 1 + randomInteger(this.#random, VMS);
    const vmId = testVmId(number);
    const wish = (desired: 'running' | 'stopped'): void => {
      const generation = (this.#generations.get(number) ?? 1) + 1;
      this.#generations.set(number, generation);
      test.wish(vmId, generation, desired);
    };
    const reboot = (): void => {
      this.#operations += 1;
      const operationId = testOperationId(this.#operations);
      test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'reboot' }] });
    };
    const acts: readonly (() => void | Promise<void>)[] = [
      () => wish('running'),
      () => wish('stopped'),
      () => wish('running'),
      reboot,
      () => this.launch(number),
      () => test.host.endGuest(vmId, 'guestShutdown'),
      () => test.host.endGuest(vmId, 'killed'),
      () => test.host.disconnect(),
      () => test.host.reconnect(),
      () => test.host.reconnect(),
      () => this.restart(),
      () => test.host.restart(),
    ];
    await acts[randomInteger(this.#random, acts.length)]?.();
    await test.run(randomInteger(this.#random, 4_000));
  }

  /** The executor dies and the scheduler launches everything anew. */
  async restart(): Promise<void> {
    await this.test.restartExecutor();
    for (let number = 1; number <= VMS; number += 1) this.launch(number);
  }
}

describe('an executor in a world where everything happens', () => {
  it.each(SEEDS)('reaches what is wished, and leaves nothing behind (seed %i)', async (seed) => {
    const chaos = new Chaos(seed);
    const { test } = chaos;
    await test.start();
    for (let number = 1; number <= VMS; number += 1) chaos.launch(number);
    for (let round = 0; round < ROUNDS; round += 1) await chaos.step();
    expect(test.errors.filter((error) => error instanceof IllegalTransitionError)).toEqual([]);

    test.host.reconnect();
    test.host.setFailureRate(0);
    await chaos.restart();
    await test.run(60_000);
    for (const record of test.executor.records()) {
      expect(['running', 'stopped', 'failed']).toContain(record.state);
      expect(record.appliedGeneration, record.vmId).toBe(record.generation);
      expect(test.host.domains.get(record.vmId)?.on).toBe(record.state === 'running');
      expect(record.reboot).toBeNull();
    }

    for (let number = 1; number <= VMS; number += 1) chaos.launch(number, 'deleted');
    await test.run(60_000);
    expect(test.executor.records()).toEqual([]);
    expect(test.host.domains.size).toBe(0);
    expect(test.host.folders.size).toBe(0);
    expect(test.host.leases.size).toBe(0);
  });
});
