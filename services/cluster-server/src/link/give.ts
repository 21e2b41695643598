import type {
  DesiredChange,
  OperationRequest,
  OperationResult,
  Refusal,
  VmAssignment,
} from '@factory/contracts';
import { RemoteProblemError } from '@factory/runtime';
import type { VmSchedulerClient } from '../picture/scheduler-client.ts';

/** Answers that the same request will always get: not valid, too large. */
const WRONG_STATUSES: ReadonlySet<number> = new Set([400, 413, 422]);
const MESSAGE_MAX = 1_024;

/** One item that is refused for good, and why. */
interface Refused<T> {
  readonly item: T;
  readonly message: string;
}

/** Gives assignments to the vm-scheduler. @throws what has to be tried again. */
export async function giveVms(
  vmScheduler: VmSchedulerClient,
  vms: readonly VmAssignment[],
): Promise<readonly Refusal[]> {
  const refused = await give(vms, (some) => vmScheduler.putVms(some));
  return refused.map(asRefusal);
}

/** Gives wishes to the vm-scheduler. @throws what has to be tried again. */
export async function giveWishes(
  vmScheduler: VmSchedulerClient,
  changes: readonly DesiredChange[],
): Promise<readonly Refusal[]> {
  const unknown = new Set<string>();
  const refused = await give(changes, async (some) => {
    for (const vmId of await vmScheduler.setDesired(some)) unknown.add(vmId);
  });
  const unknowns = changes
    .filter(({ vmId }) => unknown.has(vmId))
    .map(({ vmId, generation }) => {
      const message = 'The cluster does not have this machine.';
      return { vmId, generation, kind: 'unknown' as const, message };
    });
  return [...refused.map(asRefusal), ...unknowns];
}

/** Gives operations to the vm-scheduler; gives those that failed by that. @throws as above. */
export async function giveOperations(
  vmScheduler: VmSchedulerClient,
  operations: readonly OperationRequest[],
): Promise<readonly OperationResult[]> {
  const refused = await give(operations, (some) => vmScheduler.operate(some));
  return refused.map(({ item: { operationId, vmId }, message }) => ({
    ...{ operationId, vmId, message, outcome: 'failed' as const, output: '' },
  }));
}

/**
 * Sends items; when they are refused as wrong, sends each half alone, until only those that are
 * wrong by themselves are left. These will always be refused: nobody must wait behind them.
 */
async function give<T>(
  items: readonly T[],
  send: (items: readonly T[]) => Promise<void>,
): Promise<readonly Refused<T>[]> {
  try {
    await send(items);
    return [];
  } catch (error) {
    if (!(error instanceof RemoteProblemError) || !WRONG_STATUSES.has(error.status)) throw error;
    const [item] = items;
    if (item === undefined) return [];
    if (items.length === 1) return [{ item, message: error.detail.slice(0, MESSAGE_MAX) }];
    const middle = Math.ceil(items.length / 2);
    const first = await give(items.slice(0, middle), send);
    return [...first, ...(await give(items.slice(middle), send))];
  }
}

function asRefusal({ item, message }: Refused<VmAssignment | DesiredChange>): Refusal {
  const { vmId, generation } = item;
  return { vmId, generation, kind: 'refused', message };
}
