import { type HostCapacity, hostAttribute, VM_EXECUTOR_NEED } from '@factory/contracts';
import type { Clock, HttpTransport } from '@factory/runtime';
import { MasterOperatorClient } from 'mesos-core/client';
import type { MasterResponseGetAgents, Resource } from 'mesos-core/protocol';

/** A master that does not answer in this time is left for the next one. */
const CALL_TIMEOUT_MS = 5_000;

interface MasterCalls {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  /** Base URLs of those that may lead now. */
  readonly masters: () => readonly string[];
}

/**
 * Reads the hosts from the leading master, whichever of `masters` that is at the time.
 * @throws what the last one's call throws, when none answers.
 */
export function createHostReader(options: MasterCalls): () => Promise<readonly HostCapacity[]> {
  const ask = createAsker(options);
  return () =>
    ask(async (client) => hostsOf((await client.call({ type: 'GET_AGENTS' })).get_agents));
}

/** Tells the leading master that an agent will not come back. @throws as the host reader. */
export function createGoneMarker(options: MasterCalls): (agentId: string) => Promise<void> {
  const ask = createAsker(options);
  return (value) =>
    ask(async (client) => {
      await client.call({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value } } });
    });
}

/** Asks the masters one after the other until one answers. */
function createAsker({ transport, clock, masters }: MasterCalls) {
  let lastAnswered: string | undefined;
  return async <T>(question: (client: MasterOperatorClient) => Promise<T>): Promise<T> => {
    let failure: unknown = new Error('no Mesos master leads');
    // The one that answered the last question is asked first.
    const urls = masters().toSorted(
      (a, b) => Number(b === lastAnswered) - Number(a === lastAnswered),
    );
    for (const url of urls) {
      const callTimeoutMs = CALL_TIMEOUT_MS;
      const client = new MasterOperatorClient({ transport, clock, url, callTimeoutMs });
      try {
        const answer = await question(client);
        lastAnswered = url;
        return answer;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
}

/**
 * What each agent has, from the master's `GET_AGENTS`. What is offered at this moment is free: the
 * offers are back in a moment. On an empty host the executor has yet to take its part. Works on
 * Apache Mesos as well. Pure.
 */
export function hostsOf(answer: MasterResponseGetAgents): readonly HostCapacity[] {
  return (answer.agents ?? []).map((agent) => {
    const total = sums(agent.total_resources ?? []);
    const allocated = sums(agent.allocated_resources ?? []);
    const isEmpty = allocated.vcpus === 0 && allocated.memoryMiB === 0;
    const taken = isEmpty ? VM_EXECUTOR_NEED : allocated;
    return {
      agentId: agent.agent_info.id?.value ?? '',
      hostName: agent.agent_info.hostname,
      active: agent.active && agent.deactivated !== true,
      totalVcpus: total.vcpus,
      totalMemoryMiB: total.memoryMiB,
      freeVcpus: Math.max(0, roundToMilli(total.vcpus - taken.vcpus)),
      freeMemoryMiB: Math.max(0, roundToMilli(total.memoryMiB - taken.memoryMiB)),
      attributes: (agent.agent_info.attributes ?? []).map(hostAttribute),
      resources: otherScalars(agent.total_resources ?? [], agent.allocated_resources ?? []),
    };
  });
}

function sums(resources: readonly Resource[]): { vcpus: number; memoryMiB: number } {
  return { vcpus: sumOf(resources, 'cpus'), memoryMiB: sumOf(resources, 'mem') };
}

/** What it has beside cores, memory and disk. */
function otherScalars(
  total: readonly Resource[],
  allocated: readonly Resource[],
): NonNullable<HostCapacity['resources']> {
  const scalars = total.filter(({ type, name }) => type === 'SCALAR' && !isCommon(name));
  return Object.fromEntries(
    scalars.map(({ name }) => {
      const has = sumOf(total, name);
      return [name, { total: has, free: Math.max(0, roundToMilli(has - sumOf(allocated, name))) }];
    }),
  );
}

function isCommon(name: string): boolean {
  return name === 'cpus' || name === 'mem' || name === 'disk';
}

function sumOf(resources: readonly Resource[], name: string): number {
  return resources
    .filter((resource) => resource.name === name && resource.revocable === undefined)
    .reduce((total, resource) => total + (resource.scalar?.value ?? 0), 0);
}

/** Mesos' scalars have three decimals. */
function roundToMilli(value: number): number {
  return Math.round(value * 1000) / 1000;
}
