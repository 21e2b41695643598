import { hash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import type { VmId } from './ids.ts';

/**
 * Says in few bytes what an executor has: two inventories with the same digest hold the same VMs,
 * each told of up to the same `seq`.
 */
export const InventoryDigestSchema = Type.Object({
  count: Type.Integer({ minimum: 0 }),
  /** Of the hashes of all `vmId:seq`, modulo 2^128, in hexadecimal. */
  sum: Type.String({ pattern: '^[0-9a-f]{32}$' }),
});
export type InventoryDigest = Static<typeof InventoryDigestSchema>;

const SUM_BITS = 128;
const SUM_DIGITS = SUM_BITS / 4;

/**
 * A digest that is kept up to date with each change, at a cost that does not depend on how many VMs
 * there are: a sum knows no order, and what was added can be taken out again. Both ends are ours, so
 * that nobody chooses VMs whose hashes cancel out.
 */
export class DigestKeeper {
  readonly #seqs = new Map<VmId, number>();
  #sum = 0n;

  /** The VM is there, told of up to this `seq`. */
  set(vmId: VmId, seq: number): void {
    const before = this.#seqs.get(vmId);
    if (before === seq) return;
    if (before !== undefined) this.#add(-hashOf(vmId, before));
    this.#seqs.set(vmId, seq);
    this.#add(hashOf(vmId, seq));
  }

  /** The VM is not there any more. */
  delete(vmId: VmId): void {
    const before = this.#seqs.get(vmId);
    if (before === undefined) return;
    this.#seqs.delete(vmId);
    this.#add(-hashOf(vmId, before));
  }

  /** Leaves only VMs of which `isThere` holds. */
  keepOnly(isThere: (vmId: VmId) => boolean): void {
    for (const vmId of this.#seqs.keys()) if (!isThere(vmId)) this.delete(vmId);
  }

  get size(): number {
    return this.#seqs.size;
  }

  digest(): InventoryDigest {
    return { count: this.#seqs.size, sum: this.#sum.toString(16).padStart(SUM_DIGITS, '0') };
  }

  /** Whether the other is of the same VMs. */
  isSame({ count, sum }: InventoryDigest): boolean {
    return count === this.#seqs.size && sum === this.digest().sum;
  }

  #add(value: bigint): void {
    this.#sum = BigInt.asUintN(SUM_BITS, this.#sum + value);
  }
}

function hashOf(vmId: VmId, seq: number): bigint {
  return BigInt(`0x${hash('sha256', `${vmId}:${seq}`).slice(0, SUM_DIGITS)}`);
}
