import { expect, it, vi } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';
import { AuditLog } from './log.ts';
import type { AuditRecord } from './store.ts';

describeOnEachStore('the audit log', (test) => {
  it('has who made what, how it was answered, and from where, but no bodies', async () => {
    const { factory } = test();
    await factory.join('idc-1');
    const { caller } = factory;
    const request = { name: 'scratch', kind: 'directory', sizeGiB: 1 };
    const headers = { 'x-factory-client-address': '192.0.2.7', 'x-request-id': 'req-1' };
    const made = await caller.call('POST', '/v1/volumes', request, headers);
    const { items } = await caller.ok('GET', '/v1/audit');
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      ...{ operation: 'createVolume', status: 201, code: null, role: 'admin' },
      ...{ subjects: { made: made.json().id }, address: '192.0.2.7' },
      ...{ projectId: caller.projectId, requestId: made.headers['x-request-id'] },
    });
    expect(JSON.stringify(items)).not.toContain('scratch');
  });

  it('has what was refused, and leaves out what only looked', async () => {
    const { factory, clock } = test();
    const { first } = await withRunning(factory, clock, 1);
    const viewer = factory.caller.as('viewer');
    await viewer.ok('GET', `/v1/vms/${first.vmId}`);
    await viewer.call('POST', `/v1/vms/${first.vmId}:stop`, {});
    const { items } = await factory.caller.ok('GET', '/v1/audit?operation=stopVm');
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      ...{ status: 403, code: 'FACTORY_ERR_FORBIDDEN', role: 'viewer' },
      subjects: { id: first.vmId },
    });
  });

  it('is listed page by page, to admins of the organisation, and whole to operators', async () => {
    const { factory } = test();
    const { caller } = factory;
    const stranger = caller.as('admin', otherProject());
    for (let each = 0; each < 3; each += 1) await stranger.call('POST', '/v1/volumes', {});
    await caller.call('POST', '/v1/volumes', {});
    const first = await stranger.ok('GET', '/v1/audit?limit=2');
    expect(first.items).toHaveLength(2);
    const rest = await stranger.ok('GET', `/v1/audit?limit=2&cursor=${first.nextCursor}`);
    expect(rest.items).toHaveLength(1);
    expect(rest.nextCursor).toBeNull();
    expect((await caller.ok('GET', '/v1/audit')).items).toHaveLength(1);
    expect((await caller.ok('GET', '/v1/audit/platform')).items).toHaveLength(4);
    expect((await stranger.call('GET', '/v1/audit/platform')).statusCode).toBe(403);
    expect((await caller.as('member').call('GET', '/v1/audit')).statusCode).toBe(403);
  });

  it('is written before the answer: without it there is none', async () => {
    const { factory } = test();
    await factory.join('idc-1');
    const append = vi.spyOn(factory.store.audit, 'append').mockRejectedValue(new Error('away'));
    const request = { name: 'scratch', kind: 'directory', sizeGiB: 1 };
    const answer = await factory.caller.call('POST', '/v1/volumes', request);
    expect(answer.statusCode).toBe(503);
    expect(append).toHaveBeenCalledTimes(1);
  });

  it('forgets what is old', async () => {
    const { factory, clock } = test();
    await factory.caller.call('POST', '/v1/volumes', {});
    expect(await factory.store.audit.forget(clock.nowMs() - 60_000)).toBe(0);
    expect(await factory.store.audit.forget(clock.nowMs() + 60_000)).toBe(1);
  });
});

it('writes the calls that come while it writes by one insert', async () => {
  const inserts: number[] = [];
  const first = Promise.withResolvers<void>();
  const log = new AuditLog({
    append: async (records) => {
      inserts.push(records.length);
      if (inserts.length === 1) await first.promise;
    },
  });
  const record = { operation: 'x' } as AuditRecord;
  const written = Promise.all(Array.from({ length: 1_101 }, () => log.write(record)));
  first.resolve();
  await written;
  expect(inserts).toEqual([1, 500, 500, 100]);
});
