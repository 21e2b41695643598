import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ZooKeeperClient } from './index.ts';

/** A ZooKeeper for one test. */
export interface ZooKeeperWorld {
  /** A client with a session of its own. */
  client(): ZooKeeperClient;
  cleanUp(): Promise<void>;
}

/** What a ZooKeeper server does for {@link ZooKeeperClient}: the real one and the one for tests. */
export function describeZooKeeper(name: string, create: () => Promise<ZooKeeperWorld>): void {
  describe(name, () => {
    let world: ZooKeeperWorld;
    let client: ZooKeeperClient;
    const base = '/contract';

    beforeEach(async () => {
      world = await create();
      client = world.client();
      await client.ensurePath(base);
    });

    afterEach(() => world.cleanUp());

    const bytes = (text: string): Uint8Array => Buffer.from(text);

    it('keeps data, and counts its changes', async () => {
      expect(await client.create(`${base}/a`, bytes('one'))).toBe(`${base}/a`);
      const first = await client.getData(`${base}/a`);
      expect(first.data.toString()).toBe('one');
      expect(first.stat).toMatchObject({ version: 0, ephemeralOwner: 0n });
      expect(await client.setData(`${base}/a`, bytes('two'), 0)).toMatchObject({ version: 1 });
      expect((await client.getData(`${base}/a`)).data.toString()).toBe('two');
    });

    it('refuses what does not fit', async () => {
      await client.create(`${base}/a`, bytes(''));
      await client.create(`${base}/a/b`, bytes(''));
      const refusals = [
        [client.create(`${base}/a`, bytes('')), 'NODE_EXISTS'],
        [client.create(`${base}/x/y`, bytes('')), 'NO_NODE'],
        [client.setData(`${base}/a`, bytes(''), 7), 'BAD_VERSION'],
        [client.delete(`${base}/a`), 'NOT_EMPTY'],
        [client.getData(`${base}/x`), 'NO_NODE'],
        [client.getChildren(`${base}/x`), 'NO_NODE'],
      ] as const;
      for (const [refusal, reason] of refusals)
        await expect(refusal).rejects.toMatchObject({ reason });
      expect(await client.exists(`${base}/x`)).toBeUndefined();
    });

    it('numbers sequential nodes upwards, also when earlier ones are gone', async () => {
      const options = { sequential: true };
      const first = await client.create(`${base}/n_`, bytes(''), options);
      await client.delete(first);
      const second = await client.create(`${base}/n_`, bytes(''), options);
      expect(first).toMatch(/n_\d{10}$/);
      expect(second > first).toBe(true);
      expect(await client.getChildren(base)).toEqual([second.slice(base.length + 1)]);
    });

    it('drops the ephemeral nodes of a client that was closed, and tells who watches', async () => {
      const other = world.client();
      const path = await other.create(`${base}/e`, bytes(''), { ephemeral: true });
      expect(await client.exists(path)).toMatchObject({ ephemeralOwner: other.sessionId });
      const changes: string[] = [];
      await client.getChildren(base, () => changes.push('children'));
      await client.exists(path, () => changes.push('node'));
      await other.close();
      await waitFor(systemClock, 'both watchers', 5000, () =>
        changes.length === 2 ? true : undefined,
      );
      expect(changes.toSorted()).toEqual(['children', 'node']);
      expect(await client.getChildren(base)).toEqual([]);
    });

    it('tells of a node that is made, and of data that is changed', async () => {
      const changes: string[] = [];
      const other = world.client();
      expect(await client.exists(`${base}/a`, () => changes.push('made'))).toBeUndefined();
      await other.create(`${base}/a`, bytes(''));
      await waitFor(systemClock, 'the first', 5000, () => changes[0]);
      await client.getData(`${base}/a`, () => changes.push('changed'));
      await other.setData(`${base}/a`, bytes('new'), -1);
      await waitFor(systemClock, 'the second', 5000, () => changes[1]);
      expect(changes).toEqual(['made', 'changed']);
    });

    it('does all of a transaction or nothing', async () => {
      await client.create(`${base}/a`, bytes('one'));
      const create = { type: 'create', path: `${base}/b`, data: bytes('b') } as const;
      const set = { type: 'setData', path: `${base}/a`, data: bytes('two'), version: 0 } as const;
      const check = { type: 'check', path: `${base}/a`, version: 1 } as const;
      const stats = await client.transaction([create, set, check]);
      expect(stats[1]).toMatchObject({ version: 1 });
      const remove = { type: 'delete', path: `${base}/b`, version: -1 } as const;
      await expect(client.transaction([remove, set])).rejects.toMatchObject({
        reason: 'BAD_VERSION',
      });
      await expect(
        client.transaction([remove, { ...check, path: `${base}/x` }, set]),
      ).rejects.toMatchObject({ reason: 'NO_NODE' });
      expect((await client.getData(`${base}/b`)).data.toString()).toBe('b');
      expect((await client.getData(`${base}/a`)).data.toString()).toBe('two');
      await client.transaction([remove]);
      expect(await client.exists(`${base}/b`)).toBeUndefined();
    });

    it('answers requests in the order they were made', async () => {
      const paths = Array.from({ length: 50 }, (_, index) => `${base}/n${index}`);
      expect(await Promise.all(paths.map((path) => client.create(path, bytes(path))))).toEqual(
        paths,
      );
      await client.sync(base);
      expect(await client.getChildren(base)).toHaveLength(50);
    });
  });
}
