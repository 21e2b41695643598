import {
  createUndiciTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatAttributes } from '../../protocol/index.ts';
import { AttributeSync } from './attribute-sync.ts';
import { createEtcdGateway } from './etcd-gateway.ts';
import { type RealEtcd, startRealEtcd } from './testing/real-etcd.ts';

let etcd: RealEtcd;
beforeAll(async () => {
  etcd = await startRealEtcd();
});
afterAll(() => etcd.stop());

it('attributes follow a real etcd, over its death too', async () => {
  const transport = createUndiciTransport();
  const taken: string[] = [];
  const sync = new AttributeSync({
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
    gateway: createEtcdGateway(transport, `${etcd.url}/agents/h1`),
    onAttributes: async (attributes) => {
      taken.push(formatAttributes(attributes));
    },
  });
  const becomes = (text: string) =>
    waitFor(systemClock, `the attributes ${text}`, 15_000, () =>
      taken.at(-1) === text ? true : undefined,
    );
  await etcd.put('/agents/h1/rack', 'r1');
  sync.start([]);
  await becomes('rack:r1');
  await etcd.put('/agents/h2/rack', 'r9');
  await etcd.put('/agents/h1/ssd', 'true');
  await becomes('rack:r1;ssd:true');
  await etcd.kill();
  await etcd.restart();
  await etcd.put('/agents/h1/rack', 'r2');
  await becomes('rack:r2;ssd:true');
  expect(taken).toEqual(['rack:r1', 'rack:r1;ssd:true', 'rack:r2;ssd:true']);
  await sync.stop();
  await transport.close();
});
