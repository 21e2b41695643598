import type { OfferOperation, Resource, ValueScalar } from './messages.ts';
import { reservationsOf } from './resource-identity.ts';
import { formatBeginning } from './resource-text.ts';
import { resourceCountProblem } from './resource-validation.ts';
import {
  addResources,
  containsResources,
  isDynamicallyReserved,
  popReservation,
  type Resources,
  subtractResources,
  unallocateResources,
} from './resources.ts';
import { addScalars, subtractScalars } from './values.ts';

/** Some resources become others; amounts stay, kinds change. */
export interface ResourceConversion {
  readonly consumed: Resources;
  readonly converted: Resources;
}

/** What came of conversions, or why they can't be made, in Mesos' words. */
export type Converted =
  | { readonly resources: Resources; readonly problem?: undefined }
  | { readonly problem: string; readonly resources?: undefined };

/**
 * What an offer operation does to an agent's resources: in the order in which it happens. Empty for
 * operations that change none (launches), and for those on disks of resource providers.
 */
export function conversionsOf(operation: OfferOperation): readonly ResourceConversion[] {
  switch (operation.type) {
    case 'RESERVE': {
      const { source = [], resources = [] } = operation.reserve;
      if (source.length > 0) return [{ consumed: source, converted: resources }];
      return resources.map((to) => ({ consumed: popReservation([to]), converted: [to] }));
    }
    case 'UNRESERVE':
      return (operation.unreserve.resources ?? []).map((from) => ({
        consumed: [from],
        converted: popReservation([from]),
      }));
    case 'CREATE':
      return (operation.create.volumes ?? []).map((volume) => ({
        consumed: [withoutPersistence(volume)],
        converted: [volume],
      }));
    case 'DESTROY':
      return (operation.destroy.volumes ?? []).map((volume) => ({
        consumed: [volume],
        converted: [withoutPersistence(volume)],
      }));
    case 'GROW_VOLUME': {
      const { volume, addition } = operation.grow_volume;
      const scalar = sum(volume.scalar, addition.scalar);
      return [{ consumed: [volume, addition], converted: [{ ...volume, scalar }] }];
    }
    case 'SHRINK_VOLUME': {
      const { volume, subtract } = operation.shrink_volume;
      const left = subtractScalars(volume.scalar?.value ?? 0, subtract.value);
      const shrunk = { ...volume, scalar: { value: left } };
      const freed = { ...withoutPersistence(volume), scalar: subtract };
      return [{ consumed: [volume], converted: [shrunk, freed] }];
    }
    case 'UNKNOWN':
    case 'LAUNCH':
    case 'LAUNCH_GROUP':
    case 'CREATE_DISK':
    case 'DESTROY_DISK':
      return [];
  }
}

/** What an offer operation takes, before anything comes of it. */
export function consumedBy(operation: OfferOperation): Resources {
  return conversionsOf(operation).flatMap(({ consumed }) => consumed);
}

function sum(a: ValueScalar | undefined, b: ValueScalar | undefined): ValueScalar {
  return { value: addScalars(a?.value ?? 0, b?.value ?? 0) };
}

/** Makes the conversions one after the other: all of them or none. */
export function applyConversions(
  resources: Resources,
  conversions: readonly ResourceConversion[],
): Converted {
  return convertedTogether(resources, conversions) ?? convertedInTurn(resources, conversions);
}

/**
 * The same in one step, where none needs what another one gives: one RESERVE may name hundreds of
 * resources. `undefined` where there is more to it.
 */
function convertedTogether(
  resources: Resources,
  conversions: readonly ResourceConversion[],
): Converted | undefined {
  if (conversions.length < 2) return undefined;
  const consumed = addResources(
    [],
    conversions.flatMap((each) => each.consumed),
  );
  if (!containsResources(resources, consumed)) return undefined;
  const converted = conversions.flatMap((each) => each.converted);
  const result = addResources(subtractResources(resources, consumed), converted);
  return resourceCountProblem(result) === undefined ? { resources: result } : undefined;
}

function convertedInTurn(
  resources: Resources,
  conversions: readonly ResourceConversion[],
): Converted {
  let result = resources;
  for (const { consumed, converted } of conversions) {
    if (!containsResources(result, consumed)) {
      const missing = formatBeginning(consumed);
      return { problem: `${formatBeginning(result)} does not contain ${missing}` };
    }
    const next = addResources(subtractResources(result, consumed), converted);
    // Each reservation with labels of its own is one more: an agent could be cut into crumbs.
    const excess = next.length > result.length ? resourceCountProblem(next) : undefined;
    if (excess !== undefined) return { problem: excess };
    result = next;
  }
  return { resources: result };
}

/** The conversions that undo these. */
export function invertConversions(
  conversions: readonly ResourceConversion[],
): readonly ResourceConversion[] {
  return conversions
    .toReversed()
    .map(({ consumed, converted }) => ({ consumed: converted, converted: consumed }));
}

/** The conversions as they are for resources that carry no allocation marks. */
export function unallocateConversions(
  conversions: readonly ResourceConversion[],
): readonly ResourceConversion[] {
  return conversions.map(({ consumed, converted }) => ({
    consumed: unallocateResources(consumed),
    converted: unallocateResources(converted),
  }));
}

/** The disk that a persistent volume is made of, and becomes again when it is destroyed. */
export function withoutPersistence(volume: Resource): Resource {
  const { disk, shared: _, ...rest } = volume;
  return disk?.source === undefined ? rest : { ...rest, disk: { source: disk.source } };
}

/** Whether the resource is a volume whose content outlives tasks. */
export function isPersistentVolume(resource: Resource): boolean {
  return resource.disk?.persistence !== undefined;
}

/** Whether the resource exists only because of an operation, so that the agent must remember it. */
export function needsCheckpoint(resource: Resource): boolean {
  if (resource.provider_id !== undefined) return false;
  return isDynamicallyReserved(resource) || isPersistentVolume(resource);
}

/**
 * An agent's total: what its flags say, with what operations made of it before.
 * @param checkpointed resources of which {@link needsCheckpoint} is true.
 */
export function applyCheckpointed(base: Resources, checkpointed: Resources): Converted {
  let total = base;
  for (const resource of checkpointed) {
    const from = [asConfigured(resource)];
    if (!containsResources(total, from)) {
      const missing = formatBeginning(from);
      const has = formatBeginning(total);
      return { problem: `Incompatible agent resources: ${has} does not contain ${missing}` };
    }
    total = addResources(subtractResources(total, from), [resource]);
  }
  return { resources: total };
}

/** The resource as it can stand in flags: at most a static reservation, and no volume. */
function asConfigured(resource: Resource): Resource {
  const { reservations: _, role: __, reservation: ___, ...rest } = withoutPersistence(resource);
  const [outermost] = reservationsOf(resource);
  return outermost?.type === 'STATIC' ? { ...rest, reservations: [outermost] } : rest;
}
