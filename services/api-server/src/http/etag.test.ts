import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { withRunning } from '../testing/running.ts';
import { etagOf, isAmong, thingOf } from './etag.ts';

describe('tags of what is shown', () => {
  it('differ exactly when it differs', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(etagOf(a) === etagOf(b)).toBe(a === b);
        expect(isAmong(etagOf(a), `"x", ${etagOf(b)}`)).toBe(a === b);
        expect(isAmong(etagOf(a), '*')).toBe(true);
      }),
    );
  });

  it.each([
    ['/v1/vms/vm_1', '/v1/vms/vm_1'],
    ['/v1/vms/vm_1?x=1', '/v1/vms/vm_1'],
    ['/v1/vms/vm_1:start', '/v1/vms/vm_1'],
    ['/v1/vms', '/v1/vms'],
  ])('of %s are those of %s', (url, thing) => {
    expect(thingOf(url)).toBe(thing);
  });
});

describeOnEachStore('a change upon a state that somebody has read', (test) => {
  it('is made while it is so, and refused with 412 once it is not', async () => {
    const { factory, clock } = test();
    const { first, batch } = await withRunning(factory, clock, 1);
    const { caller } = factory;
    for (const url of [`/v1/vms/${first.vmId}`, `/v1/batches/${batch.id}`]) {
      const read = await caller.call('GET', url);
      const tag = String(read.headers.etag);
      expect(tag).toMatch(/^"[0-9a-f]{32}"$/);
      const change = { securityRules: [] };
      const changed = await caller.call('PATCH', url, change, { 'if-match': tag });
      expect(changed.statusCode).toBeLessThan(300);
      const rule = { direction: 'in', protocol: 'tcp', ports: [1, 2], action: 'accept' };
      await caller.ok('PATCH', url, { securityRules: [rule] });
      for (const method of ['PATCH', 'DELETE'] as const) {
        const body = method === 'PATCH' ? change : undefined;
        const late = await caller.call(method, url, body, { 'if-match': tag });
        expect(late.statusCode).toBe(412);
        expect(late.json().code).toBe('FACTORY_ERR_PRECONDITION_FAILED');
      }
      const any = await caller.call('PATCH', url, change, { 'if-match': '*' });
      expect(any.statusCode).toBeLessThan(300);
    }
    const verb = `/v1/vms/${first.vmId}:stop`;
    const refused = await caller.call('POST', verb, {}, { 'if-match': '"0"' });
    expect(refused.statusCode).toBe(412);
  });

  it('is not needed to know that nothing is new: a reader is told so with 304', async () => {
    const { factory, clock } = test();
    const { first } = await withRunning(factory, clock, 1);
    const url = `/v1/vms/${first.vmId}`;
    const tag = String((await factory.caller.call('GET', url)).headers.etag);
    const same = await factory.caller.call('GET', url, undefined, { 'if-none-match': tag });
    expect([same.statusCode, same.body]).toEqual([304, '']);
    const other = await factory.caller.call('GET', url, undefined, { 'if-none-match': '"0"' });
    expect(other.statusCode).toBe(200);
  });

  it('about what is not there is refused as ever', async () => {
    const { caller } = test().factory;
    const url = `/v1/vms/vm_${'0'.repeat(32)}`;
    const answer = await caller.call('DELETE', url, undefined, { 'if-match': '"0"' });
    expect(answer.statusCode).toBe(404);
  });
});
