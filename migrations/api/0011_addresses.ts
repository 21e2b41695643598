import type { Knex } from 'knex';

/**
 * Every address that was ever given out, and the machine that has it. A machine takes its addresses
 * when they are planned; that they come free is seen to here, in the database, as machines end in
 * many places.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('subnet_addresses', (table) => {
    table.text('subnet_id').notNullable().references('subnets.id');
    table.bigInteger('address_offset').notNullable();
    table.text('vm_id').index();
    table.bigInteger('released_at_ms');
    table.primary(['subnet_id', 'address_offset']);
  });
  await knex.raw(
    `create index subnet_addresses_released
     on subnet_addresses (subnet_id, released_at_ms, address_offset) where vm_id is null`,
  );
  await knex.raw(
    `insert into subnet_addresses (subnet_id, address_offset, vm_id)
     select subnet_id, address_offset, id from vms where state <> 'deleted'`,
  );
  // Before, the search went around; what lies behind it was given out once and is free again.
  await knex.raw(
    `update subnets s set next_offset = greatest(next_offset,
       (select coalesce(max(a.address_offset) + 1, 2) from subnet_addresses a
        where a.subnet_id = s.id))`,
  );
  await knex.raw(
    `insert into subnet_addresses (subnet_id, address_offset, released_at_ms)
     select s.id, each.address_offset, 0
     from subnets s, generate_series(2, s.next_offset - 1) as each(address_offset)
     on conflict do nothing`,
  );
  await createTrigger(knex);
}

/** Upserts, as the release before knows nothing of this table. */
async function createTrigger(knex: Knex): Promise<void> {
  await knex.raw(
    `create function release_addresses() returns trigger language plpgsql as $$
     declare
       now_ms bigint := extract(epoch from now()) * 1000;
     begin
       update subnet_addresses set vm_id = null, released_at_ms = now_ms where vm_id = new.id;
       if new.address_offset is not null then
         insert into subnet_addresses (subnet_id, address_offset, released_at_ms)
         values (new.subnet_id, new.address_offset, now_ms)
         on conflict do nothing;
       end if;
       return null;
     end $$`,
  );
  await knex.raw(
    `create trigger vms_release_addresses after update of state on vms for each row
     when (new.state = 'deleted' and old.state <> 'deleted')
     execute function release_addresses()`,
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop trigger vms_release_addresses on vms');
  await knex.raw('drop function release_addresses');
  await knex.schema.dropTable('subnet_addresses');
}
