import { HANDOUT_REASONS, isTransitionAllowed, type VmState } from '@factory/contracts';
import type { Logger, Random } from '@factory/runtime';
import type { Bell } from '../bell.ts';
import { type Explanation, explainFailure, VmFailure } from '../failures.ts';
import { cardsOf } from '../network/cards.ts';
import type { Turns } from '../turns.ts';
import type { Carrier, CarrierContext } from './carrier.ts';
import type { Decision } from './decide.ts';
import { HotPlugging } from './hot-plugging.ts';
import type { Ledger } from './ledger.ts';
import type { Change } from './observe.ts';
import { CREATE, CREATE_OFF, DELETE, POWER_OFF, POWER_ON } from './procedures.ts';
import { endReboot } from './reboot.ts';
import { DROP_NEW_DISK, REBUILD } from './rebuild.ts';
import type { VmRecord } from './record.ts';
import { RESIZE } from './resize.ts';
import { Resting } from './resting.ts';
import { giveUpChange, settleChange, withoutExternal } from './spec-change.ts';
import { FORGET_MEMORY, RESUME, SUSPEND } from './suspend.ts';

/**
 * `gone`: nothing is left of it on this host. `released`: it is off, and all of it is kept.
 * `sentBack`: this host could not make it, nothing is left, and another one may.
 */
export type VmEnd = 'gone' | 'released' | 'sentBack';

/** What comes after a move. */
export type After =
  /** Look again: at once when this is 0, when something happens when it is undefined. */
  | { readonly lookInMs: number | undefined }
  /** The VM is none of ours any more. */
  | { readonly end: VmEnd };

/** What moves are made with. */
export interface MoveContext extends CarrierContext {
  /** Whose turn it is to be made, up to its power-on. */
  readonly makings: Turns;
  readonly random: Random;
  readonly logger: Logger;
}

const AT_ONCE: After = { lookInMs: 0 };
const WHEN_RUNG: After = { lookInMs: undefined };

/** One attempt at removing a VM. */
const REMOVAL_ATTEMPT_MS = 60_000;
/** A call that the hypervisor answers at once. */
const CALL_TIMEOUT_MS = 30_000;
/** A guest whose disk gave an error is let go on this often. */
const RESUME_EVERY_MS = 10_000;

/** Makes the moves of one VM, as they are decided (decide.ts). */
export class Moves {
  readonly #context: MoveContext;
  readonly #ledger: Ledger;
  readonly #carrier: Carrier;
  readonly #resting: Resting;
  readonly #hotPlugging: HotPlugging;
  /** What of a wish could not be. */
  #refusal: { readonly generation: number; readonly why: Explanation } | undefined;
  #resumedAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: MoveContext, ledger: Ledger, carrier: Carrier, bell: Bell) {
    this.#context = context;
    this.#ledger = ledger;
    this.#carrier = carrier;
    this.#hotPlugging = new HotPlugging(context.clock, ledger, carrier);
    this.#resting = new Resting(context, ledger, carrier, bell);
  }

  get #record(): VmRecord {
    return this.#ledger.record;
  }

  /** Makes the move. @throws what it fails by; Interrupted. */
  async make(decision: Decision): Promise<After> {
    switch (decision.move) {
      case 'rest':
        return this.#rest(decision.change);
      case 'make':
        return this.#make(decision.powerOn);
      case 'unmake':
        return this.#unmake(decision.end);
      case 'release':
        return this.#release(decision.change);
      case 'powerOn':
        return this.#powerOn();
      case 'powerOff':
        return this.#powerOff();
      case 'retryDisk':
        return this.#retryDisk(decision.detail);
      case 'suspend':
        return this.#suspend();
      case 'resume':
        return this.#resume();
      case 'unpause':
        return this.#unpause();
      case 'forgetMemory':
        return this.#forgetMemory();
      case 'stay':
        return AT_ONCE;
      case 'resize':
        return this.#resize();
      case 'rebuild':
        return this.#rebuild();
      case 'hotPlug':
        await this.#hotPlugging.change();
        return AT_ONCE;
      case 'keepPlugged':
        await this.#hotPlugging.keep();
        return AT_ONCE;
      case 'dropNewDisk':
        await this.#carrier.carry(DROP_NEW_DISK, CALL_TIMEOUT_MS);
        return AT_ONCE;
      case 'takeSpec':
        this.#ledger.replace(settleChange(this.#record, decision.change));
        return AT_ONCE;
      case 'setNetworks':
        return this.#setNetworks();
      case 'refuseSpec':
        this.#ledger.replace(giveUpChange(this.#record));
        return this.#rest(decision.change);
      case 'abandonReboot':
        return this.#abandonReboot();
      case 'finishReboot':
        this.#ledger.replace(endReboot(this.#record, undefined));
        return this.#rest({ state: 'running', appliedGeneration: this.#record.generation });
    }
  }

  /** Nothing is to be heard of the guest any more. */
  watchNoMore(): void {
    this.#resting.watchNoMore();
  }

  /** Says that it is being removed; past the deadline it stays said what is in the way. */
  beginRemoval(): void {
    this.#ledger.beginRemoval();
    const isWished = this.#record.desired === 'deleted';
    if (isWished && !this.#ledger.isOverdue) this.#ledger.observe({ state: 'deleting' });
  }

  /** With the wish that was carried out, what of it could not be is said. */
  #withRefusal(change: Change): Change {
    const refusal = this.#refusal;
    if (change.state === 'failed' || refusal?.generation !== change.appliedGeneration)
      return change;
    return refusal === undefined ? change : { ...change, ...refusal.why };
  }

  async #rest(change: Change): Promise<After> {
    await this.#resting.rest(this.#withRefusal(change));
    return WHEN_RUNG;
  }

  async #make(powerOn: boolean): Promise<After> {
    const { generation } = this.#record;
    // A power-on that is tried again has all that comes before it made again first.
    if (this.#record.state !== 'starting') this.#ledger.observe({ state: 'preparing' });
    const { makings } = this.#context;
    await this.#carrier.carry(powerOn ? CREATE : CREATE_OFF, this.#ledger.remainingMs, makings);
    this.#resting.isPlugged();
    const state = powerOn ? 'running' : 'stopped';
    const reason = powerOn ? null : 'STOPPED_BY_USER';
    return this.#rest({ state, reason, appliedGeneration: generation });
  }

  async #unmake(end: 'deleted' | 'failed'): Promise<After> {
    this.#resting.watchNoMore();
    this.beginRemoval();
    await this.#carrier.carry(DELETE, REMOVAL_ATTEMPT_MS);
    const { generation: appliedGeneration, makingFailure } = this.#record;
    const isFailure = end === 'failed' && makingFailure !== null;
    // The scheduler finds another host for it: that is no end that its user should be told of.
    if (isFailure && HANDOUT_REASONS.has(makingFailure.reason)) return { end: 'sentBack' };
    if (isFailure) this.#ledger.observe({ state: 'failed', ...makingFailure, appliedGeneration });
    else this.#ledger.observe({ state: 'deleted', appliedGeneration });
    return { end: 'gone' };
  }

  async #release(change: Change): Promise<After> {
    this.#resting.watchNoMore();
    this.#ledger.observe(change);
    await this.#resting.save(true);
    return { end: 'released' };
  }

  async #powerOn(): Promise<After> {
    const { generation, reboot } = this.#record;
    if (reboot === null) this.#ledger.observe({ state: 'starting' });
    await this.#carrier.carry(POWER_ON, this.#ledger.remainingMs);
    this.#resting.isPlugged();
    this.#ledger.replace(endReboot(this.#record, undefined));
    return this.#rest({ state: 'running', appliedGeneration: generation });
  }

  async #powerOff(): Promise<After> {
    this.#resting.watchNoMore();
    this.#observe(this.#record.reboot === null ? 'stopping' : 'rebooting');
    await this.#carrier.carry(POWER_OFF, this.#ledger.remainingMs);
    return AT_ONCE;
  }

  /** Tries, now and then, whether its disk takes what it writes again. */
  async #retryDisk(detail: string): Promise<After> {
    const { clock } = this.#context;
    const message = `Its disk gave an error, and it stands still until that passes (${detail}).`;
    this.#ledger.observe({ state: 'failed', reason: 'IO_ERROR', message });
    const sinceMs = clock.monotonicMs() - this.#resumedAtMs;
    if (sinceMs < RESUME_EVERY_MS) return { lookInMs: RESUME_EVERY_MS - sinceMs };
    this.#resumedAtMs = clock.monotonicMs();
    await this.#letGoOn();
    return { lookInMs: RESUME_EVERY_MS };
  }

  async #suspend(): Promise<After> {
    const { generation } = this.#record;
    this.#resting.watchNoMore();
    this.#observe('suspending');
    try {
      await this.#carrier.carry(SUSPEND, this.#ledger.remainingMs);
    } catch (error) {
      if (!(error instanceof VmFailure && error.reason === 'CANNOT_SUSPEND')) throw error;
      // It runs on, and is to: after a restart of its host it is not left off for this wish.
      this.#ledger.replace({ ...this.#record, desired: 'running' });
      const why = explainFailure(error);
      return this.#rest({ state: 'running', ...why, appliedGeneration: generation });
    }
    return AT_ONCE;
  }

  async #resume(): Promise<After> {
    const { generation } = this.#record;
    this.#observe('resuming');
    await this.#carrier.carry(RESUME, this.#ledger.remainingMs);
    return this.#rest({ state: 'running', appliedGeneration: generation });
  }

  async #unpause(): Promise<After> {
    const { generation } = this.#record;
    await this.#letGoOn();
    return this.#rest({ state: 'running', appliedGeneration: generation });
  }

  async #forgetMemory(): Promise<After> {
    this.#observe('stopping');
    await this.#carrier.carry(FORGET_MEMORY, this.#ledger.remainingMs);
    return AT_ONCE;
  }

  async #resize(): Promise<After> {
    this.#observe('resizing');
    await this.#carrier.carry(RESIZE, this.#ledger.remainingMs);
    return AT_ONCE;
  }

  async #rebuild(): Promise<After> {
    const { generation } = this.#record;
    this.#observe('rebuilding');
    try {
      await this.#carrier.carry(REBUILD, this.#ledger.remainingMs);
      this.#resting.watchNoMore();
      return AT_ONCE;
    } catch (error) {
      if (!(await this.#runsOnAfter(error))) throw error;
      // The new disk could not be made, and nothing else was begun.
      this.#ledger.replace(giveUpChange(this.#record));
      const why = explainFailure(error);
      this.#ledger.observe({ state: 'running', ...why, appliedGeneration: generation });
      return AT_ONCE;
    }
  }

  /** Whether the guest is still on after something that will not work by being tried again. */
  async #runsOnAfter(error: unknown): Promise<boolean> {
    if (!(error instanceof VmFailure) || error.isTransient || this.#carrier.isBusy) return false;
    const { hypervisor } = this.#context;
    const domain = await this.#carrier.within(
      () => 'a look at its domain',
      CALL_TIMEOUT_MS,
      (signal) => hypervisor.findDomain(this.#record.vmId, signal),
    );
    return domain?.power.kind === 'on';
  }

  #letGoOn(): Promise<void> {
    const { hypervisor } = this.#context;
    return this.#carrier.within(
      () => 'the hypervisor to let it go on',
      CALL_TIMEOUT_MS,
      (signal) => hypervisor.resume(this.#record.vmId, signal),
    );
  }

  /** Says that it is on its way; of one that was found otherwise than told, that as well. */
  #observe(state: Exclude<VmState, 'failed'>): void {
    if (!isTransitionAllowed(this.#record.state, state)) this.#ledger.observe({ state: 'running' });
    this.#ledger.observe({ state });
  }

  /** What is there of a card already is set right by plugging it in once more. */
  async #setNetworks(): Promise<After> {
    const { vmId, spec, wishedSpec } = this.#record;
    const wished = wishedSpec ?? spec;
    const { network } = this.#context;
    const hasExternal = wished.externalAddress === true;
    if (hasExternal && this.#record.externalAddress === null) {
      const refusal = await this.#chooseExternal();
      if (refusal !== undefined) return refusal;
    }
    const { externalAddress } = this.#record;
    await this.#carrier.within(
      () => 'its cards to follow other rules',
      CALL_TIMEOUT_MS,
      async (signal) => {
        for (const { subnet, nic } of cardsOf({ vmId, spec: wished, externalAddress })) {
          await network.plug(subnet, nic, signal);
        }
      },
    );
    // Its card has it no more: another may have it.
    if (!hasExternal && externalAddress !== null) {
      this.#ledger.replace({ ...this.#record, externalAddress: null });
    }
    // A newer wish may have come meanwhile: then that one's rules are still to be set.
    if (this.#record.wishedSpec === wishedSpec) {
      this.#ledger.replace(settleChange(this.#record, 'networks'));
    }
    return AT_ONCE;
  }

  /** Without one that is free it stays what it is, says so, and follows the rest of the wish. */
  async #chooseExternal(): Promise<After | undefined> {
    const { externals } = this.#context;
    const keep = async (externalAddress: string): Promise<void> => {
      this.#ledger.replace({ ...this.#record, externalAddress });
      await this.#ledger.save(true);
    };
    try {
      await this.#carrier.within(
        () => 'an external address of its host',
        CALL_TIMEOUT_MS,
        (signal) => externals.choose(keep, signal),
      );
      return undefined;
    } catch (error) {
      if (!(error instanceof VmFailure && error.reason === 'NO_CAPACITY')) throw error;
      this.#ledger.replace(withoutExternal(this.#record));
      this.#refusal = { generation: this.#record.generation, why: explainFailure(error) };
      return AT_ONCE;
    }
  }

  #abandonReboot(): After {
    const { desired } = this.#record;
    const why = `The machine is to be ${desired === 'running' ? 'off' : desired} instead.`;
    this.#ledger.replace(endReboot(this.#record, why));
    return AT_ONCE;
  }
}
