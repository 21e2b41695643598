import { systemClock, waitFor } from '@factory/runtime';
import { startMesosCluster } from './cluster.ts';
import { ask } from './raw-http.ts';
import { decode, type Encoding, encode, mediaType } from './wire.ts';

/** The cluster that is examined. */
export interface Target {
  readonly master: string;
  readonly agent: string;
  /** Ends it, if the suite started it. */
  stop(): Promise<void>;
}

const REGISTRATION_TIMEOUT_MS = 30_000;

/**
 * The cluster whose master `MESOS_MASTER_URL` names, with its first agent; without it, a master and an
 * agent of mesos-core of the suite's own. It needs 2 cpus, 1 GB of memory and disk, and to run
 * commands on this machine.
 */
export async function openTarget(): Promise<Target> {
  const given = process.env.MESOS_MASTER_URL;
  if (given !== undefined && given !== '') {
    const master = new URL(given).origin;
    return { master, agent: await firstAgent(master), stop: async () => undefined };
  }
  const { masterUrl, stop } = await startMesosCluster({
    masterFlags: ['--allocation_interval=200ms', '--offer_timeout=1mins'],
  });
  try {
    return { master: masterUrl, agent: await firstAgent(masterUrl), stop };
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
export function operate(
  master: string,
  encoding: Encoding,
  call: Parameters<typeof encode<'master.Call'>>[2],
) {
  const type = mediaType(encoding);
  return ask({
    url: `${master}/api/v1`,
    headers: { 'content-type': type, accept: type },
    body: encode(encoding, 'master.Call', call),
  });
}
