import { readFile } from 'node:fs/promises';
import { readRunState } from '../../../cli/src/supervisor/run-state.ts';
import type { RealFactory } from '../../support/real-factory.ts';

/** Kernel clock ticks a second, as /proc counts CPU time. */
const TICKS_PER_SECOND = 100;
/** Those that have a database. */
const WITH_SQL = ['api-server', 'cluster-server', 'vm-scheduler'];
const METRICS_TIMEOUT_MS = 10_000;

/** CPU seconds that a process has used since it was started. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** CPU seconds of each of the factory's processes so far, by its name. */
export async function cpuOf({ layout }: RealFactory): Promise<ReadonlyMap<string, number>> {
  const used = new Map<string, number>();
  for (const { name, identity } of (await readRunState(layout))?.processes ?? []) {
    if (identity !== null) used.set(name, await cpuSeconds(identity.pid));
  }
  return used;
}

/** Where one of the factory's processes listens. @throws when it is none of them */
export async function originOf({ layout }: RealFactory, name: string): Promise<string> {
  const state = await readRunState(layout);
  const found = state?.processes.find((process) => process.name === name);
  if (found === undefined) throw new Error(`the factory has no process ${name}`);
  return new URL(found.readyUrl).origin;
}

/** SQL statements that each service has sent so far, by the name of its process. */
export async function sqlStatementsOf(factory: RealFactory): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { name } of (await readRunState(factory.layout))?.processes ?? []) {
    if (!WITH_SQL.some((service) => name.endsWith(service))) continue;
    const url = `${await originOf(factory, name)}/metrics`;
    const request = { method: 'GET', url, timeoutMs: METRICS_TIMEOUT_MS } as const;
    const text = new TextDecoder().decode((await factory.transport.request(request)).body);
    counts.set(name, Number(/^factory_sql_statements_total (\d+)/m.exec(text)?.[1]));
  }
  return counts;
}
