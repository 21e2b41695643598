import type { ConformanceCheck, HostCapacity } from '@factory/contracts';
import { type Clock, withDeadline } from '@factory/runtime';

/** A check hangs where what it looks at does. */
const CHECK_TIMEOUT_MS = 60_000;
/** Slower storage would keep machines waiting for their disks. */
const STORAGE_MIB_PER_SECOND_MIN = 10;

/** What is looked at. */
export interface ConformanceWorld {
  readonly clock: Clock;
  /** The hosts as the Mesos master sees them. */
  readonly readHosts: () => Promise<readonly HostCapacity[]>;
  /** Rejects when the vm-scheduler does not answer. */
  readonly askScheduler: () => Promise<unknown>;
  /** Writes and reads a file where the images are; absent: there is no storage to look at. */
  readonly measureStorage?:
    | (() => Promise<{ readonly writtenMiBps: number; readonly readMiBps: number }>)
    | undefined;
}

/** Looks at what a cluster must have to be given machines. A check that throws has failed. */
export async function runConformance(world: ConformanceWorld): Promise<ConformanceCheck[]> {
  const { readHosts, askScheduler, measureStorage } = world;
  return [
    await check(world, 'hosts', async () => {
      const hosts = await readHosts();
      const active = hosts.filter((host) => host.active).length;
      return { isPassed: active > 0, detail: `${active} of ${hosts.length} hosts are active.` };
    }),
    await check(world, 'scheduler', async () => {
      await askScheduler();
      return { isPassed: true, detail: 'The vm-scheduler answers.' };
    }),
    measureStorage === undefined
      ? { name: 'storage', outcome: 'skipped', detail: 'It has no storage for images.' }
      : await check(world, 'storage', async () => {
          const { writtenMiBps, readMiBps } = await measureStorage();
          const isPassed = Math.min(writtenMiBps, readMiBps) >= STORAGE_MIB_PER_SECOND_MIN;
          const figures = `written at ${writtenMiBps} MiB/s, read at ${readMiBps} MiB/s`;
          return { isPassed, detail: `${figures}; at least ${STORAGE_MIB_PER_SECOND_MIN}.` };
        }),
    ...NOT_ASKED,
  ];
}

/** What only an executor on a host can tell. */
const NOT_ASKED: readonly ConformanceCheck[] = (
  ['virtualisation', 'libvirt', 'overlayMtu'] as const
).map((name) => ({ name, outcome: 'skipped', detail: 'Hosts are not asked for it yet.' }));

async function check(
  { clock }: ConformanceWorld,
  name: ConformanceCheck['name'],
  look: () => Promise<{ readonly isPassed: boolean; readonly detail: string }>,
): Promise<ConformanceCheck> {
  try {
    const { isPassed, detail } = await withDeadline(clock, name, CHECK_TIMEOUT_MS, look);
    return { name, outcome: isPassed ? 'passed' : 'failed', detail };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { name, outcome: 'failed', detail: detail.slice(0, 1000) };
  }
}
