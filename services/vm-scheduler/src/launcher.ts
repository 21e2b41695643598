import type { Clock, Logger } from '@factory/runtime';
import type { Offer, SchedulerCall } from 'mesos-core/protocol';
import { nextAction } from './next-action.ts';
import { acceptCall, type ExecutorTemplate, groupByAgent } from './offers.ts';
import type { Placement } from './placement.ts';
import { type Amounts, fits, growth, NOTHING, needOf, plus } from './placement-amounts.ts';
import type { PlacementDesk } from './placement-desk.ts';
import { assignmentOfTask } from './resize.ts';
import { amountsOf } from './resource-pool.ts';
import type { SchedulerState } from './state.ts';
import { applyLaunch, applyWaitingReason, type VmRecord, vmIdOf } from './vm-record.ts';
import type { Wakes } from './wakes.ts';

/** How long offers are refused when nothing waits; a REVIVE ends it. */
const REFUSE_IDLE_SECONDS = 3_600;
/** How long what did not fit is refused while something still waits. */
const REFUSE_BUSY_SECONDS = 5;
/** The master is told again that something waits: an old SUPPRESS may have overtaken the REVIVE. */
const REVIVE_AGAIN_MS = 30_000;

interface LauncherOptions {
  readonly state: SchedulerState;
  readonly desk: PlacementDesk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly send: (call: SchedulerCall) => Promise<void>;
  readonly template: () => ExecutorTemplate | undefined;
  /** Executors that are to be started where no machine is. */
  readonly wakes: Wakes;
  /** What runs on this agent is not known for the moment: its offers wait. */
  readonly isUnsureOf: (agentId: string) => boolean;
  /** The tasks of these VMs may or may not have been launched: ask the master. */
  readonly onUnknownOutcome: (records: readonly VmRecord[]) => void;
}

/** A call that starts an executor, and the offers that it uses. */
interface Wake {
  readonly call: SchedulerCall;
  readonly offers: readonly Offer[];
}

/** Reasons of all that waits are told anew this often at most, in ms. */
const REASONS_INTERVAL_MS = 5_000;

/**
 * Turns offers into launches. A good citizen: asks for offers only while something waits, and gives
 * back what it does not use at once, but for what is held, for a bounded time, for those that have
 * waited long.
 */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #offers = new Map<string, Offer>();
  /** The call that used or declined them may be lost: the master may wait for them for ever. */
  readonly #doubtful = new Map<string, Offer>();
  /** What the master was told last; `undefined` right after a subscription. */
  #wantsOffers: boolean | undefined;
  #toldAtMs = 0;
  #round: Promise<void> | undefined;
  #isAgain = false;
  #reasonsToldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** A new subscription: old offers are void, and the master offers by itself. */
  reset(): void {
    this.#offers.clear();
    this.#doubtful.clear();
    this.#wantsOffers = undefined;
  }

  /** Whether offers are kept: somebody must see to it that they are given back in time. */
  get holdsOffers(): boolean {
    return this.#offers.size > 0;
  }

  addOffers(offers: readonly Offer[]): void {
    for (const offer of offers) this.#offers.set(offer.id.value, offer);
    this.trigger();
  }

  rescind(offerId: string): void {
    this.#offers.delete(offerId);
    this.#doubtful.delete(offerId);
  }

  /** New VMs wait: earlier refusals of offers no longer hold. */
  revive(): void {
    this.#wantsOffers = undefined;
    this.trigger();
  }

  /** Runs a placement round now, or once more after the one that is under way. */
  trigger(): void {
    if (this.#round !== undefined) {
      this.#isAgain = true;
      return;
    }
    this.#round = this.#runRound()
      .catch((error: unknown) =>
        this.#options.logger.error({ err: error }, 'placement round failed'),
      )
      .finally(() => {
        this.#round = undefined;
        if (this.#isAgain) {
          this.#isAgain = false;
          this.trigger();
        }
      });
  }

  async #runRound(): Promise<void> {
    const template = this.#options.template();
    if (template === undefined) return;
    const wanting = this.#wanting();
    const offers = this.#takeOffers();
    const doubtful = [...this.#doubtful.values()];
    this.#doubtful.clear();
    const agents = groupByAgent(offers);
    const placement = this.#options.desk.place(wanting, agents, this.#claims(wanting, agents));
    const launched = this.#recordLaunches(wanting, placement, agents);
    const unused = offers.filter((offer) => !launched.has(offer.agent_id.value));
    const { wakes, rest: unneeded } = this.#wake(unused, template);
    const rest = this.#keepHeld(unneeded);
    this.#tellWaiting(wanting, placement, offers.length > 0);
    // Without a launch nothing has to be stored: what is not used goes back at once.
    if (launched.size > 0) await this.#makeDurable(launched, agents, rest, template);
    const leftOver = placement.agentOf.size < wanting.length || this.#options.wakes.areWanted;
    await Promise.all([
      ...wakes.map((wake) => this.#startExecutor(wake)),
      ...[...launched].map(([agentId, records]) =>
        this.#accept(records, agents.get(agentId) ?? [], template, leftOver),
      ),
      this.#decline(
        // To decline what was used after all changes nothing.
        [...rest, ...doubtful],
        template,
        leftOver,
      ),
    ]);
    await this.#tellWhetherWanting(template, leftOver);
  }

  /** Starts executors that are wanted where no machine is; gives the offers that are left. */
  #wake(unused: readonly Offer[], template: ExecutorTemplate) {
    const wakes: Wake[] = [];
    const rest: Offer[] = [];
    for (const [agentId, offers] of groupByAgent(unused)) {
      const call = this.#options.wakes.callFor(agentId, offers, template, REFUSE_BUSY_SECONDS);
      if (call === undefined) rest.push(...offers);
      else wakes.push({ call, offers });
    }
    return { wakes, rest };
  }

  async #startExecutor({ call, offers }: Wake): Promise<void> {
    if (!(await this.#sendOrForget(call))) this.#doubt(offers);
  }

  /** Takes the offers that may be used now. */
  #takeOffers(): readonly Offer[] {
    const { isUnsureOf } = this.#options;
    const usable = [...this.#offers.values()].filter(({ agent_id }) => !isUnsureOf(agent_id.value));
    for (const { id } of usable) this.#offers.delete(id.value);
    return usable;
  }

  /** Keeps what is held, so that a RESCIND still finds it; gives the rest. */
  #keepHeld(unused: readonly Offer[]): readonly Offer[] {
    const isHeld = (offer: Offer): boolean => this.#options.desk.isHeld(offer.agent_id.value);
    for (const offer of unused.filter(isHeld)) this.#offers.set(offer.id.value, offer);
    return unused.filter((offer) => !isHeld(offer));
  }

  /** The intent is durable before the act. If it can't be, nothing is launched and nothing kept. */
  async #makeDurable(
    launched: ReadonlyMap<string, readonly VmRecord[]>,
    agents: ReadonlyMap<string, readonly Offer[]>,
    rest: readonly Offer[],
    template: ExecutorTemplate,
  ): Promise<void> {
    try {
      await this.#options.state.commit();
    } catch (error) {
      this.#options.desk.excuse([...launched.values()].flat());
      const meant = [...launched.keys()].flatMap((agentId) => agents.get(agentId) ?? []);
      await this.#decline([...meant, ...rest], template, true);
      throw error;
    }
  }

  /** VMs that may be launched now. */
  #wanting(): readonly VmRecord[] {
    return this.#toLaunch((notBeforeMs) => notBeforeMs <= this.#options.clock.nowMs());
  }

  #toLaunch(isMeant: (notBeforeMs: number) => boolean): readonly VmRecord[] {
    const { state } = this.#options;
    return [...state.withoutTask].flatMap((vmId) => {
      const record = state.vm(vmId);
      const action = record === undefined ? undefined : nextAction(record);
      const isLaunch = action?.type === 'launch' && isMeant(action.notBeforeMs);
      return record !== undefined && isLaunch ? [record] : [];
    });
  }

  /** What VMs need that go back to an agent in a moment: others must not take it meanwhile. */
  #claims(
    wanting: readonly VmRecord[],
    agents: ReadonlyMap<string, readonly Offer[]>,
  ): ReadonlyMap<string, Amounts> {
    const { state, clock } = this.#options;
    const claims = new Map<string, Amounts>();
    const claim = (agentId: string, need: Amounts): void => {
      claims.set(agentId, plus(claims.get(agentId) ?? NOTHING, need));
    };
    for (const { boundAgentId, assignment } of this.#toLaunch((at) => at > clock.nowMs())) {
      if (boundAgentId !== null) claim(boundAgentId, needOf(assignment));
    }
    for (const record of [...state.resizing].flatMap((vmId) => state.vm(vmId) ?? [])) {
      if (record.task !== null) claim(record.task.agentId, growthOf(record));
    }
    for (const { boundAgentId, assignment, resize } of wanting) {
      if (boundAgentId === null || resize === undefined) continue;
      // The room that its task gave back comes in parts: nobody takes them before they are enough.
      const need = needOf(assignment);
      const offered = amountsOf(agents.get(boundAgentId) ?? []);
      if (!fits(need, offered)) claim(boundAgentId, need);
    }
    return claims;
  }

  #recordLaunches(
    wanting: readonly VmRecord[],
    placement: Placement,
    agents: ReadonlyMap<string, readonly Offer[]>,
  ): ReadonlyMap<string, readonly VmRecord[]> {
    const { state, clock } = this.#options;
    const launched = new Map<string, VmRecord[]>();
    for (const record of wanting) {
      const agentId = placement.agentOf.get(vmIdOf(record));
      if (agentId === undefined) continue;
      const hostName = agents.get(agentId)?.[0]?.hostname ?? agentId;
      const next = applyLaunch(record, { agentId, hostName }, clock.nowMs());
      state.putVm(next);
      launched.set(agentId, [...(launched.get(agentId) ?? []), next]);
    }
    return launched;
  }

  /**
   * Says why the rest waits. It is found out again at any time, so it is shown and not stored, and
   * nothing here waits for a store.
   */
  #tellWaiting(wanting: readonly VmRecord[], placement: Placement, hadOffers: boolean): void {
    const { state, clock, logger } = this.#options;
    const nowMs = clock.monotonicMs();
    const isTimeToTell = nowMs - this.#reasonsToldAtMs >= REASONS_INTERVAL_MS;
    for (const record of wanting) {
      const why = placement.waiting.get(vmIdOf(record));
      if (why === undefined || !(isTimeToTell || record.message === null)) continue;
      // Without an offer there is nothing new to say of what happened to it before.
      if (!hadOffers && (record.boundAgentId !== null || record.reason !== 'NO_CAPACITY')) continue;
      state.note(applyWaitingReason(record, why));
    }
    if (isTimeToTell) this.#reasonsToldAtMs = nowMs;
    state.commit().catch((error: unknown) => logger.warn({ err: error }, 'reasons are not shown'));
  }

  async #accept(
    records: readonly VmRecord[],
    offers: readonly Offer[],
    template: ExecutorTemplate,
    leftOver: boolean,
  ): Promise<void> {
    const { desk, logger, send, onUnknownOutcome } = this.#options;
    const refuseSeconds = leftOver ? REFUSE_BUSY_SECONDS : REFUSE_IDLE_SECONDS;
    try {
      await send(acceptCall(records, offers, template, refuseSeconds));
    } catch (error) {
      logger.warn(
        { err: error, count: records.length },
        'nobody knows whether a launch was accepted',
      );
      this.#doubt(offers);
      desk.excuse(records);
      onUnknownOutcome(records);
    }
  }

  async #decline(
    offers: readonly Offer[],
    template: ExecutorTemplate,
    leftOver: boolean,
  ): Promise<void> {
    if (offers.length === 0) return;
    const isSent = await this.#sendOrForget({
      type: 'DECLINE',
      framework_id: { value: template.frameworkId },
      decline: {
        offer_ids: offers.map((offer) => offer.id),
        filters: { refuse_seconds: leftOver ? REFUSE_BUSY_SECONDS : REFUSE_IDLE_SECONDS },
      },
    });
    if (!isSent) this.#doubt(offers);
  }

  /** Declines them (again) in the next round: a master offers nothing of them until it hears. */
  #doubt(offers: readonly Offer[]): void {
    for (const offer of offers) this.#doubtful.set(offer.id.value, offer);
  }

  async #tellWhetherWanting(template: ExecutorTemplate, wants: boolean): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const isOld = wants && nowMs - this.#toldAtMs >= REVIVE_AGAIN_MS;
    if (this.#wantsOffers === wants && !isOld) return;
    this.#wantsOffers = wants;
    this.#toldAtMs = nowMs;
    const framework_id = { value: template.frameworkId };
    await this.#sendOrForget(
      wants ? { type: 'REVIVE', framework_id } : { type: 'SUPPRESS', framework_id },
    );
  }

  /** For calls whose loss only costs time: the next round says it again. */
  async #sendOrForget(call: SchedulerCall): Promise<boolean> {
    try {
      await this.#options.send(call);
      return true;
    } catch (error) {
      this.#wantsOffers = undefined;
      this.#options.logger.warn({ err: error, call: call.type }, 'call was not accepted');
      return false;
    }
  }
}

/** What a VM will need beyond what its task has, which is given back for it. */
function growthOf(record: VmRecord): Amounts {
  return growth(needOf(assignmentOfTask(record)), needOf(record.assignment));
}
