import type { Vm, VmId } from '@factory/contracts';
import { systemClock } from '@factory/runtime';
import { REST_TIMEOUT_MS, Run } from './scenario.ts';

/** A factory whose hosts fail at a part of all calls. */
export interface FailingHostsOptions {
  readonly seed: number | string;
  readonly agents: number;
  readonly vms: number;
  /** Of each call of each hypervisor, network and storage: from 0 to 1. */
  readonly rate: number;
}

/** What a run was like. */
export interface FailingHostsFigures {
  readonly virtualSeconds: number;
  readonly realSeconds: number;
  /** VMs by state, when none moved any more. */
  readonly created: Readonly<Record<string, number>>;
  readonly restarted: Readonly<Record<string, number>>;
  readonly deleted: Readonly<Record<string, number>>;
  /** Calls that went wrong, by method and by how. */
  readonly faults: Readonly<Record<string, number>>;
  readonly traceHash: string;
}

/** Of thousands of machines, all are looked at each time. */
const CHECK_INTERVAL_MS = 10_000;
/** Room for 25 machines and the executor, and for a few more. */
const HOST_SHAPE = { vcpus: 30.5, memoryMiB: 8_192 };

/**
 * Makes VMs on hosts that fail, stops a tenth and starts it again, deletes all. Every one ends in a
 * final state, those that failed with their reason, and of none anything is left.
 */
export async function runFailingHosts(options: FailingHostsOptions): Promise<FailingHostsFigures> {
  const startedMs = systemClock.monotonicMs();
  const { vms: count, rate, ...more } = options;
  const simulation = { ...more, portFaultRate: rate, hostShape: HOST_SHAPE };
  const run = new Run(simulation, CHECK_INTERVAL_MS);
  const story = async () => {
    const { id } = await run.createBatch('all', count);
    const vms = await run.comeToRest(id, count);
    const created = countStates(vms);
    const some = vms.filter(({ state }) => state === 'running').slice(0, Math.ceil(count / 10));
    const ids = some.map((vm) => vm.id);
    await run.wishAll(ids, 'stop');
    const stopped = await run.comeToRest(id, count);
    await run.wishAll(isOff(stopped, ids), 'start');
    const restarted = countStates(await run.comeToRest(id, count));
    await run.deleteBatch(id, count, REST_TIMEOUT_MS);
    return { created, restarted, deleted: { deleted: count } };
  };
  const states = await run.play(story);
  return {
    ...states,
    virtualSeconds: run.clock.monotonicMs() / 1000,
    realSeconds: (systemClock.monotonicMs() - startedMs) / 1000,
    faults: Object.fromEntries([...run.factory.portFaults.seen].sort()),
    traceHash: run.traceHash,
  };
}

/** Lines for people. */
export function describeFailingHosts(
  { seed, agents, vms, rate }: FailingHostsOptions,
  figures: FailingHostsFigures,
): string {
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([what, count]) => `${what} ${count}`)
      .join(', ');
  return [
    `seed ${seed}: ${vms} VMs on ${agents} hosts of which ${rate * 100} % of all calls fail:`,
    `${figures.virtualSeconds.toFixed(1)} s virtual in ${figures.realSeconds.toFixed(1)} s,`,
    `made: ${counts(figures.created)}; stopped and started: ${counts(figures.restarted)};`,
    `at the end: ${counts(figures.deleted)}; faults: ${counts(figures.faults)};`,
    `trace ${figures.traceHash}`,
  ].join(' ');
}

/** Those of these that can be started. */
function isOff(vms: readonly Vm[], ids: readonly VmId[]): readonly VmId[] {
  const off = vms.filter(({ state }) => state === 'stopped' || state === 'failed');
  return off.flatMap(({ id }) => (ids.includes(id) ? [id] : []));
}

function countStates(vms: readonly { readonly state: string }[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { state } of vms) counts.set(state, (counts.get(state) ?? 0) + 1);
  return Object.fromEntries([...counts].sort());
}
