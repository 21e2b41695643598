import { fileURLToPath } from 'node:url';

/** Directory of the api-server's migrations, for runtime's `migrate` and `createTestDatabase`. */
export const apiMigrations = fileURLToPath(new URL('./api', import.meta.url));

/** Directory of the migrations that the services of one cluster share. */
export const clusterMigrations = fileURLToPath(new URL('./cluster', import.meta.url));
