import type { OfferOperation } from '../protocol/index.ts';

/** What is done in one turn of the event loop, in tasks: 3 to 10 ms. */
const PORTION_COST = 250;
/** A change of an agent's resources takes as long as so many tasks where they are in many pieces. */
const CONVERSION_COST = 10;

/**
 * The operations in portions that don't take long each: a LAUNCH of very many tasks becomes several.
 * A group is launched as a whole or not at all. Pure.
 */
export function portionsOf(
  operations: readonly OfferOperation[],
): readonly (readonly OfferOperation[])[] {
  const portions: OfferOperation[][] = [];
  let left = 0;
  for (const part of operations.flatMap(partsOf)) {
    const cost = costOf(part);
    const portion = cost <= left ? portions.at(-1) : undefined;
    if (portion === undefined) {
      portions.push([part]);
      left = PORTION_COST - cost;
    } else {
      portion.push(part);
      left -= cost;
    }
  }
  return portions;
}

/** What an operation takes, in tasks. */
function costOf(operation: OfferOperation): number {
  switch (operation.type) {
    case 'LAUNCH':
      return operation.launch.task_infos?.length ?? 0;
    case 'LAUNCH_GROUP':
      return operation.launch_group.task_group.tasks?.length ?? 0;
    case 'RESERVE':
      return CONVERSION_COST * (operation.reserve.resources?.length ?? 0);
    case 'UNRESERVE':
      return CONVERSION_COST * (operation.unreserve.resources?.length ?? 0);
    case 'CREATE':
      return CONVERSION_COST * (operation.create.volumes?.length ?? 0);
    case 'DESTROY':
      return CONVERSION_COST * (operation.destroy.volumes?.length ?? 0);
    default:
      return CONVERSION_COST;
  }
}

function partsOf(operation: OfferOperation): readonly OfferOperation[] {
  if (costOf(operation) <= PORTION_COST || operation.type !== 'LAUNCH') return [operation];
  const { task_infos: tasks = [] } = operation.launch;
  const parts = Math.ceil(tasks.length / PORTION_COST);
  return Array.from({ length: parts }, (_, index) => {
    const from = index * PORTION_COST;
    return { ...operation, launch: { task_infos: tasks.slice(from, from + PORTION_COST) } };
  });
}
