import type { Shape } from './batch.ts';
import { type HostCapacity, VM_MEMORY_OVERHEAD_MIB } from './capacity.ts';
import type { SharePlan } from './cluster-link.ts';
import { hardwareResources, resourceWords, unmetHardwareRule } from './host-hardware.ts';
import { compileRequirements, type Requirements } from './requirements.ts';
import type { VmHardware } from './vm-hardware.ts';

/** Free room of one host while a plan is made. */
interface Room {
  readonly agentId: string;
  vcpus: number;
  memoryMiB: number;
  /** Free scalars beside them; absent: not told, so there may be any. */
  readonly resources: Map<string, number> | undefined;
}

/** A shape, and what a machine of it takes of what only few hosts have. */
type Demand = Shape & { readonly scarce: Readonly<Record<string, number>> };

/** What is asked: so many cores, made of these shapes. */
interface ShareRequest {
  readonly totalVcpus: number;
  readonly shapes: readonly Shape[];
  /** Of the hosts. */
  readonly requirements?: Requirements;
  /** Of the machines. */
  readonly hardware?: VmHardware;
}

/**
 * "200 cores" → "4 × 48 + 1 × 8": as few machines as possible, each of which fits on a host as it is
 * now, their cores adding up to exactly the total wherever the shapes allow it.
 *
 * Greedy, biggest shape first, with one look ahead: a shape is only taken if the rest can still be
 * made of the shapes (a coin-change table over all totals). Plain greedy would make 60 of {48, 20}
 * as 48 and leave 12 over; this makes 3 × 20. Each machine goes to the host with the most free
 * cores, so that large holes are used while they are there. Pure.
 */
export function planShare(
  request: ShareRequest,
  hosts: readonly HostCapacity[],
  promised: { readonly vcpus: number; readonly memoryMiB: number },
): Omit<SharePlan, 'batchId'> {
  const shapes = [...request.shapes]
    .sort((a, b) => b.vcpus - a.vcpus || b.memoryMiB - a.memoryMiB)
    .map((shape) => ({
      ...shape,
      scarce: hardwareResources({ ...shape, hardware: request.hardware }),
    }));
  const isAsRequired = compileRequirements(request.requirements ?? []);
  const { hardware } = request;
  const usable = hosts.filter(
    ({ attributes }) =>
      isAsRequired(attributes) &&
      (attributes === undefined || unmetHardwareRule(hardware, attributes) === undefined),
  );
  const rooms = roomsNetOf(usable, promised);
  const isReachable = reachableTotals(request.totalVcpus, shapes);
  const counts = new Map<Demand, number>();
  let left = request.totalVcpus;
  for (;;) {
    const taken =
      takeOne(shapes, rooms, left, (rest) => isReachable[rest] === true) ??
      takeOne(shapes, rooms, left, () => true);
    if (taken === undefined) break;
    counts.set(taken, (counts.get(taken) ?? 0) + 1);
    left -= taken.vcpus;
  }
  const machines = shapes.flatMap((shape) => {
    const count = counts.get(shape) ?? 0;
    const { vcpus, memoryMiB } = shape;
    return count === 0 ? [] : [{ shape: { vcpus, memoryMiB }, count }];
  });
  return { machines, unplacedVcpus: left, reason: left === 0 ? '' : whyLeft(left, shapes, rooms) };
}

/** Takes the biggest shape that fits somewhere and leaves an acceptable rest, and its room. */
function takeOne(
  shapes: readonly Demand[],
  rooms: readonly Room[],
  left: number,
  isGoodRest: (rest: number) => boolean,
): Demand | undefined {
  for (const shape of shapes) {
    if (shape.vcpus > left || !isGoodRest(left - shape.vcpus)) continue;
    const room = roomiest(rooms, shape);
    if (room === undefined) continue;
    room.vcpus -= shape.vcpus;
    room.memoryMiB -= shape.memoryMiB + VM_MEMORY_OVERHEAD_MIB;
    for (const [name, amount] of Object.entries(shape.scarce)) {
      room.resources?.set(name, (room.resources.get(name) ?? 0) - amount);
    }
    return shape;
  }
  return undefined;
}

function roomiest(rooms: readonly Room[], shape: Demand): Room | undefined {
  let top: Room | undefined;
  for (const room of rooms) {
    if (fits(shape, room) && (top === undefined || room.vcpus > top.vcpus)) top = room;
  }
  return top;
}

function fits(shape: Demand, room: Room): boolean {
  return (
    shape.vcpus <= room.vcpus &&
    shape.memoryMiB + VM_MEMORY_OVERHEAD_MIB <= room.memoryMiB &&
    lackOf(shape, room) === undefined
  );
}

/** Of which scarce resource there is too little for one of the shape. */
function lackOf({ scarce }: Demand, { resources }: Room): string | undefined {
  if (resources === undefined) return undefined;
  return Object.keys(scarce).find((name) => (scarce[name] ?? 0) > (resources.get(name) ?? 0));
}

/** For every total from 0 to `total`: whether machines of the shapes can add up to it. */
export function reachableTotals(total: number, shapes: readonly Shape[]): readonly boolean[] {
  const reachable = new Array<boolean>(total + 1).fill(false);
  reachable[0] = true;
  for (let sum = 1; sum <= total; sum += 1) {
    reachable[sum] = shapes.some((shape) => reachable[sum - shape.vcpus] === true);
  }
  return reachable;
}

/** What is promised to VMs without a host is taken from the roomiest hosts: they will go there. */
function roomsNetOf(
  hosts: readonly HostCapacity[],
  promised: { readonly vcpus: number; readonly memoryMiB: number },
): readonly Room[] {
  const rooms = hosts
    .filter((host) => host.active)
    .map((host) => ({
      agentId: host.agentId,
      vcpus: host.freeVcpus,
      memoryMiB: host.freeMemoryMiB,
      resources:
        host.resources &&
        new Map(Object.entries(host.resources).map(([name, { free }]) => [name, free])),
    }))
    .sort((a, b) => b.vcpus - a.vcpus);
  let { vcpus, memoryMiB } = promised;
  for (const room of rooms) {
    const takenVcpus = Math.min(vcpus, room.vcpus);
    const takenMemoryMiB = Math.min(memoryMiB, room.memoryMiB);
    room.vcpus -= takenVcpus;
    room.memoryMiB -= takenMemoryMiB;
    vcpus -= takenVcpus;
    memoryMiB -= takenMemoryMiB;
  }
  return rooms;
}

function whyLeft(left: number, shapes: readonly Demand[], rooms: readonly Room[]): string {
  const smallest = shapes.at(-1);
  if (smallest === undefined) return 'No shapes are allowed.';
  if (left < smallest.vcpus) {
    return `${left} cores are left over: the smallest shape has ${smallest.vcpus}.`;
  }
  const lackCores = rooms.filter((room) => room.vcpus < smallest.vcpus).length;
  const memoryMiB = smallest.memoryMiB + VM_MEMORY_OVERHEAD_MIB;
  const lackMemory = rooms.filter((room) => room.memoryMiB < memoryMiB).length;
  const lacks = rooms.flatMap((room) => lackOf(smallest, room) ?? []);
  const scarce = [...new Set(lacks)].map((name) => {
    const count = lacks.filter((each) => each === name).length;
    return ` and ${count} lack ${resourceWords(name)}`;
  });
  const lacking = `${lackCores} lack cores and ${lackMemory} lack memory${scarce.join('')}`;
  return `${left} cores fit nowhere: of ${rooms.length} hosts, ${lacking}.`;
}
