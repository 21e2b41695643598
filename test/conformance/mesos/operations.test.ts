import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Offer, SchedulerCall } from '../../../mesos-core/src/protocol/index.ts';
import { RawFramework } from './support/framework.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { allocated, isRoomy, uniqueId } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

/** What a case works with: a framework that is subscribed, and an offer. */
interface Scene {
  readonly framework: RawFramework;
  readonly offer: Offer;
}

interface Case {
  readonly call: SchedulerCall['type'];
  readonly does: string;
  readonly run: (scene: Scene) => Promise<void>;
}

const CASES: readonly Case[] = [
  {
    call: 'ACCEPT',
    does: 'with RESERVE, CREATE, DESTROY and UNRESERVE changes what is offered, and back',
    run: async ({ framework, offer }) => {
      const reservation = { type: 'DYNAMIC', role: 'eng', principal: 'conformance' } as const;
      const reserved = allocated(offer, 'disk:64').map((each) => ({
        ...each,
        reservations: [reservation],
      }));
      const volumes = reserved.map((each) => ({
        ...each,
        disk: {
          persistence: { id: uniqueId('volume'), principal: 'conformance' },
          volume: { container_path: 'data', mode: 'RW' as const },
        },
      }));
      const filters = { refuse_seconds: 0 };
      await framework.accepted({
        type: 'ACCEPT',
        accept: {
          offer_ids: [offer.id],
          filters,
          operations: [
            { type: 'RESERVE', reserve: { resources: reserved } },
            { type: 'CREATE', create: { volumes } },
          ],
        },
      });
      const id = volumes[0]?.disk.persistence.id;
      const hasVolume = ({ resources = [] }: Offer) =>
        resources.some((each) => each.disk?.persistence?.id === id);
      const withVolume = await framework.offer(hasVolume);
      await framework.accepted({
        type: 'ACCEPT',
        accept: {
          offer_ids: [withVolume.id],
          filters,
          operations: [
            { type: 'DESTROY', destroy: { volumes } },
            { type: 'UNRESERVE', unreserve: { resources: reserved } },
          ],
        },
      });
      const after = await framework.offer(isRoomy);
      expect((after.resources ?? []).flatMap((each) => each.reservations ?? [])).toEqual([]);
    },
  },
  {
    call: 'ACKNOWLEDGE_OPERATION_STATUS',
    does: 'follows the status of an operation with an id',
    run: async ({ framework, offer }) => {
      const operation_id = { value: uniqueId('operation') };
      const reserved = allocated(offer, 'mem:32').map((each) => ({
        ...each,
        reservations: [{ type: 'DYNAMIC' as const, role: 'eng', principal: 'conformance' }],
      }));
      const reserve = {
        type: 'RESERVE' as const,
        id: operation_id,
        reserve: { resources: reserved },
      };
      await framework.accepted({
        type: 'ACCEPT',
        accept: { offer_ids: [offer.id], operations: [reserve], filters: { refuse_seconds: 0 } },
      });
      const event = await framework.next(
        'UPDATE_OPERATION_STATUS',
        ({ update_operation_status: { status } }) =>
          status.operation_id?.value === operation_id.value,
      );
      const { status } = event.update_operation_status;
      expect(status.state).toBe('OPERATION_FINISHED');
      const uuid = status.uuid?.value ?? '';
      await framework.accepted({
        type: 'ACKNOWLEDGE_OPERATION_STATUS',
        acknowledge_operation_status: { operation_id, agent_id: offer.agent_id, uuid },
      });
      const isReserved = ({ resources = [] }: Offer) =>
        resources.some((each) => (each.reservations ?? []).length > 0);
      const next = await framework.offer(isReserved);
      await framework.accepted({
        type: 'ACCEPT',
        accept: {
          offer_ids: [next.id],
          operations: [{ type: 'UNRESERVE', unreserve: { resources: reserved } }],
        },
      });
    },
  },
  {
    call: 'RECONCILE_OPERATIONS',
    does: 'tells that an operation is unknown',
    run: async ({ framework, offer }) => {
      const operation_id = { value: uniqueId('unknown') };
      await framework.accepted({
        type: 'RECONCILE_OPERATIONS',
        reconcile_operations: { operations: [{ operation_id, agent_id: offer.agent_id }] },
      });
      const event = await framework.next('UPDATE_OPERATION_STATUS');
      expect(event.update_operation_status.status).toMatchObject({
        operation_id,
        state: 'OPERATION_UNKNOWN',
      });
    },
  },
];

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

for (const encoding of ENCODINGS) {
  describe(`operations in ${encoding}`, () => {
    it.each(CASES)('$call $does', { timeout: 60_000 }, async ({ run }) => {
      const framework = await RawFramework.subscribe(target.master, encoding);
      try {
        await run({ framework, offer: await framework.offer(isRoomy) });
      } finally {
        await framework.teardown();
      }
    });
  });
}

proveCoverage(import.meta.url);
