import type { Clock } from '@factory/runtime';
import { capacityOf } from './cluster.ts';
import { assignedIn, type TestFactory } from './factory.ts';

/** A cluster on which a batch `web` of this many machines runs. */
export async function withRunning(factory: TestFactory, clock: Clock, count: number) {
  const cluster = await factory.join('idc-1');
  await cluster.exchange({ capacity: capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 }) });
  const polling = cluster.exchange({}, 5_000);
  const request = { name: 'web', image: 'micro', count, memoryMiB: 64 };
  const batch = await factory.caller.ok('POST', '/v1/batches', request);
  const vms = assignedIn(await polling);
  await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm)) });
  const [first] = vms;
  if (first === undefined) throw new Error('no machine was assigned');
  return { cluster, batch, vms, first };
}
