import {
  booksOf,
  digestOfBooks,
  type Peer,
  type PeersChangeMessage,
  type PeersMessage,
} from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { VmFailure } from '../failures.ts';
import { PeersKeeper } from './peers-keeper.ts';
import { createSimulatedNetwork } from './simulated.ts';
import { testSubnet } from './testing.ts';

const { subnetId } = testSubnet(1);
const OWN = '192.0.2.1';
const TUNNEL = { address: OWN, takesChanges: true };

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
    expect(keeper.tunnel).toEqual({ ...TUNNEL, epoch: 0, digest: '' });
    keeper.take(told(5, OWN, '192.0.2.2'));
    await clock.settle();
    expect(network.peersOf(subnetId)?.peers).toEqual([{ tunnelAddress: '192.0.2.2', nics: [] }]);
    expect(keeper.tunnel).toEqual({ ...TUNNEL, epoch: 5, digest: 'digest-5' });
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

/** A host with these cards. */
const host = (tunnel: number, ...cards: readonly number[]): Peer => ({
  tunnelAddress: `192.0.2.${tunnel}`,
  nics: cards.map((n) => ({
    macAddress: `52:54:00:00:00:0${n}`,
    ipAddress: `10.80.1.${n}`,
    hostname: `vm-${n}`,
  })),
});
const digestOf = (...peers: readonly Peer[]): string =>
  digestOfBooks(booksOf([{ subnetId, peers: [...peers] }]));
const whole = (epoch: number, ...peers: readonly Peer[]): PeersMessage => ({
  ...{
    type: 'peers',
    epoch,
    digest: digestOf(...peers),
    subnets: [{ subnetId, peers: [...peers] }],
  },
});
const change = (
  epoch: number,
  base: string,
  digest: string,
  { came = [], gone = [] }: { readonly came?: readonly Peer[]; readonly gone?: readonly Peer[] },
): PeersChangeMessage => {
  const changed = [{ subnetId, came: [...came], gone: [...gone] }];
  return { type: 'peersChange', epoch, base, digest, changed, whole: [], left: [] };
};

describe('what is new of the peers of a host', () => {
  const [first, second] = [host(2, 1, 2), host(3, 3)];
  const later = host(2, 2);

  it('is put in the place of what was before', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(whole(5, first));
    const digests = [digestOf(first), digestOf(first, second), digestOf(later, second)] as const;
    keeper.take(change(6, digests[0], digests[1], { came: [second] }));
    keeper.take(change(7, digests[1], digests[2], { gone: [host(2, 1)] }));
    await clock.settle();
    expect(network.peersOf(subnetId)?.peers).toEqual([later, second]);
    expect(keeper.tunnel).toMatchObject({ epoch: 7, digest: digests[2] });
    keeper.close();
  });

  it('is not heeded when something before it was lost; what is known stays said', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(whole(5, first));
    await clock.settle();
    keeper.take(
      change(7, digestOf(first, second), digestOf(later, second), { gone: [host(2, 1)] }),
    );
    await clock.settle();
    expect(keeper.tunnel).toMatchObject({ epoch: 5, digest: digestOf(first) });
    keeper.take(
      change(8, digestOf(first), digestOf(later, second), { came: [second], gone: [host(2, 1)] }),
    );
    await clock.settle();
    expect(network.peersOf(subnetId)?.peers).toEqual([later, second]);
    keeper.close();
  });

  it('asks for the whole when it does not come to the digest that was told', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(whole(5, first));
    keeper.take(change(6, digestOf(first), digestOf(later, second), { came: [second] }));
    await clock.settle();
    expect(keeper.tunnel).toMatchObject({ epoch: 5, digest: 'unknown' });
    keeper.take(whole(7, later, second));
    await clock.settle();
    expect(keeper.tunnel.digest).toBe(digestOf(later, second));
    expect(network.peersOf(subnetId)?.peers).toEqual([later, second]);
    keeper.close();
  });

  it('takes effect after a failure, told once more from what is known', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(whole(5, first));
    await clock.settle();
    network.mayFail = () => new VmFailure('NETWORK_ERROR', 'no');
    const news = [digestOf(first), digestOf(first, second), { came: [second] }] as const;
    keeper.take(change(6, ...news));
    await clock.settle();
    expect(keeper.tunnel.digest).toBe(digestOf(first));
    network.mayFail = () => undefined;
    keeper.take(change(7, ...news));
    await clock.settle();
    expect(keeper.tunnel).toMatchObject({ epoch: 7, digest: digestOf(first, second) });
    expect(network.peersOf(subnetId)?.peers).toEqual([first, second]);
    keeper.close();
  });

  it('brings subnets that come, and takes those that go', async () => {
    const { clock, network, keeper } = setUp();
    keeper.take(whole(5, first));
    await clock.settle();
    const other = { subnetId: testSubnet(2).subnetId, peers: [second] };
    const base = digestOf(first);
    const message = { type: 'peersChange', epoch: 6, base, changed: [] } as const;
    const digest = digestOfBooks(booksOf([other]));
    keeper.take({ ...message, changed: [], digest, whole: [other], left: [subnetId] });
    await clock.settle();
    expect(network.peersOf(subnetId)?.peers).toEqual([]);
    expect(network.peersOf(other.subnetId)?.peers).toEqual([second]);
    expect(keeper.tunnel.digest).toBe(digest);
    keeper.close();
  });
});
