import { mkdir, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { Resource } from '../protocol/index.ts';

const MIB = 1024 * 1024;
const GIB_IN_MIB = 1024;

/** What a machine has to offer; sizes in MiB. */
export interface MachineSize {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

/** The size of this machine; `workDir` (made when missing) says which file system counts. */
export async function measureMachine(workDir: string): Promise<MachineSize> {
  await mkdir(workDir, { recursive: true });
  const { bsize, blocks } = await statfs(workDir);
  return {
    cpus: availableParallelism(),
    memoryMiB: Math.floor(totalmem() / MIB),
    diskMiB: Math.floor((bsize * blocks) / MIB),
  };
}

/**
 * The given resources and, for each of cpus, mem, disk and ports that is not among them, Mesos'
 * default: all CPUs, the memory but 1 GiB (half of less than 2), the disk but 5 GiB (half of less
 * than 10), ports 31000 to 32000; these are reserved for the default role, `*` is none.
 */
export function withDefaultResources(
  given: readonly Resource[],
  machine: MachineSize,
  defaultRole = '*',
): readonly Resource[] {
  const defaults: readonly Resource[] = [
    scalar('cpus', machine.cpus),
    scalar('mem', leave(machine.memoryMiB, GIB_IN_MIB)),
    scalar('disk', leave(machine.diskMiB, 5 * GIB_IN_MIB)),
    { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_000, end: 32_000 }] } },
  ];
  const names = new Set(given.map((resource) => resource.name));
  const reserved: Pick<Resource, 'reservations'> =
    defaultRole === '*' ? {} : { reservations: [{ type: 'STATIC', role: defaultRole }] };
  const missing = defaults.filter(({ name }) => !names.has(name));
  return [...given, ...missing.map((resource) => ({ ...resource, ...reserved }))];
}

function leave(total: number, reserve: number): number {
  return total > 2 * reserve ? total - reserve : Math.floor(total / 2);
}

function scalar(name: string, value: number): Resource {
  return { name, type: 'SCALAR', scalar: { value } };
}
