import type { OfferOperation, Resource, Resources } from '../../protocol/index.ts';
import { toRefinedFormat } from '../../protocol/index.ts';

/**
 * An operation in our form: resources in the refined format and, where `role` is given, with the
 * mark of the role that the offer was made to. Marks that the framework set itself stay, to be found
 * wrong where they are. Pure.
 */
export function inOurForm(operation: OfferOperation, role?: string): OfferOperation {
  const one = (resource: Resource): Resource => {
    const [refined = resource] = toRefinedFormat([resource]);
    if (role === undefined || refined.allocation_info?.role !== undefined) return refined;
    return { ...refined, allocation_info: { role } };
  };
  const all = (resources: Resources | undefined): Resources => (resources ?? []).map(one);
  switch (operation.type) {
    case 'RESERVE': {
      const { source, resources } = operation.reserve;
      const reserve = {
        resources: all(resources),
        ...(source === undefined ? {} : { source: all(source) }),
      };
      return { ...operation, reserve };
    }
    case 'UNRESERVE':
      return { ...operation, unreserve: { resources: all(operation.unreserve.resources) } };
    case 'CREATE':
      return { ...operation, create: { volumes: all(operation.create.volumes) } };
    case 'DESTROY':
      return { ...operation, destroy: { volumes: all(operation.destroy.volumes) } };
    case 'GROW_VOLUME': {
      const { volume, addition } = operation.grow_volume;
      return { ...operation, grow_volume: { volume: one(volume), addition: one(addition) } };
    }
    case 'SHRINK_VOLUME': {
      const { volume, subtract } = operation.shrink_volume;
      return { ...operation, shrink_volume: { volume: one(volume), subtract } };
    }
    case 'UNKNOWN':
    case 'LAUNCH':
    case 'LAUNCH_GROUP':
    case 'CREATE_DISK':
    case 'DESTROY_DISK':
      return operation;
  }
}
