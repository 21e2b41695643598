import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Offer, OfferOperation, Resource } from '../../../mesos-core/src/protocol/index.ts';
import { RawFramework } from './support/framework.ts';
import { firstAgent, firstAgentId, type Operator, order } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { isRoomy, uniqueId } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

const APPLIED_TIMEOUT_MS = 10_000;

/** Disk that is reserved for a role. */
function reservedDisk(role: string, value: number): Resource {
  return {
    ...{ name: 'disk', type: 'SCALAR', scalar: { value } },
    reservations: [{ type: 'DYNAMIC', role, principal: 'conformance' }],
  };
}

function volumeOf(disk: Resource, id: string): Resource {
  return {
    ...disk,
    disk: {
      persistence: { id, principal: 'conformance' },
      volume: { container_path: 'data', mode: 'RW' },
    },
  };
}

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

describe.each(ENCODINGS)('volumes change their size, in %s', (encoding) => {
  it('by an operator’s GROW_VOLUME and SHRINK_VOLUME', async () => {
    const operator: Operator = { target, encoding };
    const agent_id = await firstAgentId(operator);
    const id = uniqueId('volume');
    const [small, large] = [64, 128].map((size) => volumeOf(reservedDisk('qa', size), id));
    const addition = reservedDisk('qa', 64);
    if (small === undefined || large === undefined) throw new Error('there are two');
    const resources = [reservedDisk('qa', 128)];
    const hasSize = (value: number) =>
      waitFor(systemClock, `a volume of ${value} MB`, APPLIED_TIMEOUT_MS, async () => {
        const { total_resources = [] } = await firstAgent(operator);
        const found = total_resources.find(({ disk }) => disk?.persistence?.id === id);
        return found?.scalar?.value === value ? true : undefined;
      });
    const reserve_resources = { agent_id, resources };
    await order(operator, { type: 'RESERVE_RESOURCES', reserve_resources }, 202);
    const create_volumes = { agent_id, volumes: [small] };
    await order(operator, { type: 'CREATE_VOLUMES', create_volumes }, 202);
    const grow_volume = { agent_id, volume: small, addition };
    await order(operator, { type: 'GROW_VOLUME', grow_volume }, 202);
    await hasSize(128);
    const shrink_volume = { agent_id, volume: large, subtract: { value: 64 } };
    await order(operator, { type: 'SHRINK_VOLUME', shrink_volume }, 202);
    await hasSize(64);
    await order(operator, { type: 'DESTROY_VOLUMES', destroy_volumes: create_volumes }, 202);
    const unreserve_resources = reserve_resources;
    await order(operator, { type: 'UNRESERVE_RESOURCES', unreserve_resources }, 202);
  });

  it('by GROW_VOLUME and SHRINK_VOLUME in an ACCEPT', async () => {
    const framework = await RawFramework.subscribe(target.master, encoding);
    const id = uniqueId('volume');
    const allocation_info = { role: 'eng' };
    const disk = (size: number) => ({ ...reservedDisk('eng', size), allocation_info });
    const volume = (size: number) => volumeOf(disk(size), id);
    const accept = async ({ id: offerId }: Offer, ...operations: readonly OfferOperation[]) => {
      const filters = { refuse_seconds: 0 };
      const accepted = { offer_ids: [offerId], operations, filters };
      expect((await framework.call({ type: 'ACCEPT', accept: accepted })).status).toBe(202);
    };
    const sized = (size: number) =>
      framework.offer(({ resources = [] }) =>
        resources.some((each) => each.disk?.persistence?.id === id && each.scalar?.value === size),
      );
    try {
      await accept(
        await framework.offer(isRoomy),
        { type: 'RESERVE', reserve: { resources: [disk(128)] } },
        { type: 'CREATE', create: { volumes: [volume(64)] } },
      );
      const grow_volume = { volume: volume(64), addition: disk(64) };
      await accept(await sized(64), { type: 'GROW_VOLUME', grow_volume });
      const shrink_volume = { volume: volume(128), subtract: { value: 64 } };
      await accept(await sized(128), { type: 'SHRINK_VOLUME', shrink_volume });
      await accept(
        await sized(64),
        { type: 'DESTROY', destroy: { volumes: [volume(64)] } },
        { type: 'UNRESERVE', unreserve: { resources: [disk(128)] } },
      );
    } finally {
      await framework.teardown();
    }
  });

  it('CREATE_DISK and DESTROY_DISK, which need a resource provider, are OPERATION_ERROR', async () => {
    const framework = await RawFramework.subscribe(target.master, encoding);
    const ids = ['CREATE_DISK', 'DESTROY_DISK'].map((type) => ({ value: uniqueId(type) }));
    const source = { ...reservedDisk('eng', 64), allocation_info: { role: 'eng' } };
    try {
      const offer = await framework.offer(isRoomy);
      const operations: readonly OfferOperation[] = [
        { type: 'CREATE_DISK', id: ids[0], create_disk: { source, target_type: 'MOUNT' } },
        { type: 'DESTROY_DISK', id: ids[1], destroy_disk: { source } },
      ];
      const accept = { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } };
      await framework.call({ type: 'ACCEPT', accept });
      for (const operation_id of ids) {
        const { update_operation_status } = await framework.next('UPDATE_OPERATION_STATUS');
        expect(update_operation_status.status).toMatchObject({
          ...{ operation_id, state: 'OPERATION_ERROR' },
        });
      }
    } finally {
      await framework.teardown();
    }
  });
});

proveCoverage(import.meta.url);
