import {
  addResources,
  containsResources,
  formatResource,
  formatResources,
  isDynamicallyReserved,
  isPersistentVolume,
  type OfferOperation,
  persistenceIdsProblem,
  persistentVolumesProblem,
  type Resource,
  type Resources,
  reservationRole,
  reservationsOf,
  resourceFormProblem,
  toUnits,
  unallocateResources,
  withoutPersistence,
} from '../../protocol/index.ts';

type Of<T extends OfferOperation['type']> = Extract<OfferOperation, { type: T }>;

/** What an operation is checked against. */
export interface OperationContext {
  /** Who asks for it; `undefined` when nobody said. */
  readonly principal: string | undefined;
  /** The framework that asks for it; `undefined` for operators. */
  readonly framework:
    | {
        readonly id: string;
        readonly roles: readonly string[];
        /** It knows of SHARED_RESOURCES. */
        readonly sharesResources: boolean;
      }
    | undefined;
  /** All that the agent has. */
  readonly total: Resources;
  /** What its tasks and executors use. */
  readonly used: Resources;
}

/**
 * Why the operation is not in order, in Mesos' words, or `undefined`. Whether its resources are
 * there is not looked at: `applyConversions` says so. Its resources are in our form. Pure.
 */
export function operationProblem(
  operation: OfferOperation,
  context: OperationContext,
): string | undefined {
  switch (operation.type) {
    case 'RESERVE':
      return reserveProblem(operation, context);
    case 'UNRESERVE':
      return unreserveProblem(operation.unreserve.resources ?? []);
    case 'CREATE':
      return createProblem(operation.create.volumes ?? [], context);
    case 'DESTROY':
      return destroyProblem(operation.destroy.volumes ?? [], context);
    case 'GROW_VOLUME':
      return growProblem(operation);
    case 'SHRINK_VOLUME':
      return shrinkProblem(operation);
    case 'CREATE_DISK':
    case 'DESTROY_DISK':
      return "'source' is not managed by a resource provider";
    case 'UNKNOWN':
    case 'LAUNCH':
    case 'LAUNCH_GROUP':
      return `Operation ${operation.type} is not supported`;
  }
}

function reserveProblem({ reserve }: Of<'RESERVE'>, context: OperationContext): string | undefined {
  const { source = [], resources = [] } = reserve;
  const invalid = resourceFormProblem(resources);
  if (invalid !== undefined) return `Invalid resources: ${invalid}`;
  const problem =
    (source.length === 0 ? undefined : sourceProblem(source, resources)) ??
    firstProblem(resources, (each) => reservedProblem(each, context));
  if (problem !== undefined || context.framework === undefined) return problem;
  const mixed = singleRoleProblem(resources);
  return mixed && `Invalid reservation resources: ${mixed}`;
}

/** A RESERVE from named resources may change several levels of reservations at once. */
function sourceProblem(source: Resources, target: Resources): string | undefined {
  const invalid = resourceFormProblem(source) ?? mixedReservationsProblem(source);
  if (invalid !== undefined) return `Invalid source: ${invalid}`;
  const mixed = mixedReservationsProblem(target);
  if (mixed !== undefined) return `Invalid resources: ${mixed}`;
  const [from, to] = [source, target].map(toUnreserved);
  if (from === undefined || to === undefined) return undefined;
  if (containsResources(from, to) && containsResources(to, from)) return undefined;
  return (
    'Source and target resources should refer to identical resource quantities: ' +
    `${formatResources(from)} vs. ${formatResources(to)}`
  );
}

function mixedReservationsProblem(resources: Resources): string | undefined {
  if (resources.length === 0) return 'Resource cannot be empty';
  const kinds = new Set(resources.map((each) => JSON.stringify(reservationsOf(each))));
  return kinds.size === 1
    ? undefined
    : `Mixed reservations are not supported: ${formatResources(resources)}`;
}

function toUnreserved(resources: Resources): Resources {
  return addResources(
    [],
    resources.map(({ role: _, reservation: __, reservations: ___, ...rest }) => rest),
  );
}

function reservedProblem(resource: Resource, context: OperationContext): string | undefined {
  if (!isDynamicallyReserved(resource)) {
    return `Resource ${formatResource(resource)} is not dynamically reserved`;
  }
  if (isPersistentVolume(resource)) {
    return `A persistent volume ${formatResource(resource)} must already be reserved`;
  }
  return principalProblem(resource, context.principal) ?? reservedRoleProblem(resource, context);
}

function principalProblem(resource: Resource, principal: string | undefined): string | undefined {
  if (principal === undefined) return undefined;
  const reserved = reservationsOf(resource).at(-1)?.principal;
  if (reserved === undefined) {
    return (
      `A reserve operation was attempted by principal '${principal}', but there is a reserved ` +
      'resource in the request with no principal set'
    );
  }
  if (reserved === principal) return undefined;
  return (
    `A reserve operation was attempted by authenticated principal '${principal}', which does not ` +
    `match a reserved resource in the request with principal '${reserved}'`
  );
}

/** Frameworks reserve what they were offered, for the role that it was offered to. */
function reservedRoleProblem(
  resource: Resource,
  { framework }: OperationContext,
): string | undefined {
  const allocated = resource.allocation_info?.role;
  if (framework === undefined) {
    return allocated === undefined
      ? undefined
      : 'A reserve operation was attempted with an allocated resource, but the operator API only ' +
          'allows reservations to be made to unallocated resources';
  }
  const role = reservationRole(resource);
  if (allocated !== role) {
    return (
      `A reserve operation was attempted for a resource with role '${role}', but the resource was ` +
      `allocated to role '${allocated}'`
    );
  }
  if (framework.roles.includes(role)) return undefined;
  return (
    `A reserve operation was attempted for a resource allocated to role '${role}', but the ` +
    `framework only has roles '{ ${framework.roles.join(', ')} }'`
  );
}

function unreserveProblem(resources: Resources): string | undefined {
  const invalid = resourceFormProblem(resources);
  if (invalid !== undefined) return `Invalid resources: ${invalid}`;
  return firstProblem(resources, (resource) => {
    if (!isDynamicallyReserved(resource)) {
      return `Resource ${formatResource(resource)} is not dynamically reserved`;
    }
    if (!isPersistentVolume(resource)) return undefined;
    return (
      `A dynamically reserved persistent volume ${formatResource(resource)} cannot be unreserved ` +
      'directly. Please destroy the persistent volume first then unreserve the resource'
    );
  });
}

function createProblem(volumes: Resources, context: OperationContext): string | undefined {
  const problem =
    volumesProblem(volumes) ??
    persistenceIdsProblem([...context.total, ...volumes]) ??
    firstProblem(volumes, (volume) => createdProblem(volume, context));
  if (problem !== undefined || context.framework === undefined) return problem;
  const mixed = singleRoleProblem(volumes);
  return mixed && `Invalid volume resources: ${mixed}`;
}

function createdProblem(
  volume: Resource,
  { principal, framework }: OperationContext,
): string | undefined {
  if (framework !== undefined && volume.shared !== undefined && !framework.sharesResources) {
    return (
      `Create volume operation for '${formatResource(volume)}' has been attempted by framework ` +
      `'${framework.id}' with no SHARED_RESOURCES capability`
    );
  }
  if (principal === undefined) return undefined;
  const owner = volume.disk?.persistence?.principal;
  if (owner === undefined) {
    return (
      `Create volume operation attempted by principal '${principal}', but there is a volume in ` +
      "the operation with no principal set in 'disk.persistence'"
    );
  }
  if (owner === principal) return undefined;
  return (
    `Create volume operation attempted by authenticated principal '${principal}', which does not ` +
    `match a volume in the operation with principal '${owner}' set in 'disk.persistence'`
  );
}

function destroyProblem(
  allocated: Resources,
  { total, used }: OperationContext,
): string | undefined {
  const volumes = unallocateResources(allocated);
  const problem = volumesProblem(volumes);
  if (problem !== undefined) return problem;
  if (volumes.some((volume) => !containsResources(total, [volume]))) {
    return 'Persistent volumes not found';
  }
  return volumes.some((volume) => containsResources(used, [volume]))
    ? 'Persistent volumes in use'
    : undefined;
}

function growProblem({ grow_volume }: Of<'GROW_VOLUME'>): string | undefined {
  const { volume, addition } = grow_volume;
  const invalid = resourceFormProblem([volume]);
  if (invalid !== undefined) return `Invalid resource in the 'GrowVolume.volume' field: ${invalid}`;
  const invalidAddition = resourceFormProblem([addition]);
  if (invalidAddition !== undefined) {
    return `Invalid resource in the 'GrowVolume.addition' field: ${invalidAddition}`;
  }
  if (toUnits(addition.scalar?.value ?? 0) <= 0) {
    return "The size of 'GrowVolume.addition' field must be greater than zero";
  }
  const other = persistentVolumesProblem([volume]);
  if (other !== undefined) {
    return `Invalid persistent volume in the 'GrowVolume.volume' field: ${other}`;
  }
  if (volume.shared !== undefined) return 'Growing a shared persistent volume is not supported';
  // Only what could be one resource with the volume's own disk can be added to it.
  return addResources([withoutPersistence(volume)], [addition]).length === 1
    ? undefined
    : "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields";
}

function shrinkProblem({ shrink_volume }: Of<'SHRINK_VOLUME'>): string | undefined {
  const { volume, subtract } = shrink_volume;
  const invalid = resourceFormProblem([volume]);
  if (invalid !== undefined) {
    return `Invalid resource in the 'ShrinkVolume.volume' field: ${invalid}`;
  }
  if (!(toUnits(subtract.value) > 0)) {
    return "Value of 'ShrinkVolume.subtract' must be greater than zero";
  }
  if (toUnits(volume.scalar?.value ?? 0) <= toUnits(subtract.value)) {
    return "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'";
  }
  if (volume.disk?.source?.type === 'MOUNT') {
    return 'Shrinking a volume on a MOUNT disk is not supported';
  }
  const other = persistentVolumesProblem([volume]);
  if (other !== undefined) {
    return `Invalid persistent volume in the 'ShrinkVolume.volume' field: ${other}`;
  }
  return volume.shared === undefined
    ? undefined
    : 'Shrinking a shared persistent volume is not supported';
}

function volumesProblem(volumes: Resources): string | undefined {
  const invalid = resourceFormProblem(volumes);
  if (invalid !== undefined) return `Invalid resources: ${invalid}`;
  const other = persistentVolumesProblem(volumes);
  return other && `Not a persistent volume: ${other}`;
}

function singleRoleProblem(resources: Resources): string | undefined {
  const roles = new Set(resources.map(({ allocation_info }) => allocation_info?.role));
  if (roles.has(undefined)) return 'The resources are not allocated to a role';
  return roles.size <= 1
    ? undefined
    : `The resources have multiple allocation roles ('${[...roles].join("' and '")}')`;
}

function firstProblem(
  resources: Resources,
  problemOf: (resource: Resource) => string | undefined,
): string | undefined {
  for (const resource of resources) {
    const problem = problemOf(resource);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
