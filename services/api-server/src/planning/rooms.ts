import {
  type Capacity,
  type HostCapacity,
  type Shape,
  VM_MEMORY_OVERHEAD_MIB,
} from '@factory/contracts';

/** Free room of one host. */
export interface Room {
  readonly vcpus: number;
  readonly memoryMiB: number;
  /** Free scalars beside them, by name; absent: not told, so there may be any. */
  readonly resources?: Readonly<Record<string, number>> | undefined;
}

/** What is taken already, wherever it will land. */
export interface Promised {
  readonly vcpus: number;
  readonly memoryMiB: number;
}

/**
 * The free room of a cluster's active hosts, net of what is promised: that is taken from the
 * roomiest hosts, where it is likely to go.
 */
export function roomsOf(capacity: Capacity, promised: Promised): readonly Room[] {
  let { vcpus, memoryMiB } = promised;
  return capacity.hosts
    .filter((host) => host.active)
    .toSorted((a, b) => b.freeVcpus - a.freeVcpus || b.freeMemoryMiB - a.freeMemoryMiB)
    .map((host) => {
      const takenVcpus = Math.min(vcpus, host.freeVcpus);
      const takenMemoryMiB = Math.min(memoryMiB, host.freeMemoryMiB);
      vcpus -= takenVcpus;
      memoryMiB -= takenMemoryMiB;
      return {
        vcpus: host.freeVcpus - takenVcpus,
        memoryMiB: host.freeMemoryMiB - takenMemoryMiB,
        resources: freeOf(host),
      };
    });
}

function freeOf({ resources }: HostCapacity): Room['resources'] {
  if (resources === undefined) return undefined;
  return Object.fromEntries(Object.entries(resources).map(([name, { free }]) => [name, free]));
}

/**
 * How many machines of a shape fit into a room, what QEMU itself takes included; `scarce` is what
 * each of them takes besides.
 */
export function machinesFitting(
  room: Room,
  shape: Shape,
  scarce: Readonly<Record<string, number>> = {},
): number {
  const { resources } = room;
  const byScarce = Object.entries(scarce).map(([name, amount]) =>
    resources === undefined
      ? Number.POSITIVE_INFINITY
      : Math.floor((resources[name] ?? 0) / amount),
  );
  const byVcpus = Math.floor(room.vcpus / shape.vcpus);
  const byMemory = Math.floor(room.memoryMiB / (shape.memoryMiB + VM_MEMORY_OVERHEAD_MIB));
  return Math.max(0, Math.min(byVcpus, byMemory, ...byScarce));
}

/** `4 hosts: 1 lacks cores, 3 lack memory` for a shape; hosts with room are not mentioned. */
export function describeLack(rooms: readonly Room[], shape: Shape): string {
  const lackCores = rooms.filter((room) => room.vcpus < shape.vcpus);
  const needMiB = shape.memoryMiB + VM_MEMORY_OVERHEAD_MIB;
  const lackMemory = rooms.filter((room) => room.vcpus >= shape.vcpus && room.memoryMiB < needMiB);
  const lacks = [lacking(lackCores.length, 'cores'), lacking(lackMemory.length, 'memory')];
  const said = lacks.filter((text) => text !== '').join(', ');
  return `${plural(rooms.length, 'host')}${said === '' ? '' : `: ${said}`}`;
}

function lacking(count: number, what: string): string {
  return count === 0 ? '' : `${count} ${count === 1 ? 'lacks' : 'lack'} ${what}`;
}

/** `1 host`, `2 hosts`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
