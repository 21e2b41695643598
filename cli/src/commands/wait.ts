import type { Batch, Vm } from '@factory/contracts';
import { type Clock, sleep } from '@factory/runtime';
import type { FactoryClient } from '../client/factory-client.ts';
import { describeCounts } from '../output/format.ts';
import type { Progress } from '../output/progress.ts';

const POLL_MS = 250;
/**
 * A machine that runs but whose guest has not said that it is up by then is taken as it is: images
 * need not have a boot marker.
 */
const GUEST_READY_TIMEOUT_MS = 120_000;

/** What was waited for did not come. The message says what to do next. */
export class WaitError extends Error {
  readonly code = 'FACTORY_ERR_WAIT';
  constructor(message: string) {
    super(message);
    this.name = 'WaitError';
  }
}

/**
 * Waits until every machine of the batch has settled and the guests that run are up.
 * @throws WaitError when time is up or machines failed.
 */
export async function waitForBatch(
  client: FactoryClient,
  clock: Clock,
  batch: Batch,
  progress: Progress,
  timeoutMs: number,
): Promise<Batch> {
  const startedAtMs = clock.monotonicMs();
  let settledAtMs: number | undefined;
  for (;;) {
    const current = await client.batch(batch.id);
    const nowMs = clock.monotonicMs();
    const reason = current.pendingReason === null ? '' : ` — waiting: ${current.pendingReason}`;
    progress.step(`${batch.name}: ${describeCounts(current)}${reason}`);
    if (current.state === 'failed') {
      progress.end();
      throw new WaitError(`${batch.name} was released: ${current.failure ?? 'it has failed'}`);
    }
    if (current.settled) settledAtMs ??= nowMs;
    const running = current.vmCounts.running ?? 0;
    const isUp = current.settled && current.readyCount >= running;
    const isPatienceOver =
      settledAtMs !== undefined && nowMs - settledAtMs > GUEST_READY_TIMEOUT_MS;
    if (isUp || (current.settled && isPatienceOver)) return finish(current, progress);
    if (nowMs - startedAtMs > timeoutMs) {
      progress.end();
      throw new WaitError(
        `${batch.name} is not complete after ${Math.round(timeoutMs / 1000)} s. Look: ./factory vm list --batch ${batch.name}`,
      );
    }
    await sleep(clock, POLL_MS);
  }
}

function finish(batch: Batch, progress: Progress): Batch {
  const failed = batch.vmCounts.failed ?? 0;
  if (failed > 0) {
    progress.end();
    throw new WaitError(
      `${failed} of ${batch.count} machines failed. Why: ./factory vm list --batch ${batch.name}`,
    );
  }
  progress.done(`${batch.name}: ${describeCounts(batch)}`);
  return batch;
}

/**
 * Waits until nothing of the batch is left.
 * @throws WaitError when time is up.
 */
export async function waitForBatchDeleted(
  client: FactoryClient,
  clock: Clock,
  batch: Batch,
  progress: Progress,
  timeoutMs: number,
): Promise<void> {
  const startedAtMs = clock.monotonicMs();
  for (;;) {
    const current = await client.batch(batch.id);
    progress.step(`deleting ${batch.name}: ${describeCounts(current)}`);
    if (current.state === 'deleted') break;
    if (clock.monotonicMs() - startedAtMs > timeoutMs) {
      progress.end();
      throw new WaitError(`${batch.name} is not deleted yet. Look: ./factory vm list`);
    }
    await sleep(clock, POLL_MS);
  }
  progress.done(`${batch.name} is deleted`);
}

/** Waits until the machine is in one of the states. */
export async function waitForVm(
  client: FactoryClient,
  clock: Clock,
  vm: Vm,
  states: readonly string[],
  progress: Progress,
  timeoutMs: number,
): Promise<Vm> {
  const startedAtMs = clock.monotonicMs();
  for (;;) {
    const current = await client.vm(vm.id);
    progress.step(`${vm.name}: ${current.state}`);
    if (states.includes(current.state)) {
      progress.done(`${vm.name}: ${current.state}`);
      return current;
    }
    const isFailed = current.state === 'failed';
    if (isFailed || clock.monotonicMs() - startedAtMs > timeoutMs) {
      progress.end();
      throw new WaitError(
        `${vm.name} is ${current.state}: ${current.message ?? 'no reason given'}`,
      );
    }
    await sleep(clock, POLL_MS);
  }
}
