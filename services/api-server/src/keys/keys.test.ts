import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { TestCaller } from '../testing/factory.ts';

const NO_KEY = `key_${'0'.repeat(32)}`;

describeOnEachStore('API keys', (test) => {
  const admin = () => test().factory.caller;
  const projectAdmin = async () => {
    const { organisationId } = await admin().ok('GET', `/v1/projects/${admin().projectId}`);
    const more = { organisationId, scope: 'project' } as const;
    return new TestCaller(test().factory.api.app, admin().projectId, 'admin', true, more);
  };
  const create = (body: object = {}) =>
    admin().ok('POST', '/v1/api-keys', { name: 'robot', role: 'member', ...body });
  const known = async (id: string) =>
    (await test().factory.internal('GET', `/internal/v1/api-keys/${id}`)).json();

  it('are made with a secret that is shown once, and hold in their project only', async () => {
    const key = await create();
    expect(key).toMatchObject({ state: 'active', scope: 'project', secret: expect.any(String) });
    const { secret, ...shown } = key;
    expect(secret).toHaveLength(43);
    expect(await admin().ok('GET', `/v1/api-keys/${key.id}`)).toEqual(shown);
    const { items } = await admin().ok('GET', '/v1/api-keys');
    expect(items.at(-1)).toEqual(shown);
    expect(await known(key.id)).toMatchObject({
      ...{ secret, revoked: false },
      principal: { actor: key.id, role: 'member', scope: 'project', projectId: key.projectId },
    });
  });

  it('give no more than their makers have', async () => {
    const wider = { name: 'boss', role: 'admin', scope: 'organisation' };
    const narrow = await projectAdmin();
    const refused = await narrow.call('POST', '/v1/api-keys', wider);
    expect(refused.statusCode).toBe(403);
    const own = await narrow.call('POST', '/v1/api-keys', { name: 'a', role: 'admin' });
    expect(own.statusCode).toBe(201);
    // Nor by rotating, which shows a secret, nor take it away.
    const boss = await create(wider);
    const path = `/v1/api-keys/${boss.id}`;
    expect((await narrow.call('POST', `${path}:rotate`, {})).statusCode).toBe(403);
    expect((await narrow.call('DELETE', path)).statusCode).toBe(403);
    const partner = await admin().call('POST', '/v1/api-keys', { name: 'p', role: 'partner' });
    expect(partner.json()).toMatchObject({ status: 400, field: 'scope' });
  });

  it('are rotated: a new one takes over while the old one works on for a while', async () => {
    const old = await create({ role: 'operator', allowsUcloud: true });
    const path = `/v1/api-keys/${old.id}`;
    const key = await admin().ok('POST', `${path}:rotate`, { graceSeconds: 60 });
    expect(key).toMatchObject({ name: 'robot', role: 'operator', allowsUcloud: true });
    expect(key.id).not.toBe(old.id);
    expect(key.secret).not.toBe(old.secret);
    const before = await admin().ok('GET', path);
    expect(before).toMatchObject({ state: 'active', successorId: key.id });
    test().clock.shift(61_000);
    expect(await admin().ok('GET', path)).toMatchObject({ state: 'expired' });
    expect(await known(old.id)).toMatchObject({ revoked: true });
    expect(await known(key.id)).toMatchObject({ revoked: false });
    const again = await admin().call('POST', `${path}:rotate`, {});
    expect(again.json().code).toBe('FACTORY_ERR_WRONG_STATE');
  });

  it('are rotated once, also by two at a time', async () => {
    const { id } = await create();
    const rotate = () => admin().call('POST', `/v1/api-keys/${id}:rotate`, {});
    const codes = (await Promise.all([rotate(), rotate()])).map(({ statusCode }) => statusCode);
    expect(codes.sort()).toEqual([201, 409]);
  });

  it('expire, and are revoked for good', async () => {
    const expiresAt = new Date(test().clock.nowMs() + 60_000).toISOString();
    const key = await create({ expiresAt });
    expect(key).toMatchObject({ expiresAt, state: 'active' });
    const { id } = await create();
    expect((await admin().call('DELETE', `/v1/api-keys/${id}`)).statusCode).toBe(204);
    expect((await admin().call('DELETE', `/v1/api-keys/${id}`)).statusCode).toBe(204);
    expect(await admin().ok('GET', `/v1/api-keys/${id}`)).toMatchObject({ state: 'revoked' });
    expect(await known(id)).toMatchObject({ revoked: true });
    test().clock.shift(61_000);
    expect(await known(key.id)).toMatchObject({ revoked: true });
    const late = await admin().call('POST', '/v1/api-keys', {
      ...{ name: 'late', role: 'member', expiresAt },
    });
    expect(late.json()).toMatchObject({ status: 400, field: 'expiresAt' });
  });

  it('of other tenants are not there', async () => {
    const { id } = await create();
    const organisation = await admin().ok('POST', '/v1/organisations', { name: 'studio' });
    const { items } = await admin().ok('GET', `/v1/projects?organisationId=${organisation.id}`);
    const stranger = new TestCaller(test().factory.api.app, items[0].id, 'admin', false, {
      organisationId: organisation.id,
    });
    for (const keyId of [id, NO_KEY]) {
      const path = `/v1/api-keys/${keyId}`;
      expect((await stranger.call('GET', path)).statusCode).toBe(404);
      expect((await stranger.call('DELETE', path)).statusCode).toBe(404);
      expect((await stranger.call('POST', `${path}:rotate`, {})).statusCode).toBe(404);
    }
    const { projectId } = admin();
    const into = { name: 'x', role: 'member', projectId };
    expect((await stranger.call('POST', '/v1/api-keys', into)).statusCode).toBe(404);
    expect((await stranger.call('GET', `/v1/api-keys?projectId=${projectId}`)).statusCode).toBe(
      404,
    );
    // Who runs the factory gives a new tenant its first key.
    const first = { name: 'first', role: 'admin', scope: 'organisation', projectId: items[0].id };
    const given = await admin().ok('POST', '/v1/api-keys', first);
    expect((await known(given.id)).principal).toMatchObject({
      ...{ organisationId: organisation.id, isPlatform: false, scope: 'organisation' },
    });
  });

  it('say when they were used last, written in bulk', async () => {
    const [used, unused] = [await create(), await create()];
    await known(used.id);
    await known(used.id);
    await test().factory.api.close();
    const { keys } = test().factory.store;
    expect((await keys.find(used.id))?.lastUsedAtMs).toBeGreaterThan(0);
    expect((await keys.find(unused.id))?.lastUsedAtMs).toBeNull();
  });
});
