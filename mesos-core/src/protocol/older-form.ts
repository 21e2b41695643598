import { formatAttributeValue } from './attributes.ts';
import type { Attribute, Labels, Offer, Resource, Task, TaskStatus } from './messages.ts';
import { reservationsOf } from './resource-identity.ts';
import {
  addResources,
  type Resources,
  reservationRole,
  toLegacyFormat,
  unallocateResources,
} from './resources.ts';
import { formatRanges, formatSet } from './values.ts';

/** JSON of Mesos' older HTTP endpoints, which tools and its web pages read. */
type Json = Readonly<Record<string, unknown>>;

/** Sums of resources by name, whatever they are reserved for; revocable ones apart. */
export function olderResources(resources: Resources): Json {
  const plain = resources.map(({ name, type, scalar, ranges, set, revocable }) => ({
    name: revocable === undefined ? name : `${name}_revocable`,
    ...{ type, scalar, ranges, set },
  }));
  const json: Record<string, unknown> = { cpus: 0, gpus: 0, mem: 0, disk: 0 };
  for (const resource of addResources([], plain)) json[resource.name] = amountOf(resource);
  return json;
}

function amountOf({ type, scalar, ranges, set }: Resource): unknown {
  switch (type) {
    case 'SCALAR':
      return scalar?.value ?? 0;
    case 'RANGES':
      return formatRanges(ranges?.range ?? []);
    case 'SET':
      return formatSet(set?.item ?? []);
    case 'TEXT':
      return '';
  }
}

/** The form of the operator API, which says everything twice: for old and for new tools. */
export function operatorForm(resources: Resources): Resources {
  return resources.map((resource) => {
    const { reservations } = resource;
    const legacy = toLegacyFormat(resource);
    return { ...resource, ...legacy, ...(reservations === undefined ? {} : { reservations }) };
  });
}

/** The resources that are reserved, by role. */
export function reservedByRole(resources: Resources): ReadonlyMap<string, Resources> {
  const reserved = resources.filter((each) => reservationsOf(each).length > 0);
  return Map.groupBy(reserved, reservationRole);
}

/** The resources that are not reserved. */
export function unreserved(resources: Resources): Resources {
  return resources.filter((each) => reservationsOf(each).length === 0);
}

/** Attributes: numbers as such, all else as text. */
export function olderAttributes(attributes: readonly Attribute[] = []): Json {
  return Object.fromEntries(
    attributes.map((each) => [
      each.name,
      each.type === 'SCALAR' ? (each.scalar?.value ?? 0) : formatAttributeValue(each),
    ]),
  );
}

/** A task. */
export function olderTask(task: Task): Json {
  const { name, task_id, framework_id, executor_id, agent_id, state, resources = [] } = task;
  const { statuses = [], user, labels, discovery, container, health_check } = task;
  const role = resources[0]?.allocation_info?.role;
  return {
    id: task_id.value,
    name,
    framework_id: framework_id.value,
    executor_id: executor_id?.value ?? '',
    slave_id: agent_id.value,
    state,
    resources: olderResources(resources),
    ...(role === undefined ? {} : { role }),
    statuses: statuses.map(olderStatus),
    ...(user === undefined ? {} : { user }),
    ...olderLabels(labels),
    ...(discovery === undefined ? {} : { discovery }),
    ...(container === undefined ? {} : { container }),
    ...(health_check === undefined ? {} : { health_check }),
  };
}

function olderStatus({ state, timestamp, labels, container_status, healthy }: TaskStatus): Json {
  return {
    state,
    timestamp: timestamp ?? 0,
    ...olderLabels(labels),
    ...(container_status === undefined ? {} : { container_status }),
    ...(healthy === undefined ? {} : { healthy }),
  };
}

/** Labels as a list of their own. */
export function olderLabels(labels: Labels | undefined): { readonly labels?: Labels['labels'] } {
  return labels === undefined ? {} : { labels: labels.labels ?? [] };
}

/** An offer. */
export function olderOffer({
  id,
  framework_id,
  allocation_info,
  agent_id,
  resources,
}: Offer): Json {
  return {
    id: id.value,
    framework_id: framework_id.value,
    allocation_info,
    slave_id: agent_id.value,
    resources: olderResources(unallocateResources(resources ?? [])),
  };
}
