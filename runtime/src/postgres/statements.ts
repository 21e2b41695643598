import { Counter } from 'prom-client';

/**
 * SQL statements that this process has sent, `begin` and `commit` among them: what a machine costs
 * the database is told by it. Shown at `GET /metrics` with what else is the process's.
 */
export const sqlStatements = new Counter({
  name: 'factory_sql_statements_total',
  help: 'SQL statements that this process has sent to PostgreSQL',
  registers: [],
});
