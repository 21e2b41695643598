import type { SubnetId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { PlanningCard, TakenAddress } from '../../planning/store.ts';
import { type AddressPool, usableAddresses } from '../../subnets/addresses.ts';
import type { SubnetRecord } from '../../subnets/store.ts';

/**
 * What can be given out of a subnet, at least `count` addresses if there are so many; and whether
 * the address at `asked` is free. The subnet must be locked.
 */
export async function poolOf(
  trx: Knex.Transaction,
  { id, cidr, vni, nextOffset }: SubnetRecord,
  asked: number | null,
  count: number,
): Promise<Pick<PlanningCard, 'pool' | 'asked'>> {
  if (vni === null) throw new Error(`${id} is deleted`);
  const pool: AddressPool = { cidr, vni, nextOffset, ahead: [], released: [] };
  if (asked !== null) {
    const held = await trx('subnet_addresses')
      .where({ subnet_id: id, address_offset: asked })
      .whereNotNull('vm_id')
      .first('vm_id');
    return { pool, asked: { offset: asked, isFree: held === undefined } };
  }
  const ahead = await givenFrom(trx, id, nextOffset);
  const neverUsed = usableAddresses(cidr) + 2 - nextOffset - ahead.length;
  if (neverUsed >= count) return { pool: { ...pool, ahead }, asked: undefined };
  const released = await trx('subnet_addresses as a')
    .where({ subnet_id: id, vm_id: null })
    .whereNotExists(ofOldRelease(trx))
    .orderBy(['released_at_ms', 'address_offset'])
    .limit(count)
    .pluck('address_offset');
  return { pool: { ...pool, ahead, released }, asked: undefined };
}

/** Offsets from `first` on that were given out. */
async function givenFrom(
  trx: Knex.Transaction,
  subnetId: SubnetId,
  first: number,
): Promise<readonly number[]> {
  const { rows } = await trx.raw<{ rows: readonly { address_offset: number }[] }>(
    `select address_offset from subnet_addresses
     where subnet_id = :subnetId and address_offset >= :first
     union
     select address_offset from vms
     where subnet_id = :subnetId and address_offset >= :first and state <> 'deleted'`,
    { subnetId, first },
  );
  return rows.map((row) => row.address_offset);
}

/** An api-server of the release before gives addresses out without writing them down here. */
function ofOldRelease(trx: Knex.Transaction): Knex.QueryBuilder {
  return trx('vms')
    .select(trx.raw('1'))
    .whereRaw(`vms.subnet_id = a.subnet_id and vms.address_offset = a.address_offset`)
    .whereNot('vms.state', 'deleted');
}

/** @throws Error when a machine has one of them: then nothing of the plan is written. */
export async function takeAddresses(
  trx: Knex.Transaction,
  taken: readonly TakenAddress[],
): Promise<void> {
  if (taken.length === 0) return;
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `insert into subnet_addresses (subnet_id, address_offset, vm_id)
     select * from unnest(:subnetIds::text[], :offsets::bigint[], :vmIds::text[])
     on conflict (subnet_id, address_offset) do update
       set vm_id = excluded.vm_id, released_at_ms = null where subnet_addresses.vm_id is null`,
    {
      subnetIds: taken.map((each) => each.subnetId),
      offsets: taken.map((each) => each.offset),
      vmIds: taken.map((each) => each.vmId),
    },
  );
  if (rowCount === taken.length) return;
  throw new Error(`${taken.length - rowCount} addresses of ${taken.length} belong to machines`);
}
