import type { OperationProgress, VmReason } from '@factory/contracts';
import type { Clock, SecretBox } from '@factory/runtime';
import type { Bell } from '../bell.ts';
import { VmFailure } from '../failures.ts';
import { noHardware } from '../hardware/none.ts';
import type { HostHardware } from '../hardware/port.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { ImagePublisher } from '../images/publisher.ts';
import type { ExternalBook } from '../network/external-book.ts';
import type { HostNetworkPort } from '../network/port.ts';
import type { VmStorage } from '../storage/port.ts';
import type { Turns } from '../turns.ts';
import { noVolumes } from '../volumes/none.ts';
import type { VolumePort } from '../volumes/port.ts';
import type { Ledger } from './ledger.ts';
import type { HostParts } from './planned.ts';
import type { PowerOffLimits } from './power-off.ts';
import { type FaultPoints, noFaults, type Procedure, runProcedure } from './procedure.ts';
import type { VmSteps } from './procedures.ts';
import { Runner } from './run.ts';

/** What a VM's procedures are carried out with. */
export interface CarrierContext {
  readonly clock: Clock;
  readonly hypervisor: Hypervisor;
  readonly network: HostNetworkPort;
  readonly externals: Pick<ExternalBook, 'choose'>;
  readonly storage: VmStorage;
  /** Absent on a host that has no place for volumes. */
  readonly volumes?: VolumePort;
  /** Absent on a host that has nothing to hand out. */
  readonly hardware?: HostHardware;
  /** Opens what the scheduler has sealed. */
  readonly secrets?: SecretBox | undefined;
  /** A CD with drivers for Windows, if the host has one. */
  readonly windowsDriversPath?: string | undefined;
  /** Whose turn it is to be powered on. */
  readonly powerOns: Turns;
  readonly powerOff: PowerOffLimits;
  readonly images: ImagePublisher;
  /** How far an operation is. */
  readonly onProgress: (progress: OperationProgress) => void;
  /** Only tests have any. */
  readonly faults?: FaultPoints;
}

/** Carries out one procedure or call of a VM at a time, each with a deadline. */
export class Carrier {
  readonly #context: CarrierContext;
  readonly #ledger: Ledger;
  readonly #bell: Bell;
  readonly #runner: Runner;
  /** What the last work that ran into its deadline was waiting for. */
  #hangsIn = '';
  #hangsBy: VmReason = 'DEADLINE_EXCEEDED';

  constructor(context: CarrierContext, ledger: Ledger, bell: Bell) {
    this.#context = context;
    this.#ledger = ledger;
    this.#bell = bell;
    this.#runner = new Runner(context.clock, () => bell.ring());
  }

  /** Something is under way, or hangs after its deadline; the bell rings when it has settled. */
  get isBusy(): boolean {
    return this.#runner.isBusy;
  }

  /** Ends what is under way, which then throws Interrupted, after its present step. */
  interrupt(why: string): void {
    this.#runner.interrupt(why);
  }

  /** Carries a procedure out, when its turn comes. @throws as `within`, and as its steps do. */
  async carry(
    procedure: Procedure<VmSteps>,
    timeoutMs: number,
    turns: Turns = (_signal, work) => work(() => undefined),
  ): Promise<void> {
    const { faults = noFaults } = this.#context;
    let waitsFor = 'its turn';
    const onStep = (step: { readonly waitsFor: string }): void => {
      waitsFor = step.waitsFor;
    };
    const run = (signal: AbortSignal, leaveTurn: () => void): Promise<void> =>
      runProcedure(procedure, this.#stepsFor(signal, leaveTurn), { signal, faults, onStep });
    await this.within(
      () => waitsFor,
      timeoutMs,
      (signal) => turns(signal, (leaveTurn) => run(signal, leaveTurn)),
    );
  }

  /** @throws VmFailure of this reason that says what was waited for; Interrupted. */
  within<T>(
    waitsFor: () => string,
    timeoutMs: number,
    work: (signal: AbortSignal) => Promise<T>,
    reason: VmReason = 'DEADLINE_EXCEEDED',
  ): Promise<T> {
    return this.#runner.run(timeoutMs, work, () => {
      this.#hangsIn = waitsFor();
      this.#hangsBy = reason;
      return this.deadlineFailure();
    });
  }

  /** What to tell of the work that last ran into its deadline. */
  deadlineFailure(): VmFailure {
    const { state, reason, message: told } = this.#ledger.record;
    // Not what it is that is said again, in longer and longer sentences.
    const isNew = reason !== null && reason !== this.#hangsBy;
    const before = isNew ? ` Before that: ${reason}: ${told ?? ''}` : '';
    const message =
      this.#hangsBy === 'DEADLINE_EXCEEDED'
        ? `Its deadline passed while it was ${state}, waiting for ${this.#hangsIn}.`
        : `It waits for ${this.#hangsIn}, and there is no answer.`;
    // What hangs may pass by itself; and what hangs for good stays in the way of anything else.
    return new VmFailure(this.#hangsBy, message + before, { isTransient: true });
  }

  /** What one run's steps work with. A run that was given up changes nothing any more. */
  #stepsFor(signal: AbortSignal, leaveTurn: () => void): VmSteps {
    const ledger = this.#ledger;
    const { windowsDriversPath } = this.#context;
    let parts: HostParts = windowsDriversPath === undefined ? {} : { windowsDriversPath };
    return {
      ...this.#context,
      leaveTurn,
      parts: () => parts,
      provide: (more) => {
        parts = { ...parts, ...more };
      },
      volumes: this.#context.volumes ?? noVolumes,
      hardware: this.#context.hardware ?? noHardware,
      bell: this.#bell,
      record: () => ledger.record,
      observe: (change) => {
        if (!signal.aborted) ledger.observe(change);
      },
      amend: (change) => {
        if (!signal.aborted) ledger.replace(change(ledger.record));
      },
      tell: (stage, percent) => {
        const { operation, vmId } = ledger.record;
        if (signal.aborted || operation === null) return;
        const { operationId } = operation.request;
        this.#context.onProgress({ operationId, vmId, stage, percent });
      },
      save: (signalOfStep) => ledger.save(true, signalOfStep),
    };
  }
}
