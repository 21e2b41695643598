import type { FlavorStore } from '../../flavors/store.ts';
import type { PostgresDatabase } from './database.ts';

/** See {@link FlavorStore}. */
export function createPostgresFlavors({ knex }: PostgresDatabase): FlavorStore {
  return {
    list: () =>
      knex('flavors').orderBy('name').select({
        name: 'name',
        vcpus: 'vcpus',
        memoryMiB: 'memory_mib',
        diskGiB: 'disk_gib',
      }),
    create: async ({ name, vcpus, memoryMiB, diskGiB }) => {
      const kept = await knex('flavors')
        .insert({ name, vcpus, memory_mib: memoryMiB, disk_gib: diskGiB })
        .onConflict('name')
        .ignore()
        .returning('name');
      return kept.length > 0;
    },
    remove: async (name) => (await knex('flavors').where({ name }).delete()) > 0,
  };
}
