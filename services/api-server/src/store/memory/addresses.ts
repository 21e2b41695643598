import type { SubnetId, VmId } from '@factory/contracts';

/** Every address that was ever given out, and the machine that has it. */
export class AddressLedger {
  /** In the order in which they came free; those that machines have are anywhere. */
  readonly #bySubnet = new Map<SubnetId, Map<number, VmId | undefined>>();
  readonly #byVm = new Map<VmId, (readonly [SubnetId, number])[]>();

  /** @throws Error when a machine has it. */
  take(subnetId: SubnetId, offset: number, vmId: VmId): void {
    const ledger = this.#ledger(subnetId);
    const holder = ledger.get(offset);
    if (holder !== undefined) throw new Error(`${holder} has address ${offset} of ${subnetId}`);
    ledger.set(offset, vmId);
    this.#byVm.set(vmId, [...(this.#byVm.get(vmId) ?? []), [subnetId, offset]]);
  }

  release(vmId: VmId): void {
    for (const [subnetId, offset] of this.#byVm.get(vmId) ?? []) {
      const ledger = this.#ledger(subnetId);
      // To the end: it came free last.
      ledger.delete(offset);
      ledger.set(offset, undefined);
    }
    this.#byVm.delete(vmId);
  }

  holder(subnetId: SubnetId, offset: number): VmId | undefined {
    return this.#ledger(subnetId).get(offset);
  }

  /** All that machines have. */
  held(): readonly { readonly subnetId: SubnetId; readonly offset: number; readonly vmId: VmId }[] {
    return [...this.#byVm].flatMap(([vmId, all]) =>
      all.map(([subnetId, offset]) => ({ subnetId, offset, vmId })),
    );
  }

  /** How many machines have. */
  used(subnetId: SubnetId): number {
    return [...this.#ledger(subnetId).values()].filter((holder) => holder !== undefined).length;
  }

  /** What a pool knows of the addresses that were given out. */
  known(subnetId: SubnetId, nextOffset: number) {
    const all = [...this.#ledger(subnetId)];
    return {
      ahead: all.map(([offset]) => offset).filter((offset) => offset >= nextOffset),
      released: all.filter(([, holder]) => holder === undefined).map(([offset]) => offset),
    };
  }

  forget(subnetId: SubnetId): void {
    this.#bySubnet.delete(subnetId);
  }

  #ledger(subnetId: SubnetId): Map<number, VmId | undefined> {
    const ledger = this.#bySubnet.get(subnetId) ?? new Map<number, VmId | undefined>();
    this.#bySubnet.set(subnetId, ledger);
    return ledger;
  }
}
