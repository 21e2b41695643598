import {
  type Changes,
  ChangesQuerySchema,
  PostDesiredSchema,
  PostOperationsSchema,
  PutVmsSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { VmScheduler } from './scheduler.ts';
import type { SchedulerState } from './state.ts';
import { toReport } from './vm-record.ts';

/** Most changes in one answer; a reader that is further behind asks again. */
const CHANGES_PER_ANSWER_MAX = 2_000;

/** The API for the cluster-server (contracts/vm-scheduler-api.ts). */
export function registerRoutes(
  instance: FastifyInstance,
  scheduler: VmScheduler,
  state: SchedulerState,
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  app.put('/v1/vms', { schema: { body: PutVmsSchema } }, async (request) => {
    await scheduler.putVms(request.body.vms);
    return {};
  });

  app.post('/v1/desired', { schema: { body: PostDesiredSchema } }, async (request) => {
    await scheduler.setDesired(request.body.changes);
    return {};
  });

  app.post('/v1/operations', { schema: { body: PostOperationsSchema } }, async (request) => {
    await scheduler.operate(request.body.operations);
    return {};
  });

  app.post('/v1/changes', { schema: { body: ChangesQuerySchema } }, async (request) => {
    const { after, waitMs } = request.body;
    await state.changes.wait(after, waitMs);
    return changesAfter(state, after);
  });
}

/** Everything durable that is newer than `after`, oldest first. */
export function changesAfter(state: SchedulerState, after: number): Changes {
  const { ids, next } = state.changes.after(after, CHANGES_PER_ANSWER_MAX);
  const operations = ids.flatMap((id) => state.operation(id) ?? []);
  return {
    revision: next,
    vms: ids.flatMap((id) => state.vm(id) ?? []).map(toReport),
    operations: operations.flatMap((record) => record.result ?? []),
  };
}
