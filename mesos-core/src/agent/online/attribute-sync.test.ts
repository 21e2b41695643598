import { silentLogger } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Attribute, formatAttributes } from '../../protocol/index.ts';
import { AttributeSync, attributesOf } from './attribute-sync.ts';
import { createEtcdGateway } from './etcd-gateway.ts';
import { createFakeEtcd, type FakeEtcd } from './testing/fake-etcd.ts';

const ETCD = 'http://etcd:2379';

let clock: VirtualClock;
let network: SimulatedNetwork;
let etcd: FakeEtcd;
let sync: AttributeSync;
let taken: string[];

beforeEach(async () => {
  clock = new VirtualClock();
  network = new SimulatedNetwork({ clock, random: seededRandom('network') });
  etcd = createFakeEtcd();
  await network.attach(ETCD, etcd.app);
  taken = [];
  sync = new AttributeSync({
    ...{ clock, random: seededRandom('sync'), logger: silentLogger },
    gateway: createEtcdGateway(network.transport('agent'), `${ETCD}/agents/h1`),
    onAttributes: async (attributes) => {
      taken.push(formatAttributes(attributes));
    },
  });
});

afterEach(async () => {
  await Promise.all([sync.stop(), clock.run(1000)]);
});

async function start(known: readonly Attribute[] = []): Promise<void> {
  sync.start(known);
  await clock.run(1000);
}

describe('attributes in etcd', () => {
  it('are those below the prefix, with values as in the flag', async () => {
    etcd.put('/agents/h1/rack', 'r1');
    etcd.put('/agents/h1/cores', '64');
    etcd.put('/agents/h1/ports', '[1-5]');
    etcd.put('/agents/h10/rack', 'r2');
    etcd.put('/agents/h1', 'no attribute');
    await start();
    expect(taken).toEqual(['cores:64;ports:[1-5];rack:r1']);
  });

  it('are followed as they change and go', async () => {
    await start();
    etcd.put('/agents/h1/rack', 'r1');
    await clock.run(100);
    etcd.put('/agents/h1/rack', 'r2');
    await clock.run(100);
    etcd.put('/agents/h2/rack', 'r9');
    await clock.run(100);
    etcd.delete('/agents/h1/rack');
    await clock.run(100);
    expect(taken).toEqual(['rack:r1', 'rack:r2', '']);
    expect(etcd.watchCount).toBe(1);
  });

  it('that are known from an earlier life are no news', async () => {
    etcd.put('/agents/h1/rack', 'r1');
    await start([{ name: 'rack', type: 'TEXT', text: { value: 'r1' } }]);
    expect(taken).toEqual([]);
  });

  it('stay as they were while etcd is away, and are read when it is back', async () => {
    etcd.put('/agents/h1/rack', 'r1');
    await start();
    network.detach(ETCD);
    await clock.run(120_000);
    expect(taken).toEqual(['rack:r1']);
    etcd.put('/agents/h1/rack', 'r2');
    await network.attach(ETCD, etcd.app);
    await clock.run(60_000);
    expect(taken).toEqual(['rack:r1', 'rack:r2']);
  });

  it('are read anew when etcd has forgotten the revision', async () => {
    etcd.put('/agents/h1/rack', 'r1');
    await start();
    etcd.put('/agents/h1/rack', 'r2');
    etcd.compact();
    await clock.run(200_000);
    expect(taken.at(-1)).toBe('rack:r2');
  });

  it('leave out what is no attribute', () => {
    const values = new Map([
      ...([
        ['rack', 'r1'],
        ['bad', '[1-'],
        ['a/b', 'x'],
        ['a b', 'x'],
        ['', 'x'],
      ] as const),
    ]);
    const problems: string[] = [];
    const attributes = attributesOf(values, (name) => problems.push(name));
    expect(formatAttributes(attributes)).toBe('rack:r1');
    expect(problems).toEqual(['', 'a b', 'a/b', 'bad']);
  });

  it('never stop the agent, whatever stands there', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (values) => {
        attributesOf(new Map(Object.entries(values)), () => undefined);
      }),
    );
  });
});
