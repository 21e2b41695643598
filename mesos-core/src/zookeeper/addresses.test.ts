import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { beforeEach, describe, expect, it } from 'vitest';
import { Addresses, type Resolve, resolveBySystem } from './addresses.ts';

let clock: VirtualClock;
let names: Map<string, readonly string[]>;
let looked: string[];

beforeEach(() => {
  clock = new VirtualClock();
  names = new Map();
  looked = [];
});

const resolve: Resolve = async (host) => {
  looked.push(host);
  const found = names.get(host);
  if (found === undefined) throw new Error('ENOTFOUND');
  return found;
};

const addressesOf = (hosts: readonly string[], resolveThem: Resolve = resolve) =>
  new Addresses({
    ...{ clock, random: seededRandom(1), resolve: resolveThem, lookupTimeoutMs: 1000 },
    servers: hosts.map((host) => ({ host, port: 2181 })),
  });

async function take(addresses: Addresses, count: number): Promise<readonly string[]> {
  const hosts: string[] = [];
  for (let taken = 0; taken < count; taken += 1) hosts.push((await addresses.next()).host);
  return hosts;
}

describe('the addresses of an ensemble', () => {
  it('are all those of its names, each once a round', async () => {
    names.set('a', ['10.0.0.1', '10.0.0.2']).set('b', ['10.0.0.3']);
    const addresses = addressesOf(['a', 'b']);
    const all = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    expect((await take(addresses, 3)).toSorted()).toEqual(all);
    expect((await take(addresses, 3)).toSorted()).toEqual(all);
    expect(looked).toEqual(['a', 'b', 'a', 'b']);
  });

  it('are not looked up when they are numbers', async () => {
    expect(await take(addressesOf(['10.0.0.1', '::1']), 2)).toHaveLength(2);
    expect(looked).toEqual([]);
  });

  it('are those that the names have now, after a connection was lost', async () => {
    names.set('a', ['10.0.0.1', '10.0.0.2']);
    const addresses = addressesOf(['a']);
    await take(addresses, 1);
    names.set('a', ['10.0.0.9']);
    addresses.startOver();
    expect(await take(addresses, 1)).toEqual(['10.0.0.9']);
  });

  it('have the server that was lost as the last', async () => {
    const addresses = addressesOf(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    for (let round = 0; round < 20; round += 1) {
      const [lost] = await take(addresses, 1);
      addresses.startOver();
      expect(await take(addresses, 2)).not.toContain(lost);
      addresses.startOver();
    }
  });

  it('stay what they were while names can not be looked up', async () => {
    names.set('a', ['10.0.0.1']);
    const addresses = addressesOf(['a']);
    await take(addresses, 1);
    names.clear();
    expect(await take(addresses, 1)).toEqual(['10.0.0.1']);
  });

  it('of one name do not wait for ever for those of another', async () => {
    const silent: Resolve = (host) => (host === 'b' ? new Promise(() => undefined) : resolve(host));
    names.set('a', ['10.0.0.1']);
    const taking = take(addressesOf(['a', 'b'], silent), 1);
    await clock.run(1000);
    expect(await taking).toEqual(['10.0.0.1']);
  });

  it('are missing when no name has any', async () => {
    await expect(addressesOf(['a']).next()).rejects.toMatchObject({ reason: 'CONNECTION_LOSS' });
  });

  it('come from the system', async () => {
    expect(await resolveBySystem('localhost')).toContain('127.0.0.1');
  });
});
