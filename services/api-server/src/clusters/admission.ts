import type { ClusterCaps, ClusterGiven, Shape } from '@factory/contracts';

/** What bounds how much a cluster is given, beside its room. */
export interface Admission {
  readonly caps: ClusterCaps;
  readonly given: ClusterGiven;
}

/** What operators of a cluster allow; absent: whatever fits. */
type Bound = Admission | null | undefined;

/** How many more machines of a shape the caps allow; infinite without caps. Pure. */
export function machinesUnderCaps(bound: Bound, shape: Shape): number {
  if (bound == null) return Number.POSITIVE_INFINITY;
  const { caps, given } = bound;
  return Math.min(
    left(caps.vms, given.vms),
    Math.floor(left(caps.vcpus, given.vcpus) / shape.vcpus),
    Math.floor(left(caps.memoryMiB, given.memoryMiB) / shape.memoryMiB),
  );
}

/** How many more cores the caps allow, in machines of the shape that makes the most of them. Pure. */
export function coresUnderCaps(bound: Bound, shapes: readonly Shape[]): number {
  if (bound == null) return Number.POSITIVE_INFINITY;
  const byShape = shapes.map((shape) => machinesUnderCaps(bound, shape) * shape.vcpus);
  return Math.min(left(bound.caps.vcpus, bound.given.vcpus), Math.max(0, ...byShape));
}

/** `, its caps are 10 vms (10 given)`; empty without caps. */
export function describeCaps(bound: Bound): string {
  if (bound == null) return '';
  const { caps, given } = bound;
  const all = (['vms', 'vcpus', 'memoryMiB'] as const).flatMap((name) =>
    caps[name] === undefined ? [] : [`${caps[name]} ${name} (${given[name]} given)`],
  );
  return all.length === 0 ? '' : `, its caps are ${all.join(', ')}`;
}

/** The same after more was given. Pure. */
export function withGiven(admission: Admission, more: ClusterGiven): Admission {
  const { vms, vcpus, memoryMiB } = admission.given;
  return {
    ...admission,
    given: {
      vms: vms + more.vms,
      vcpus: vcpus + more.vcpus,
      memoryMiB: memoryMiB + more.memoryMiB,
    },
  };
}

function left(cap: number | undefined, given: number): number {
  return cap === undefined ? Number.POSITIVE_INFINITY : Math.max(0, cap - given);
}
