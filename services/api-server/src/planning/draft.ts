import type { ClusterId, LinkCommand, Shape, VmId } from '@factory/contracts';
import { ID_PREFIXES } from '@factory/contracts';
import type { IdGenerator } from '@factory/runtime';
import type { VmRecord } from '../vms/store.ts';
import { nextFreeAddresses } from './addresses.ts';
import { assignmentOf, chunk, vmsPerCommand } from './assignments.ts';
import type { PlanningOutcome, PlanningSnapshot } from './store.ts';

type NumberedCommands = PlanningOutcome['commands'];

/** What a planning decision has put together so far. */
export class PlanDraft {
  readonly newVms: VmRecord[] = [];
  readonly assignedVms: VmRecord[] = [];
  readonly #commands: NumberedCommands[number][] = [];
  readonly #snapshot: PlanningSnapshot;
  readonly #newId: IdGenerator;
  readonly #lastSeq: Map<ClusterId, number>;
  #nextOffset: number;

  constructor(snapshot: PlanningSnapshot, newId: IdGenerator) {
    this.#snapshot = snapshot;
    this.#newId = newId;
    this.#lastSeq = new Map(
      snapshot.clusters.map(({ id, lastCommandSeq }) => [id, lastCommandSeq]),
    );
    this.#nextOffset = snapshot.subnet.nextOffset;
  }

  get commands(): NumberedCommands {
    return this.#commands;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Appends to the cluster's command log; gives the command's number. */
  command(clusterId: ClusterId, command: LinkCommand): number {
    const seq = (this.#lastSeq.get(clusterId) ?? 0) + 1;
    this.#lastSeq.set(clusterId, seq);
    this.#commands.push({ clusterId, seq, command });
    return seq;
  }

  /**
   * New machines without a cluster, one of each shape, numbered on from the batch's last one.
   * `undefined` when the subnet has not enough addresses.
   */
  makeVms(shapes: readonly Shape[]): readonly VmRecord[] | undefined {
    const { subnet, usedOffsets, planned } = this.#snapshot;
    const used = [...usedOffsets, ...this.newVms.map((vm) => vm.addressOffset)];
    const space = { ...subnet, nextOffset: this.#nextOffset };
    const { addresses, nextOffset } = nextFreeAddresses(space, used, shapes.length);
    if (addresses.length < shapes.length) return undefined;
    this.#nextOffset = nextOffset;
    // Ids of one millisecond are in no order; sorted ones list the machines by their numbers.
    const ids = shapes.map(() => this.#newId(ID_PREFIXES.vm) as VmId).sort();
    const firstNumber = planned.count + this.newVms.length + 1;
    return shapes.flatMap((shape, index) => {
      const [id, address] = [ids[index], addresses[index]];
      if (id === undefined || address === undefined) return [];
      const place = { ...address, number: firstNumber + index };
      return [newVm(this.#snapshot, id, shape, place)];
    });
  }

  /** Gives machines to a cluster, in commands of bounded size. */
  assign(vms: readonly VmRecord[], clusterId: ClusterId): readonly VmRecord[] {
    const { batch, subnet, nowMs } = this.#snapshot;
    const cluster = this.#snapshot.clusters.find(({ id }) => id === clusterId);
    const imageVersion = cluster?.capacity?.imageVersions?.[batch.image] ?? null;
    return chunk(vms, vmsPerCommand(batch)).flatMap((piece) => {
      const assigned = piece.map(
        (vm): VmRecord => ({
          ...vm,
          clusterId,
          imageVersion,
          state: 'scheduled',
          stateSinceMs: nowMs,
          message: null,
          timeline: { ...vm.timeline, planned: nowMs },
        }),
      );
      const assignments = assigned.map((vm) => assignmentOf(vm, batch, subnet.cidr));
      const seq = this.command(clusterId, { kind: 'assignVms', vms: assignments });
      return assigned.map((vm) => ({ ...vm, assignedSeq: seq }));
    });
  }
}

function newVm(
  { batch, subnet, nowMs }: PlanningSnapshot,
  id: VmId,
  shape: Shape,
  place: { offset: number; ipAddress: string; macAddress: string; number: number },
): VmRecord {
  return {
    id,
    projectId: batch.projectId,
    batchId: batch.id,
    batchName: batch.name,
    name: `${batch.name}-${place.number}`,
    image: batch.image,
    imageVersion: null,
    vcpus: shape.vcpus,
    memoryMiB: shape.memoryMiB,
    diskGiB: batch.diskGiB,
    subnetId: subnet.id,
    addressOffset: place.offset,
    ipAddress: place.ipAddress,
    macAddress: place.macAddress,
    createdAtMs: nowMs,
    desired: 'running',
    generation: 1,
    clusterId: null,
    assignmentEpoch: 1,
    assignedSeq: null,
    state: 'pending',
    stateSinceMs: nowMs,
    guestReady: false,
    reason: null,
    message: null,
    hostName: null,
    revision: 0,
    appliedGeneration: 0,
    timeline: { accepted: batch.createdAtMs },
  };
}
