import { SecretBox, silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { createVmScheduler, type VmSchedulerService } from '../index.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { createSealedStore } from '../store/sealed-store.ts';
import type { SchedulerStore } from '../store/store.ts';
import { shownState, type VmRecord } from '../vm-record.ts';
import { FakeFramework } from './fake-framework.ts';
import { sampleAssignment, sampleObservation, sampleOffer, vmIdNumber } from './samples.ts';

/** A store that writes at the test's pleasure. */
export class SlowStore implements SchedulerStore {
  readonly inner = createMemoryStore();
  /** Awaited before each write; what it throws, the writer gets. */
  beforeSave: () => void | Promise<void> = () => undefined;
  beforeSaveFrameworkId: () => void | Promise<void> = () => undefined;
  readonly load = () => this.inner.load();
  async saveFrameworkId(frameworkId: string | undefined): Promise<void> {
    await this.beforeSaveFrameworkId();
    await this.inner.saveFrameworkId(frameworkId);
  }
  async save(changes: Parameters<SchedulerStore['save']>[0]): Promise<void> {
    await this.beforeSave();
    await this.inner.save(changes);
  }
}

/** A scheduler on virtual time, with a master and executors played by the test. */
export class World {
  readonly clock: VirtualClock;
  readonly store: SlowStore;
  readonly framework = new FakeFramework();
  readonly service: VmSchedulerService;

  /** `secretKey`: another than that of the world before. */
  constructor(earlier?: World, secretKey = '11'.repeat(32)) {
    this.clock = earlier?.clock ?? new VirtualClock();
    this.store = earlier?.store ?? new SlowStore();
    this.service = createVmScheduler({
      clock: this.clock,
      logger: silentLogger,
      random: seededRandom(1),
      framework: this.framework,
      store: createSealedStore(this.store, new SecretBox(secretKey, seededRandom(1))),
      role: 'compute-factory',
      executorCommand: 'exec vm-executor',
    });
  }

  /** A scheduler that has started and subscribed. */
  static async subscribed(earlier?: World, secretKey?: string): Promise<World> {
    const world = new World(earlier, secretKey);
    await world.service.start();
    world.framework.subscribe();
    await world.settle();
    world.framework.forget();
    return world;
  }

  /** A world in which VMs 1 to `count` run on `agent-1`. */
  static async running(count = 1): Promise<World> {
    const world = await World.subscribed();
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    await world.call('PUT', '/v1/vms', { vms: numbers.map((n) => sampleAssignment(n)) });
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    for (const n of numbers) world.framework.status(n, 1, 'TASK_RUNNING');
    world.framework.say(
      'agent-1',
      numbers.map((n) => sampleObservation(n)),
    );
    await world.settle();
    world.framework.forget();
    return world;
  }

  /** Everything that needs no time comes to rest. */
  settle(): Promise<void> {
    return this.clock.settle();
  }

  record(n = 1): VmRecord {
    const record = this.service.state.vm(vmIdNumber(n));
    if (record === undefined) throw new Error(`there is no VM ${n}`);
    return record;
  }

  shown(n = 1): string {
    return shownState(this.record(n));
  }

  async call(method: 'PUT' | 'POST', url: string, body: object): Promise<unknown> {
    const answer = await this.service.app.inject({ method, url, payload: body });
    await this.settle();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${answer.body}`);
    return answer.json();
  }
}
