import type { Knex } from 'knex';

/** The wish by which a machine's disk was made of its image; 0: the one it was made with. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.integer('image_generation').notNullable().defaultTo(0);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('vms', (table) => {
    table.dropColumn('image_generation');
  });
}
