import type { PeersMessage } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { VmFailure } from '../failures.ts';
import { PeersKeeper } from './peers-keeper.ts';
import { createSimulatedNetwork } from './simulated.ts';
import { testSubnet } from './testing.ts';

const { subnetId } = testSubnet(1);
const OWN = '192.0.2.1';

function setUp() {
  const clock = new VirtualClock();
  const network = createSimulatedNetwork('lab', undefined, OWN);
  const keeper = new PeersKeeper({ clock, logger: silentLogger, network });
  return { clock, network, keeper };
}

function told(epoch: number, ...addresses: readonly string[]): PeersMessage {
  const peers = addresses.map((tunnelAddress) => ({ tunnelAddress, nics: [] }));
  return { type: 'peers', epoch, digest: `digest-${epoch}`, subnets: [{ subnetId, peers }] };
}

describe('what a host is told of its peers', () => {
  it('reaches its networks, without itself, and is said to be known', async () => {
    const { clock, network, keeper } = setUp();
    expect(keeper.tunnel).toEqual({ address: OWN, epoch: 0, digest: '' });
    keeper.take(told(5, OWN, '192.0.2.2'));
    await clock.settle();
    expect(network.peersOf(subnetId)?.peers).toEqual([{ tunnelAddress: '192.0.2.2', nics: [] }]);
    expect(keeper.tunnel).toEqual({ address: OWN, epoch: 5, digest: 'digest-5' });
    keeper.close();
  });

  it('is not said to be known when it did not take effect', async () => {
    const { clock, network, keeper } = setUp();
    network.mayFail = () => new VmFailure('NETWORK_ERROR', 'no');
    keeper.take(told(5, '192.0.2.2'));
    await clock.settle();
    expect(keeper.tunnel.digest).toBe('');
    network.mayFail = () => undefined;
    keeper.take(told(5, '192.0.2.2'));
    await clock.settle();
    expect(keeper.tunnel.digest).toBe('digest-5');
    keeper.close();
  });

  it('gives way to a newer word, never to an older one', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(told(5, '192.0.2.2'));
    keeper.take(told(7));
    keeper.take(told(6, '192.0.2.3'));
    await clock.settle();
    expect(network.peersOf(subnetId)?.epoch).toBe(7);
    expect(keeper.tunnel.epoch).toBe(7);
    keeper.close();
  });

  it('is forgotten of a subnet that has no machine here any more', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(told(5, '192.0.2.2'));
    await clock.settle();
    keeper.take({ ...told(6), subnets: [] });
    await clock.settle();
    expect(network.peersOf(subnetId)?.peers).toEqual([]);
    expect(keeper.tunnel.epoch).toBe(6);
    keeper.close();
  });

  it('is put right again after somebody has torn it down', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(told(5, '192.0.2.2'));
    await clock.settle();
    network.clear();
    await clock.run(60_000);
    expect(network.peersOf(subnetId)?.epoch).toBe(5);
    keeper.close();
  });
});
