import {
  addResources,
  persistenceIdsProblem,
  type Resource,
  type Resources,
  resourceFormProblem,
} from '../../protocol/index.ts';

/**
 * What is wrong with the resources of a task or an executor, in Mesos' words, or `undefined`.
 * @param owner how its name begins a sentence.
 */
export function ownResourcesProblem(
  owner: 'Task' | 'Executor',
  resources: Resources,
): string | undefined {
  const invalid = resourceFormProblem(resources);
  if (invalid !== undefined) return `${owner} uses invalid resources: ${invalid}`;
  const duplicate = persistenceIdsProblem(resources);
  if (duplicate !== undefined) return `${owner} uses duplicate persistence ID: ${duplicate}`;
  const roles = rolesProblem(resources);
  if (roles !== undefined) return `Invalid ${owner.toLowerCase()} resources: ${roles}`;
  const mixed = mixedProblem(resources);
  return mixed && `${owner} mixes revocable and non-revocable resources: ${mixed}`;
}

/** What is wrong with resources that are fine each by itself when they are used together. */
export function jointResourcesProblem(
  owners: 'Task and its executor' | 'Task group and executor',
  parts: readonly Resources[],
): string | undefined {
  if (parts.every((part) => part.every(isPlain))) return undefined;
  const all = parts.flat();
  const duplicate = persistenceIdsProblem(all);
  if (duplicate !== undefined) return `${owners} use duplicate persistence ID: ${duplicate}`;
  const mixed = mixedProblem(all);
  return mixed && `${owners} mix revocable and non-revocable resources: ${mixed}`;
}

/** Whether a port, or an item of a set, is in two of the parts: only one of them could have it. */
export function haveOverlap(parts: readonly Resources[]): boolean {
  if (parts.every((part) => part.every(isScalar))) return false;
  const each = parts.map((part) => addResources([], part.filter(isCountable)));
  const together = addResources([], each.flat());
  return countOf(each.flat()) !== countOf(together);
}

/** Nothing that two could be at odds about; most resources are like this. */
function isPlain({ disk, revocable }: Resource): boolean {
  return disk === undefined && revocable === undefined;
}

function isScalar({ type }: Resource): boolean {
  return type === 'SCALAR';
}

/** Shared resources are there for many. */
function isCountable({ type, shared }: Resource): boolean {
  return (type === 'RANGES' || type === 'SET') && shared === undefined;
}

function countOf(resources: Resources): number {
  let count = 0;
  for (const { ranges, set } of resources) {
    for (const { begin, end } of ranges?.range ?? []) count += end - begin + 1;
    count += set?.item?.length ?? 0;
  }
  return count;
}

function rolesProblem(resources: Resources): string | undefined {
  const role = resources[0]?.allocation_info?.role;
  const other = resources.find(({ allocation_info }) => allocation_info?.role !== role);
  return (
    other &&
    `The resources have multiple allocation roles ('${other.allocation_info?.role}' and ` +
      `'${role}') but only one allocation role is allowed`
  );
}

/** Revocable resources are taken back at any time: what else would the amount mean? */
function mixedProblem(resources: Resources): string | undefined {
  const revocable = resources.filter((resource) => resource.revocable !== undefined);
  if (revocable.length === 0 || revocable.length === resources.length) return undefined;
  const names = new Set(revocable.map(({ name }) => name));
  const both = resources.find((each) => each.revocable === undefined && names.has(each.name));
  return both && `Cannot use both revocable and non-revocable '${both.name}' at the same time`;
}
