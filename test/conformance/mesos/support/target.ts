import { systemClock, waitFor } from '@factory/runtime';
import type { MasterCall } from '../../../../mesos-core/src/protocol/index.ts';
import { callApi } from './api.ts';
import { type AddedAgent, startMesosCluster } from './cluster.ts';
import type { Answer } from './raw-http.ts';
import { decode, type Encoding } from './wire.ts';

/** The cluster that is examined. */
export interface Target {
  readonly master: string;
  readonly agent: string;
  /** Starts another agent; only in a cluster of the suite's own. */
  addAgent(): Promise<AddedAgent>;
  /** Ends it, if the suite started it. */
  stop(): Promise<void>;
}

const GIVEN = process.env.MESOS_MASTER_URL ?? '';

/** Whether the cluster is somebody else's: cases that would harm it, or change its processes, are out. */
export const IS_FOREIGN = GIVEN !== '';

const REGISTRATION_TIMEOUT_MS = 30_000;

/**
 * The cluster whose master `MESOS_MASTER_URL` names, with its first agent; without it, a master and an
 * agent of mesos-core of the suite's own. It needs 2 cpus, 1 GB of memory and disk, and to run
 * commands on this machine.
 */
export async function openTarget(): Promise<Target> {
  if (IS_FOREIGN) {
    const master = new URL(GIVEN).origin;
    const addAgent = () => Promise.reject(new Error('the cluster is not the suite’s own'));
    return { master, agent: await firstAgent(master), addAgent, stop: async () => undefined };
  }
  const { masterUrl, addAgent, stop } = await startMesosCluster({
    masterFlags: ['--allocation_interval=200ms', '--offer_timeout=1mins'],
    agentFlags: ['--http_heartbeat_interval=1secs', '--executor_shutdown_grace_period=1secs'],
  });
  try {
    return { master: masterUrl, agent: await firstAgent(masterUrl), addAgent, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function firstAgent(master: string): Promise<string> {
  return waitFor(systemClock, `an agent of ${master}`, REGISTRATION_TIMEOUT_MS, async () => {
    const answer = await operate(master, 'json', { type: 'GET_AGENTS' });
    const response = decode('json', 'master.Response', answer.body);
    const agents = response.type === 'GET_AGENTS' ? (response.get_agents.agents ?? []) : [];
    const active = agents.find((agent) => agent.active === true);
    if (active === undefined) return undefined;
    return `http://${new URL(master).hostname}:${active.agent_info.port ?? 5051}`;
  });
}

/** A call to the master's operator API. */
export function operate(master: string, encoding: Encoding, call: MasterCall): Promise<Answer> {
  return callApi({ url: `${master}/api/v1`, name: 'master.Call', encoding }, call);
}
