import {
  type Changes,
  ChangesQuerySchema,
  PostDesiredSchema,
  PostHostGoneSchema,
  PostOperationsSchema,
  PostStagesSchema,
  PostWithdrawSchema,
  PutVmsSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { NOTHING, needOf, plus } from './placement-amounts.ts';
import type { VmScheduler } from './scheduler.ts';
import type { SchedulerState } from './state.ts';
import { toReport } from './vm-record.ts';

/** Most changes in one answer; a reader that is further behind asks again. */
const CHANGES_PER_ANSWER_MAX = 2_000;
/** Console logs in one answer, in characters. */
const OUTPUT_LENGTH_MAX = 4 * 1024 * 1024;

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
    return { unknown: await scheduler.setDesired(request.body.changes) };
  });

  app.post('/v1/operations', { schema: { body: PostOperationsSchema } }, async (request) => {
    await scheduler.operate(request.body.operations);
    return {};
  });

  app.get('/v1/metrics', async () => ({ samples: scheduler.use.latest() }));

  app.get('/v1/images', async () => ({ agents: scheduler.images.list() }));

  app.post('/v1/images/stage', { schema: { body: PostStagesSchema } }, async (request) => {
    scheduler.images.stage(request.body.stages);
    return {};
  });

  app.get('/v1/agents', async () => ({ agents: scheduler.agents() }));

  app.post('/v1/withdraw', { schema: { body: PostWithdrawSchema } }, async (request) => {
    await scheduler.withdraw(request.body.vms);
    return {};
  });

  app.post('/v1/hosts-gone', { schema: { body: PostHostGoneSchema } }, async (request) => {
    await scheduler.declareHostGone(request.body.hostName);
    return {};
  });

  app.post('/v1/changes', { schema: { body: ChangesQuerySchema } }, async (request) => {
    const { after, waitMs, reported } = request.body;
    state.seenUpTo(Math.max(after, reported ?? 0));
    if (reported !== undefined) scheduler.reportedUpTo(reported);
    await state.changes.wait(after, waitMs);
    return { ...changesAfter(state, after), orphans: scheduler.orphans };
  });
}

/** Everything durable that is newer than `after`, oldest first, in an answer of bounded size. */
export function changesAfter(state: SchedulerState, after: number): Changes {
  for (let limit = CHANGES_PER_ANSWER_MAX; ; limit = Math.ceil(limit / 2)) {
    const { ids, next } = state.changes.after(after, limit);
    const known = ids.flatMap((id) => state.operation(id) ?? []);
    const operations = known.flatMap(({ result }) => result ?? []);
    const running = known.filter(({ result }) => result === null);
    const progress = running.flatMap((each) => each.progress ?? []);
    const outputLength = operations.reduce((sum, result) => sum + result.output.length, 0);
    if (outputLength > OUTPUT_LENGTH_MAX && limit > 1) continue;
    const vms = ids.flatMap((id) => state.vm(id) ?? []).map(toReport);
    return { revision: next, vms, operations, progress, waiting: waitingNeed(state) };
  }
}

/** What all VMs need that wait for a host, QEMU's part included; cleaning up needs nothing. */
function waitingNeed(state: SchedulerState): { vcpus: number; memoryMiB: number } {
  let sum = NOTHING;
  for (const vmId of state.withoutTask) {
    const record = state.vm(vmId);
    const isWaiting = record?.phase === 'waiting' && record.assignment.desired !== 'deleted';
    if (record !== undefined && isWaiting) sum = plus(sum, needOf(record.assignment));
  }
  return { vcpus: sum.cpus, memoryMiB: sum.memoryMiB };
}
