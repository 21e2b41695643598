import { silentLogger } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../store.ts';
import { type IdentityParts, ownIdentity } from './identity.ts';

/** An api-server that takes one key for a token, and whose first answers are lost. */
function setUp(answersLost: number) {
  const store = createMemoryStore();
  const asked: string[] = [];
  const enrol: IdentityParts['linkClient']['enrol'] = async (_token, { privateKey }) => {
    asked.push(privateKey);
    if (asked.length <= answersLost) throw new Error('the answer is lost');
    return { clusterId: 'clu_1', privateKey };
  };
  const identify = (token: string | null = 'token') =>
    ownIdentity({
      ...{
        store,
        linkClient: { enrol },
        enrolmentToken: token ?? undefined,
        name: 'idc-1',
        logger: silentLogger,
      },
      ...{ inTime: (_what, work) => work(), signal: new AbortController().signal },
    });
  return { store, asked, identify };
}

describe('who a cluster is', () => {
  it('is asked once', async () => {
    const { store, asked, identify } = setUp(0);
    const identity = await identify();
    expect(await identify()).toEqual(identity);
    expect(asked).toHaveLength(1);
    expect(await store.loadIdentity()).toEqual(identity);
  });

  it('is asked again with the same key when the answer was lost', async () => {
    const { asked, identify } = setUp(2);
    await expect(identify()).rejects.toThrow('lost');
    await expect(identify()).rejects.toThrow('lost');
    const { privateKey } = await identify();
    expect(asked).toEqual([privateKey, privateKey, privateKey]);
    expect(privateKey).toContain('PRIVATE KEY');
  });

  it('is nobody without a token, and makes no key then', async () => {
    const { store, identify } = setUp(0);
    await expect(identify(null)).rejects.toThrow('FACTORY_ENROLMENT_TOKEN');
    expect(await store.loadPrivateKey()).toBeUndefined();
  });
});
