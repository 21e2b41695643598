import {
  type AddressRange,
  countAddresses,
  externalAddressesOf,
  freeAddress,
  type HostAttribute,
  type VmId,
} from '@factory/contracts';
import { createLimiter } from '@factory/runtime';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { VmFailure } from '../failures.ts';
import type { VmStorage } from '../storage/port.ts';
import type { VmRecord } from '../vm/record.ts';
import type { HostNetworkPort } from './port.ts';

/** As much of a record, of whichever version, as counts here. */
const HolderSchema = Type.Object({ externalAddress: Type.String() });

interface ExternalBookOptions {
  readonly network: Pick<HostNetworkPort, 'externalAddresses'>;
  readonly storage: Pick<VmStorage, 'listVms' | 'readVm'>;
  /** The VM's record in memory, which is newer than the one on the disk, if it is kept. */
  readonly recordOf: (vmId: VmId) => VmRecord | undefined;
}

/**
 * Who has which external address of this host. Nothing is kept of it but in the VMs' records: an
 * address belongs to the VM whose record says so, from before its card has it until after.
 */
export class ExternalBook {
  readonly #options: ExternalBookOptions;
  #ranges: readonly AddressRange[] = [];
  // Between the look at what is taken and the word in a record nobody else may look.
  readonly #inTurn = createLimiter(1);

  constructor(options: ExternalBookOptions) {
    this.#options = options;
  }

  /** Takes the attributes of the host's agent, in place of those before. */
  learn(attributes: readonly HostAttribute[]): void {
    this.#ranges = externalAddressesOf(attributes);
  }

  /**
   * Gives a VM an address that no other has, by `keep`, which writes it into the VM's record.
   * @throws VmFailure `NO_CAPACITY` when all are taken, or the host has none.
   */
  async choose(keep: (address: string) => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#inTurn(async () => {
      signal.throwIfAborted();
      const address = freeAddress(this.#ranges, await this.#taken(signal));
      if (address === undefined) throw noneFree(countAddresses(this.#ranges));
      await keep(address);
    });
  }

  /** Those of VMs that are kept, of VMs that are stored and wait for their tasks, and of cards. */
  async #taken(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const { network, storage, recordOf } = this.#options;
    const taken = new Set(await network.externalAddresses(signal));
    for (const vmId of await storage.listVms()) {
      const record: unknown = recordOf(vmId) ?? (await storage.readVm(vmId)).record;
      if (Value.Check(HolderSchema, record)) taken.add(record.externalAddress);
    }
    return taken;
  }
}

function noneFree(count: number): VmFailure {
  const message =
    count === 0
      ? 'Its host has no external addresses.'
      : `All ${count} external addresses of its host are in use.`;
  return new VmFailure('NO_CAPACITY', message);
}
