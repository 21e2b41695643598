import { startTestPostgres } from '@factory/runtime/postgres';

/** One PostgreSQL server for the whole run; every test makes a database of its own on it. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = await startTestPostgres();
  return () => server.close();
}
