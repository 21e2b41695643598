import {
  HOST_ATTRIBUTES,
  HOST_RESOURCES,
  type HostAttribute,
  hostAttribute,
} from '@factory/contracts';
import { parseAttributes, parseResources } from 'mesos-core/protocol';
import type { HostResources, UpOptions } from './process-plan.ts';

/** What agents were told to offer can't be offered so; the message says how it can. */
export class AgentOfferError extends Error {
  readonly code = 'FACTORY_ERR_AGENT_OFFER';
}

/** Parts of a host that go to one machine alone: counted by a resource, named by an attribute. */
const HANDED_OUT = [
  { resource: HOST_RESOURCES.gpus, attribute: HOST_ATTRIBUTES.gpuDevices },
  { resource: HOST_RESOURCES.pinnedCpus, attribute: HOST_ATTRIBUTES.pinnedCpus },
] as const;

/**
 * Checks what agents offer beside cores, memory and disk. Pure.
 * @throws AgentOfferError when it can't be read, when resources and attributes do not agree, or when
 * several agents of one machine would hand out the same.
 */
export function checkAgentOffers(options: UpOptions): void {
  const { agentResources = '', agentAttributes = '', agents, clusters, hypervisor } = options;
  const resources = reading('--agent-resources', agentResources, (text) => parseResources(text));
  const attributes = reading('--agent-attributes', agentAttributes, (text) =>
    parseAttributes(text).map(hostAttribute),
  );
  const again = resources.find(({ name }) => COMMON.has(name));
  if (again !== undefined && (hypervisor === 'libvirt' || again.name === 'ports')) {
    throw new AgentOfferError(
      `--agent-resources: ${again.name} is what the machine has; leave it out.`,
    );
  }
  for (const { resource, attribute } of HANDED_OUT) {
    const counted = resources.find(({ name }) => name === resource)?.scalar?.value ?? 0;
    const named = attributes.filter(({ name }) => name === attribute).reduce(sizeOf, 0);
    if (counted !== named) {
      throw new AgentOfferError(
        `The resource ${resource} counts ${counted}, and the attribute ${attribute} names ${named}: give as many.`,
      );
    }
    if (named > 0 && agents * clusters > 1 && hypervisor === 'libvirt') {
      throw new AgentOfferError(
        `${agents * clusters} agents on this machine would hand out the same ${attribute}: start one agent.`,
      );
    }
  }
}

/**
 * All that an agent offers, in Mesos' form: its part of the machine, and what it was told besides.
 * A simulated host has as many cores as it is told to have. Pure.
 */
export function offeredResources(host: HostResources, agentResources: string): string {
  const told = new Set(parseResources(agentResources).map(({ name }) => name));
  const common = { cpus: host.cpus, mem: host.memoryMiB, disk: host.diskMiB };
  const left = Object.entries(common).flatMap(([name, size]) =>
    told.has(name) ? [] : [`${name}:${size}`],
  );
  return [...left, ...(agentResources === '' ? [] : [agentResources])].join(';');
}

const COMMON: ReadonlySet<string> = new Set(['cpus', 'mem', 'disk', 'ports']);

function reading<T>(flag: string, text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AgentOfferError(`${flag}: ${why}`);
  }
}

function sizeOf(sum: number, attribute: HostAttribute): number {
  switch (attribute.type) {
    case 'set':
      return sum + attribute.items.length;
    case 'ranges':
      return sum + attribute.ranges.reduce((total, [first, last]) => total + last - first + 1, 0);
    case 'text':
    case 'scalar':
      return sum + 1;
  }
}
