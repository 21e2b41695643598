import { createServer, type Server } from 'node:net';

/** Different ports of loopback that nobody listened on a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const probes = await Promise.all(Array.from({ length: count }, openProbe));
  const ports = probes.map(portOf);
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports;
}

/** One of them. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

async function openProbe(): Promise<Server> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  return probe;
}

function portOf(probe: Server): number {
  const address = probe.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
