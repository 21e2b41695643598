import type { VmId, VmTaskData } from '@factory/contracts';
import {
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  retryForever,
  withDeadline,
} from '@factory/runtime';
import type { VmStorage } from '../storage/port.ts';
import { type Recovered, recoverRecord } from './record-file.ts';

/** A look at what is stored of a VM. */
const READ_TIMEOUT_MS = 10_000;
const READ_AGAIN = { baseMs: 200, maxMs: 10_000 };

interface VmRecoveryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly storage: VmStorage;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
  /** The last `seq` told of a VM that was here before; 0 for an unknown one. */
  readonly lastSeq: (vmId: VmId) => number;
}

/** Finds what this host knows of a VM that it is given. */
export class VmRecovery {
  readonly #options: VmRecoveryOptions;

  constructor(options: VmRecoveryOptions) {
    this.#options = options;
  }

  /**
   * What is known of the VM; what makes no sense is kept, and said. Tries until it works: without its
   * record nothing can be done for a VM. @throws the signal's reason.
   */
  async recover(data: VmTaskData): Promise<Recovered> {
    const { clock, storage, logger, lastSeq } = this.#options;
    const { vmId } = data;
    const bornMs = Math.max(clock.nowMs(), lastSeq(vmId) + 1);
    const stored = await this.#insistently('reading a record', () => storage.readVm(vmId));
    const found = recoverRecord(stored, data, bornMs);
    if (found.as === 'quarantined') {
      logger.error({ vmId }, 'a disk without a record that can be read; it is left alone');
      await storage.setRecordAside(vmId);
      await storage.writeRecord(found.record, { durable: true });
    }
    return found;
  }

  #insistently<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { clock, random, logger, signal } = this.#options;
    const backoff = createBackoff({ ...READ_AGAIN, random });
    return retryForever({ what, clock, logger, backoff, signal }, () =>
      withDeadline(clock, what, READ_TIMEOUT_MS, work),
    );
  }
}
