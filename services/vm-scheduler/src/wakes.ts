import { VM_TASK_VERSION, type WakeTaskData } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { Offer, SchedulerCall } from 'mesos-core/protocol';
import { EXECUTOR_NEED, type ExecutorTemplate, executorInfo } from './offers.ts';
import { type Amounts, fits, plus } from './placement-amounts.ts';
import { amountsOf, ResourcePool } from './resource-pool.ts';

/** Whoever wants an executor somewhere says so again and again; after this long he does not. */
const WANTED_MS = 30_000;
/** An executor that was started says within this time that it is there. */
const STARTING_MS = 30_000;
/** What Mesos takes as the least that a task may have; the executor gives it back at once. */
const WAKE_NEED: Amounts = { cpus: 0.01, memoryMiB: 32, diskMiB: 0 };

/**
 * Agents that are to have an executor although they have no machine: one that is to bring images to
 * its host before machines ask. It is started by a task that does nothing and ends at once; the
 * executor stays for its idle time, and while it copies.
 */
export class Wakes {
  readonly #clock: Clock;
  readonly #wantedAtMs = new Map<string, number>();
  readonly #startedAtMs = new Map<string, number>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks for an executor there. Gives whether it is news: offers are needed for it. */
  want(agentId: string): boolean {
    const isNews = !this.isWanted(agentId);
    this.#wantedAtMs.set(agentId, this.#clock.monotonicMs());
    return isNews && this.isWanted(agentId);
  }

  /** There is one. */
  isThere(agentId: string): void {
    this.#wantedAtMs.delete(agentId);
    this.#startedAtMs.delete(agentId);
  }

  /** Whether offers are needed for any. */
  get areWanted(): boolean {
    return [...this.#wantedAtMs.keys()].some((agentId) => this.isWanted(agentId));
  }

  isWanted(agentId: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const wantedAtMs = this.#wantedAtMs.get(agentId);
    const startedAtMs = this.#startedAtMs.get(agentId) ?? Number.NEGATIVE_INFINITY;
    if (wantedAtMs === undefined || nowMs - wantedAtMs > WANTED_MS) return false;
    return nowMs - startedAtMs > STARTING_MS;
  }

  /** The call that starts one with these offers of its agent, if they are enough. */
  callFor(
    agentId: string,
    offers: readonly Offer[],
    template: ExecutorTemplate,
    refuseSeconds: number,
  ): SchedulerCall | undefined {
    if (!this.isWanted(agentId)) return undefined;
    if (!fits(plus(WAKE_NEED, EXECUTOR_NEED), amountsOf(offers))) return undefined;
    this.#startedAtMs.set(agentId, this.#clock.monotonicMs());
    this.#count += 1;
    const data: WakeTaskData = { version: VM_TASK_VERSION, wake: true };
    const task = {
      name: 'wake',
      // Never one that was used before: not by this scheduler, and not by those before it.
      task_id: { value: `wake.${agentId}.${this.#clock.nowMs()}.${this.#count}` },
      agent_id: { value: agentId },
      resources: [...new ResourcePool(offers).take(WAKE_NEED)],
      executor: executorInfo(template),
      data: Buffer.from(JSON.stringify(data)).toString('base64'),
    };
    return {
      type: 'ACCEPT',
      framework_id: { value: template.frameworkId },
      accept: {
        offer_ids: offers.map((offer) => offer.id),
        operations: [{ type: 'LAUNCH', launch: { task_infos: [task] } }],
        filters: { refuse_seconds: refuseSeconds },
      },
    };
  }
}
