import { readFile } from 'node:fs/promises';
import type { VmId } from '@factory/contracts';
import { VmSchedulerClient } from '../../services/cluster-server/src/picture/scheduler-client.ts';
import type { RealFactory } from './real-factory.ts';

/** What a cluster itself has: every machine that its scheduler knows and has not deleted. */
export async function machinesOfCluster(
  { layout, transport }: RealFactory,
  cluster: string,
): Promise<ReadonlySet<VmId>> {
  const endpoints: { readonly clusters: readonly { name: string; vmScheduler: string }[] } =
    JSON.parse(await readFile(layout.endpointsFile, 'utf8'));
  const url = endpoints.clusters.find(({ name }) => name === cluster)?.vmScheduler;
  if (url === undefined) throw new Error(`there is no ${cluster}`);
  const scheduler = new VmSchedulerClient(transport, url);
  const { vms } = await scheduler.changes(
    { after: 0, waitMs: 0, reported: 0 },
    AbortSignal.timeout(20_000),
  );
  return new Set(vms.filter(({ state }) => state !== 'deleted').map(({ vmId }) => vmId));
}
