export * from './embedded.ts';
export * from './knex.ts';
export * from './migrate.ts';
export * from './notifications.ts';
export { sqlStatements } from './statements.ts';
export * from './testing.ts';
