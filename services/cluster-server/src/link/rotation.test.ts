import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../store.ts';
import { newClusterKey } from './link-client.ts';
import { rotateKey } from './rotation.ts';

const { signal } = new AbortController();

describe("replacing a cluster's key", () => {
  const given = async () => {
    const store = createMemoryStore();
    const identity = { clusterId: 'clu_1', privateKey: newClusterKey() };
    await store.saveIdentity(identity);
    const offered: string[] = [];
    let isAnswering = true;
    const linkClient = {
      rotate: async (by: typeof identity, next: string) => {
        expect(by.privateKey).toBe(identity.privateKey);
        offered.push(next);
        if (!isAnswering) throw new Error('no answer');
      },
    };
    const rotate = (answers: boolean) => {
      isAnswering = answers;
      return rotateKey({ store, linkClient, identity, nowMs: 5, signal });
    };
    return { store, identity, offered, rotate };
  };

  it('keeps the old one until the offer is answered, and offers the same one again', async () => {
    const { store, identity, offered, rotate } = await given();
    await expect(rotate(false)).rejects.toThrow('no answer');
    expect(await store.loadIdentity()).toEqual(identity);
    const next = await rotate(true);
    expect(offered).toEqual([next.privateKey, next.privateKey]);
    expect(next.privateKey).not.toBe(identity.privateKey);
    expect(await store.loadIdentity()).toEqual(next);
  });

  it('forgets the offer when it is taken: the next one is another', async () => {
    const { store, offered, rotate } = await given();
    await rotate(true);
    expect(await store.loadNextKey()).toBeUndefined();
    expect(await store.loadKeySinceMs()).toBe(5);
    await rotate(true);
    expect(new Set(offered).size).toBe(2);
  });
});
