import type { ClusterCaps, ClusterGiven, Shape } from '@factory/contracts';

/** What bounds how much a cluster is given, beside its room. */
export interface Admission {
  readonly caps: ClusterCaps;
  readonly given: ClusterGiven;
}

/** How many more machines of a shape its caps allow; infinite without caps. Pure. */
export function machinesUnderCaps({ caps, given }: Admission, shape: Shape): number {
  const byCap = [
    left(caps.vms, given.vms),
    Math.floor(left(caps.vcpus, given.vcpus) / shape.vcpus),
    Math.floor(left(caps.memoryMiB, given.memoryMiB) / shape.memoryMiB),
  ];
  return Math.max(0, Math.min(...byCap));
}

/** How many more cores its caps allow, in machines of the shape that takes most of them. Pure. */
export function coresUnderCaps(admission: Admission, shapes: readonly Shape[]): number {
  const byShape = shapes.map((shape) => machinesUnderCaps(admission, shape) * shape.vcpus);
  return Math.min(left(admission.caps.vcpus, admission.given.vcpus), Math.max(0, ...byShape));
}

function left(cap: number | undefined, given: number): number {
  return cap === undefined ? Number.POSITIVE_INFINITY : Math.max(0, cap - given);
}
