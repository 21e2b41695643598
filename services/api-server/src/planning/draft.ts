import type { ClusterId, LinkCommand, Shape, SubnetId, VmId } from '@factory/contracts';
import { ID_PREFIXES } from '@factory/contracts';
import type { IdGenerator } from '@factory/runtime';
import { type Address, addressAt, takeAddresses, usableAddresses } from '../subnets/addresses.ts';
import { withCards } from '../subnets/cards.ts';
import type { VmRecord } from '../vms/store.ts';
import { assignmentOf, chunk, type SubnetsById, vmsPerCommand } from './assignments.ts';
import type { PlanningCard, PlanningOutcome, PlanningSnapshot, TakenAddress } from './store.ts';

type NumberedCommands = PlanningOutcome['commands'];

/** What a planning decision has put together so far. */
export class PlanDraft {
  readonly newVms: VmRecord[] = [];
  readonly changedVms: VmRecord[] = [];
  readonly takenAddresses: TakenAddress[] = [];
  readonly #commands: NumberedCommands[number][] = [];
  readonly #snapshot: PlanningSnapshot;
  readonly #newId: IdGenerator;
  readonly #lastSeq: Map<ClusterId, number>;
  readonly #subnets: SubnetsById;
  #cards: readonly PlanningCard[];

  constructor(snapshot: PlanningSnapshot, newId: IdGenerator) {
    this.#snapshot = snapshot;
    this.#newId = newId;
    this.#lastSeq = new Map(
      snapshot.clusters.map(({ id, lastCommandSeq }) => [id, lastCommandSeq]),
    );
    this.#cards = snapshot.cards;
    this.#subnets = new Map(snapshot.cards.map(({ subnet }) => [subnet.id, subnet]));
  }

  get commands(): NumberedCommands {
    return this.#commands;
  }

  get nextOffsets(): ReadonlyMap<SubnetId, number> {
    return new Map(this.#cards.map(({ subnet, pool }) => [subnet.id, pool.nextOffset]));
  }

  /** Appends to the cluster's command log; gives the command's number. */
  command(clusterId: ClusterId, command: LinkCommand): number {
    const seq = (this.#lastSeq.get(clusterId) ?? 0) + 1;
    this.#lastSeq.set(clusterId, seq);
    this.#commands.push({ clusterId, seq, command });
    return seq;
  }

  /**
   * New machines without a cluster and addresses, one of each shape, numbered on from the batch's
   * last one.
   */
  makeVms(shapes: readonly Shape[]): readonly VmRecord[] {
    const [first] = this.#snapshot.cards;
    if (first === undefined) throw new Error(`${this.#snapshot.batch.id} has no cards`);
    // Ids of one millisecond are in no order; sorted ones list the machines by their numbers.
    const ids = shapes.map(() => this.#newId(ID_PREFIXES.vm) as VmId).sort();
    const firstNumber = this.#snapshot.planned.count + this.newVms.length + 1;
    return shapes.flatMap((shape, index) => {
      const id = ids[index];
      if (id === undefined) return [];
      return [newVm(this.#snapshot, id, shape, first.subnet.id, firstNumber + index)];
    });
  }

  /** Whether so many machines can have addresses in all their subnets now. */
  hasAddressesFor(count: number): boolean {
    return this.#cards.every((card) => addressesOf(card, count).addresses.length >= count);
  }

  /**
   * Gives machines addresses in all their subnets, in their order, as long as there are some. The
   * others wait, and say for what.
   */
  giveAddresses(vms: readonly VmRecord[]): {
    readonly ready: readonly VmRecord[];
    readonly waiting: readonly VmRecord[];
  } {
    const lacking = vms.filter((vm) => vm.ipAddress === null);
    const most = this.#cards.map((card) => addressesOf(card, lacking.length).addresses.length);
    const count = Math.min(lacking.length, ...most);
    const taken = this.#cards.map((card) => addressesOf(card, count));
    this.#cards = this.#cards.map((card, index) => ({
      ...card,
      pool: taken[index]?.pool ?? card.pool,
    }));
    const given = new Map(
      lacking.slice(0, count).map((vm, index) => {
        const addresses = taken.flatMap((each) => each.addresses[index] ?? []);
        return [vm.id, this.#withAddresses(vm, addresses)] as const;
      }),
    );
    const ready = vms.flatMap((vm) => given.get(vm.id) ?? (vm.ipAddress === null ? [] : [vm]));
    const short = this.#cards[most.indexOf(Math.min(...most))];
    const message = short === undefined ? '' : describeFull(short);
    const waiting = lacking
      .slice(count)
      .map(
        (vm): VmRecord =>
          vm.message === message ? vm : { ...vm, reason: 'SUBNET_UNAVAILABLE', message },
      );
    return { ready, waiting };
  }

  /** Gives machines to a cluster, in commands of bounded size. */
  assign(vms: readonly VmRecord[], clusterId: ClusterId): readonly VmRecord[] {
    const { batch, nowMs } = this.#snapshot;
    const cluster = this.#snapshot.clusters.find(({ id }) => id === clusterId);
    const newest = cluster?.capacity?.imageVersions?.[batch.image] ?? null;
    const ofBatch = batch.imageVersion ?? newest;
    return chunk(vms, vmsPerCommand(batch, this.#subnets)).flatMap((piece) => {
      const assigned = piece.map(
        (vm): VmRecord => ({
          ...vm,
          clusterId,
          // One that is to be made of another image by now keeps that one.
          imageVersion: vm.imageGeneration > 0 ? vm.imageVersion : ofBatch,
          state: 'scheduled',
          stateSinceMs: nowMs,
          message: null,
          timeline: { ...vm.timeline, planned: nowMs },
        }),
      );
      const assignments = assigned.map((vm) => assignmentOf(vm, batch, this.#subnets));
      const seq = this.command(clusterId, { kind: 'assignVms', vms: assignments });
      return assigned.map((vm) => ({ ...vm, assignedSeq: seq }));
    });
  }

  #withAddresses(vm: VmRecord, addresses: readonly Address[]): VmRecord {
    const cards = addresses.flatMap(({ offset, ipAddress, macAddress }, index) => {
      const subnetId = this.#cards[index]?.subnet.id;
      if (subnetId === undefined) return [];
      this.takenAddresses.push({ subnetId, offset, vmId: vm.id });
      return [{ subnetId, addressOffset: offset, ipAddress, macAddress }];
    });
    return { ...withCards(vm, cards), reason: null, message: null };
  }
}

/** Up to `count` addresses for a card, and the pool without them. */
function addressesOf({ pool, asked }: PlanningCard, count: number) {
  if (asked === undefined) return takeAddresses(pool, count);
  const addresses = asked.isFree && count > 0 ? [addressAt(pool, asked.offset)] : [];
  return { addresses, pool };
}

/** Why a machine gets no address. */
function describeFull({ subnet, pool, asked }: PlanningCard): string {
  if (asked === undefined) {
    const inUse = usableAddresses(subnet.cidr);
    return `subnet ${subnet.name} has no free address (${inUse} in use)`;
  }
  const { ipAddress } = addressAt(pool, asked.offset);
  return `${ipAddress} in subnet ${subnet.name} is in use`;
}

function newVm(
  { batch, nowMs }: PlanningSnapshot,
  id: VmId,
  shape: Shape,
  subnetId: SubnetId,
  number: number,
): VmRecord {
  return {
    id,
    projectId: batch.projectId,
    batchId: batch.id,
    batchName: batch.name,
    name: `${batch.name}-${number}`,
    image: batch.image,
    imageVersion: null,
    imageGeneration: 0,
    vcpus: shape.vcpus,
    memoryMiB: shape.memoryMiB,
    diskGiB: batch.diskGiB,
    subnetId,
    addressOffset: null,
    ipAddress: null,
    macAddress: null,
    nics: [],
    createdAtMs: nowMs,
    desired: 'running',
    generation: 1,
    clusterId: null,
    assignmentEpoch: 1,
    assignedSeq: null,
    state: 'pending',
    stateSinceMs: nowMs,
    guestReady: false,
    guest: null,
    reason: null,
    message: null,
    hostName: null,
    revision: 0,
    appliedGeneration: 0,
    timeline: { accepted: batch.createdAtMs },
    volumes: batch.volumes,
    leavingVolumes: [],
    securityRules: null,
    wantsExternal: null,
    externalAddress: null,
    excluded: [],
  };
}
