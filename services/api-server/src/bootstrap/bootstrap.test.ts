import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';

describeOnEachStore('bootstrap', (test) => {
  const bootstrap = async (body: object) => {
    const answer = await test().factory.internal('POST', '/internal/v1/bootstrap', body);
    return answer.json();
  };
  const keyOf = (keyId: string) => test().factory.internal('GET', `/internal/v1/api-keys/${keyId}`);

  it('makes things once, and shows the secret once', async () => {
    // The first one was made when the test's factory started.
    const again = await bootstrap({ clusters: ['idc-1', 'idc-2'] });
    expect(again.adminKey).toBeNull();
    expect(again.projectId).toBe(test().factory.caller.projectId);
    expect(again.clusters).toMatchObject([
      { name: 'idc-1', clusterId: null, token: expect.any(String) },
      { name: 'idc-2', clusterId: null, token: expect.any(String) },
    ]);
    expect(again.clusters[0].token).not.toBe(again.clusters[1].token);
  });

  it('rotates the admin key when asked', async () => {
    const first = (await bootstrap({ clusters: [], rotateAdminKey: true })).adminKey;
    expect((await keyOf(first.keyId)).json()).toEqual({
      ...first,
      principal: {
        actor: first.keyId,
        organisationId: expect.stringMatching(/^org_/),
        projectId: test().factory.caller.projectId,
        ...{ role: 'admin', scope: 'organisation', isPlatform: true },
      },
      revoked: false,
      allowsUcloud: false,
    });
    const second = (await bootstrap({ clusters: [], rotateAdminKey: true })).adminKey;
    expect((await keyOf(first.keyId)).json()).toMatchObject({ revoked: true });
    expect((await keyOf(second.keyId)).json()).toMatchObject({ revoked: false });
  });

  it('does the same when it is done several times at once', async () => {
    const answers = await Promise.all(
      [1, 2, 3].map(() => bootstrap({ clusters: ['idc-1'], rotateAdminKey: false })),
    );
    expect(new Set(answers.map((answer) => answer.projectId)).size).toBe(1);
    expect(answers.every((answer) => answer.adminKey === null)).toBe(true);
  });

  it('is for holders of the internal token only', async () => {
    const { app } = test().factory.api;
    const body = { method: 'POST', url: '/internal/v1/bootstrap', payload: {} } as const;
    expect((await app.inject(body)).statusCode).toBe(401);
    expect((await app.inject('/internal/v1/api-keys/key_1')).statusCode).toBe(401);
  });

  it('knows no keys but its own, and refuses bad names', async () => {
    expect((await keyOf('key_none')).json()).toMatchObject({ status: 404 });
    expect(await bootstrap({ clusters: ['Not A Name'] })).toMatchObject({
      status: 400,
      field: 'clusters[0]',
    });
  });

  it('keeps no secret in the clear', async () => {
    const { adminKey } = await bootstrap({ clusters: [], rotateAdminKey: true });
    const stored = await test().factory.store.keys.find(adminKey.keyId);
    expect(JSON.stringify(stored)).not.toContain(adminKey.secret);
  });
});
