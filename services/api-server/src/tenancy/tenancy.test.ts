import type { Scope } from '@factory/contracts';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { TestCaller } from '../testing/factory.ts';

describeOnEachStore('organisations and projects', (test) => {
  const admin = () => test().factory.caller;
  const { call, ok } = {
    call: (...args: Parameters<TestCaller['call']>) => admin().call(...args),
    ok: (...args: Parameters<TestCaller['ok']>) => admin().ok(...args),
  };

  /** Another tenant: its organisation, its first project and callers in it. */
  async function tenant(name: string) {
    const organisation = await ok('POST', '/v1/organisations', { name });
    const { items } = await ok('GET', `/v1/projects?organisationId=${organisation.id}`);
    const as = (role: string, scope: Scope) =>
      new TestCaller(test().factory.api.app, items[0].id, role, false, {
        ...{ organisationId: organisation.id, scope },
      });
    return { organisation, project: items[0], as };
  }

  it('are made by the admins of the factory, each with a first project and its subnet', async () => {
    const { organisation, project, as } = await tenant('studio');
    expect(organisation).toMatchObject({ name: 'studio', isPlatform: false });
    expect(project).toMatchObject({ name: 'default', state: 'open' });
    const { items: subnets } = await as('viewer', 'project').ok('GET', '/v1/subnets');
    expect(subnets).toMatchObject([{ name: 'default', projectId: project.id }]);
    const again = await call('POST', '/v1/organisations', { name: 'studio' });
    expect(again.json()).toMatchObject({ code: 'FACTORY_ERR_NAME_TAKEN', field: 'name' });
    const refused = await as('admin', 'organisation').call('POST', '/v1/organisations', {
      name: 'mine',
    });
    expect(refused.statusCode).toBe(403);
    const { items: seen } = await as('viewer', 'project').ok('GET', '/v1/organisations');
    expect(seen).toEqual([organisation]);
    const { items: all } = await ok('GET', '/v1/organisations');
    expect(all.map((each: { name: string }) => each.name)).toEqual(['default', 'studio']);
  });

  it('are renamed, unless the factory finds them by their name', async () => {
    const { organisation, as } = await tenant('studio');
    const path = `/v1/organisations/${organisation.id}`;
    expect(await ok('PATCH', path, { name: 'north' })).toMatchObject({ name: 'north' });
    const taken = await call('PATCH', path, { name: 'default' });
    expect(taken.json().code).toBe('FACTORY_ERR_NAME_TAKEN');
    const manager = as('admin', 'organisation');
    const film = await manager.ok('POST', '/v1/projects', { name: 'film-7' });
    const renamed = await manager.ok('PATCH', `/v1/projects/${film.id}`, { name: 'film-8' });
    expect(renamed).toMatchObject({ id: film.id, name: 'film-8' });
    const both = await manager.call('PATCH', `/v1/projects/${film.id}`, { name: 'default' });
    expect(both.statusCode).toBe(409);
    const first = await call('PATCH', `/v1/projects/${admin().projectId}`, { name: 'x' });
    expect(first.json().code).toBe('FACTORY_ERR_WRONG_STATE');
  });

  it('that are another tenant’s are not there', async () => {
    const [north, south] = [await tenant('north'), await tenant('south')];
    const manager = north.as('admin', 'organisation');
    const missing = `prj_${'0'.repeat(32)}`;
    for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
      const body = method === 'PATCH' ? { name: 'x' } : undefined;
      const foreign = await manager.call(method, `/v1/projects/${south.project.id}`, body);
      const absent = await manager.call(method, `/v1/projects/${missing}`, body);
      expect([foreign.statusCode, absent.statusCode]).toEqual([404, 404]);
      const detail = (text: string) => text.replaceAll(/(prj|req)_[0-9a-f]+/g, '');
      expect(detail(foreign.body)).toBe(detail(absent.body));
    }
    const { items } = await manager.ok(
      'GET',
      `/v1/projects?organisationId=${south.organisation.id}`,
    );
    expect(items).toEqual([]);
    const into = { name: 'x', organisationId: south.organisation.id };
    expect((await manager.call('POST', '/v1/projects', into)).statusCode).toBe(404);
    const { items: own } = await north.as('viewer', 'project').ok('GET', '/v1/projects');
    expect(own).toEqual([north.project]);
  });

  it('are closed when they are empty, with subnets and keys', async () => {
    const { as, project } = await tenant('studio');
    const manager = as('admin', 'organisation');
    const last = await manager.call('DELETE', `/v1/projects/${project.id}`);
    expect(last.json().code).toBe('FACTORY_ERR_PROJECT_IN_USE');
    const film = await manager.ok('POST', '/v1/projects', { name: 'film' });
    const request = { name: 'robot', role: 'member', projectId: film.id };
    const key = await manager.ok('POST', '/v1/api-keys', request);
    const inFilm = new TestCaller(test().factory.api.app, film.id, 'member', false, {
      organisationId: film.organisationId,
    });
    const cluster = await test().factory.join('idc-1');
    const capacity = capacityOf(test().clock, 1, { vcpus: 4, memoryMiB: 4096 });
    await cluster.exchange({ capacity });
    const volume = { name: 'disk', kind: 'directory', sizeGiB: 1, cluster: cluster.name };
    const { id } = await inFilm.ok('POST', '/v1/volumes', volume);
    const full = await manager.call('DELETE', `/v1/projects/${film.id}`);
    expect(full.json()).toMatchObject({ code: 'FACTORY_ERR_PROJECT_IN_USE' });
    expect(full.json().detail).toContain('1 volumes');
    await inFilm.call('DELETE', `/v1/volumes/${id}`);
    await cluster.exchange({ capacity: { ...capacity, volumes: [] } });
    await cluster.exchange({ capacity: { ...capacity, volumes: [] } });
    const closed = await manager.call('DELETE', `/v1/projects/${film.id}`);
    expect(closed.statusCode, closed.body).toBe(204);
    expect((await manager.call('DELETE', `/v1/projects/${film.id}`)).statusCode).toBe(204);
    expect(await manager.ok('GET', `/v1/projects/${film.id}`)).toMatchObject({ state: 'closed' });
    const { items } = await inFilm.ok('GET', '/v1/subnets');
    expect(items).toEqual([]);
    const known = await test().factory.internal('GET', `/internal/v1/api-keys/${key.id}`);
    expect(known.json().revoked).toBe(true);
    const late = await manager.call('POST', '/v1/api-keys', request);
    expect(late.json().code).toBe('FACTORY_ERR_LIMIT_REACHED');
  });
});
