import type { Knex } from 'knex';

/** Projects make subnets of their own; machines may have cards in several. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('create sequence subnet_vnis minvalue 1 maxvalue 16777215 cycle');
  await knex.schema.alterTable('subnets', (table) => {
    /** VXLAN's number; null once it is deleted, so that another may have it. */
    table.integer('vni').unique();
    table.text('egress').notNullable().defaultTo('none');
    table.text('dns_domain').notNullable().defaultTo('internal');
    table.jsonb('security_rules').notNullable().defaultTo('[]');
    table.bigInteger('created_at_ms').notNullable().defaultTo(0);
    /** Kept for the machines that were in it; its name is then its id, so that the name is free. */
    table.bigInteger('deleted_at_ms');
    // Machines' MACs are made of the VNI now.
    table.integer('mac_seed').notNullable().defaultTo(0).alter();
  });
  await knex.raw(
    `update subnets set vni = nextval('subnet_vnis'), dns_domain = name || '.internal'`,
  );
  await knex.schema.alterTable('batches', (table) => {
    /** Cards of its machines, the first one first; none: one in the project's subnet `default`. */
    table.jsonb('nics').notNullable().defaultTo('[]');
    table.jsonb('security_rules').notNullable().defaultTo('[]');
  });
  await knex.schema.alterTable('vms', (table) => {
    /** Its cards behind the first. */
    table.jsonb('nics').notNullable().defaultTo('[]');
    // A machine waits without an address while its subnet is full.
    table.setNullable('address_offset');
    table.setNullable('ip_address');
    table.setNullable('mac_address');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.dropColumn('nics');
    table.dropNullable('address_offset');
    table.dropNullable('ip_address');
    table.dropNullable('mac_address');
  });
  await knex.schema.alterTable('batches', (table) => {
    table.dropColumns('nics', 'security_rules');
  });
  await knex.schema.alterTable('subnets', (table) => {
    table.dropColumns('vni', 'egress', 'dns_domain', 'security_rules', 'created_at_ms');
    table.dropColumn('deleted_at_ms');
  });
  await knex.raw('drop sequence subnet_vnis');
}
