import {
  type Capacity,
  type ClusterId,
  imageNameOf,
  reachableTotals,
  type Shape,
} from '@factory/contracts';
import {
  type Admission,
  coresUnderCaps,
  describeCaps,
  machinesUnderCaps,
} from '../clusters/admission.ts';
import { hasImage } from '../images/choose.ts';
import { describeLack, machinesFitting, plural, type Room, roomsOf } from './rooms.ts';
import {
  describeScarce,
  describeUnmet,
  type HostWishes,
  hostsAsRequired,
  scarceNeed,
} from './wishes.ts';

/** What a choice between clusters depends on. */
export interface Candidate {
  readonly id: ClusterId;
  readonly name: string;
  readonly isConnected: boolean;
  /** In words, after its name, why it is no choice at all; absent: it is one. */
  readonly refusal?: string;
  /** It goes before those that are not, whatever room they have. */
  readonly isPreferred?: boolean;
  readonly capacity: Capacity | null;
  /** Promised by us, and not yet in `capacity`. */
  readonly unseenVcpus: number;
  readonly unseenMemoryMiB: number;
  /** Of that, what is kept for others that have waited longer. */
  readonly keptVcpus?: number;
  /** What bounds it beside its room; absent: nothing. */
  readonly admission?: Admission | null;
}

/** What machines are made from. */
interface ImageDemand {
  readonly image: string;
  /** Null: any. */
  readonly imageVersion: string | null;
}

/** Equal machines that need a place. */
export interface MachineDemand extends ImageDemand {
  readonly wishes: HostWishes;
  readonly shape: Shape;
  readonly count: number;
  /** All that the batch has, for the reason. */
  readonly outOf: number;
}

/** Cores that need a place, in machines of these shapes. */
export interface CoreDemand extends ImageDemand {
  readonly wishes: HostWishes;
  readonly shapes: readonly Shape[];
  readonly totalVcpus: number;
  /** All that the batch has, for the reason. */
  readonly outOf: number;
}

/** Who gets how much: machines or cores, as was asked. */
export interface Selection {
  readonly shares: readonly { readonly clusterId: ClusterId; readonly amount: number }[];
  readonly unplaced: number;
  /** In words, with counts, why some are not placed; `null` when all are. */
  readonly reason: string | null;
}

/** A cluster may be chosen for what it has; or it may not, and this is why. */
interface Assessment {
  readonly candidate: Candidate;
  /** How much of the demand fits. */
  readonly fits: number;
  /** About a cluster that can't take all. */
  readonly remark: string;
  /** Why it is no choice at all. */
  readonly refusal?: string;
}

/**
 * Chooses clusters for equal machines: the roomiest that can take all of them; when none can, the
 * roomiest first and the rest to the next. Pure; ties go by name.
 */
export function selectForMachines(
  demand: MachineDemand,
  candidates: readonly Candidate[],
): Selection {
  const assessments = candidates.map((candidate) =>
    assess(candidate, demand, (capacity) => {
      const rooms = roomsFor(demand.wishes, candidate, capacity);
      const fits = Math.min(
        machinesOn(rooms, demand),
        machinesUnderCaps(candidate.admission, demand.shape),
      );
      const lack = describeLack(rooms, demand.shape);
      const unmet = describeUnmet(demand.wishes, capacity.hosts);
      const scarce = describeScarce(demand.wishes, demand.shape, capacity.hosts);
      const capped = describeCaps(candidate.admission);
      const remark = `${candidate.name} has room for ${fits} (${lack}${unmet}${scarce}${capped})`;
      return { fits, remark };
    }),
  );
  // What shares a host can't be divided between clusters.
  const isWhole = demand.wishes.group?.rule === 'affinity';
  const able = isWhole ? assessments.filter(({ fits }) => fits >= demand.count) : assessments;
  const shares = fillRoomiestFirst(able, demand.count);
  const unplaced = demand.count - total(shares);
  if (unplaced === 0) return { shares, unplaced, reason: null };
  const { vcpus, memoryMiB } = demand.shape;
  const size = `${vcpus} vCPU and ${memoryMiB} MiB`;
  const what = `${unplaced} of ${plural(demand.outOf, 'machine')} with ${size}`;
  return { shares, unplaced, reason: explain(what, assessments) };
}

/**
 * Chooses clusters for a number of cores, like {@link selectForMachines}. A share is always a sum
 * of the shapes, and so is what it leaves to the others, wherever the shapes allow it.
 */
export function selectForCores(demand: CoreDemand, candidates: readonly Candidate[]): Selection {
  const isReachable = reachableTotals(demand.totalVcpus, demand.shapes);
  const assessments = candidates.map((candidate) =>
    assess(candidate, demand, (capacity) => {
      const rooms = roomsFor(demand.wishes, candidate, capacity);
      const inRooms = rooms.reduce((sum, room) => sum + coresFitting(room, demand), 0);
      const fits = Math.min(inRooms, coresUnderCaps(candidate.admission, demand.shapes));
      const unmet = describeUnmet(demand.wishes, capacity.hosts);
      const smallest = demand.shapes.toSorted((a, b) => a.vcpus - b.vcpus)[0];
      const scarce = smallest ? describeScarce(demand.wishes, smallest, capacity.hosts) : '';
      const room = `room for ${plural(fits, 'core')}`;
      return { fits, remark: `${candidate.name} has ${room}${unmet}${scarce}` };
    }),
  );
  const shares: { clusterId: ClusterId; amount: number }[] = [];
  let left = demand.totalVcpus;
  for (const { candidate, fits } of roomiestFirst(assessments)) {
    const amount = largestShare(Math.min(fits, left), left, isReachable);
    if (amount > 0) shares.push({ clusterId: candidate.id, amount });
    left -= amount;
  }
  if (left === 0) return { shares, unplaced: 0, reason: null };
  const what = `${left} of ${plural(demand.outOf, 'core')}`;
  return { shares, unplaced: left, reason: explain(what, assessments) };
}

function largestShare(most: number, left: number, isReachable: readonly boolean[]): number {
  for (let amount = most; amount > 0; amount -= 1) {
    if (isReachable[amount] === true && isReachable[left - amount] === true) return amount;
  }
  return 0;
}

/** Cores of a room that machines of one of the shapes can use: a bound from below. */
function coresFitting(room: Room, { shapes, wishes }: CoreDemand): number {
  const byShape = shapes.map(
    (shape) => machinesFitting(room, shape, scarceNeed(wishes, shape)) * shape.vcpus,
  );
  return Math.max(0, ...byShape);
}

/** The rooms of hosts that are as required, net of what is promised. */
function roomsFor(wishes: HostWishes, candidate: Candidate, capacity: Capacity): readonly Room[] {
  const hosts = hostsAsRequired(wishes, capacity.hosts);
  return roomsOf({ ...capacity, hosts: [...hosts] }, promisedOf(candidate, capacity));
}

/** How many machines fit, at most one a host or all on one, if they are to be so. */
function machinesOn(rooms: readonly Room[], { shape, wishes }: MachineDemand): number {
  const scarce = scarceNeed(wishes, shape);
  const each = rooms.map((room) => machinesFitting(room, shape, scarce));
  switch (wishes.group?.rule) {
    case 'affinity':
      return Math.max(0, ...each);
    case 'anti-affinity':
      return each.filter((fits) => fits > 0).length;
    case undefined:
      return each.reduce((sum, fits) => sum + fits, 0);
  }
}

/** What is taken already of a cluster's room, by its own word and by ours. */
export function promisedOf(
  candidate: Pick<Candidate, 'unseenVcpus' | 'unseenMemoryMiB'>,
  capacity: Capacity,
) {
  return {
    vcpus: candidate.unseenVcpus + capacity.promisedVcpus,
    memoryMiB: candidate.unseenMemoryMiB + capacity.promisedMemoryMiB,
  };
}

function assess(
  candidate: Candidate,
  demand: ImageDemand,
  measure: (capacity: Capacity) => { readonly fits: number; readonly remark: string },
): Assessment {
  const unfit = (remark: string): Assessment => ({ candidate, fits: 0, remark });
  const { name, capacity, isConnected, refusal, keptVcpus = 0 } = candidate;
  if (refusal !== undefined) return { ...unfit(`${name} ${refusal}`), refusal };
  if (!isConnected) return unfit(`${name} is not connected`);
  if (capacity === null) return unfit(`${name} has not reported its capacity yet`);
  if (!hasImage(capacity, demand)) return unfit(`${name} lacks the image ${imageInWords(demand)}`);
  const { fits, remark } = measure(capacity);
  const kept = keptVcpus === 0 ? '' : `, ${plural(keptVcpus, 'vCPU')} kept for who waits longer`;
  return { candidate, fits, remark: `${remark}${kept}` };
}

function imageInWords({ image, imageVersion }: ImageDemand): string {
  const name = imageNameOf(image);
  return imageVersion === null ? name : `${name}@${imageVersion.slice(0, 12)}`;
}

function roomiestFirst(assessments: readonly Assessment[]): readonly Assessment[] {
  const rank = ({ candidate }: Assessment): number => (candidate.isPreferred === true ? 0 : 1);
  return assessments.toSorted(
    (a, b) =>
      rank(a) - rank(b) || b.fits - a.fits || (a.candidate.name < b.candidate.name ? -1 : 1),
  );
}

function fillRoomiestFirst(assessments: readonly Assessment[], count: number) {
  const shares: { clusterId: ClusterId; amount: number }[] = [];
  let left = count;
  for (const { candidate, fits } of roomiestFirst(assessments)) {
    const amount = Math.min(fits, left);
    if (amount > 0) shares.push({ clusterId: candidate.id, amount });
    left -= amount;
  }
  return shares;
}

function total(shares: readonly { readonly amount: number }[]): number {
  return shares.reduce((sum, share) => sum + share.amount, 0);
}

/** Clusters named in a reason; more are only counted. */
const NAMED_MAX = 5;

function explain(what: string, assessments: readonly Assessment[]): string {
  if (assessments.length === 0) return `${what} fit nowhere: no cluster is enrolled.`;
  const open = assessments.filter(({ refusal }) => refusal === undefined);
  const named = roomiestFirst(open).slice(0, NAMED_MAX);
  const more = open.length - named.length;
  const remarks = named.map((assessment) => assessment.remark);
  if (more > 0) remarks.push(`${more} more clusters are full too`);
  const refused = Map.groupBy(assessments, ({ refusal }) => refusal ?? '');
  for (const [refusal, alike] of refused) {
    const [first] = alike;
    if (refusal === '' || first === undefined) continue;
    remarks.push(alike.length === 1 ? first.remark : `each of ${alike.length} clusters ${refusal}`);
  }
  return `${what} fit nowhere at present: ${remarks.join('; ')}.`;
}
