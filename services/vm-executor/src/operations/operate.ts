import type { OperationRequest, OperationResult } from '@factory/contracts';
import { type Clock, withDeadline } from '@factory/runtime';
import { explainFailure } from '../failures.ts';
import type { VmKeeper } from '../vm/keeper.ts';
import { type CallContext, handlingOf, type Reading } from './handling.ts';
import { timeLeftMs } from './outcome.ts';

/** What one-shot operations work with. */
export interface OperationContext extends CallContext {
  readonly clock: Clock;
  /** Of the operation's VM. */
  readonly keeper: VmKeeper;
  readonly onResult: (result: OperationResult) => void;
}

/** Carries an operation out, or leaves it to the VM's keeper; its result is told to the context. */
export async function operate(request: OperationRequest, context: OperationContext): Promise<void> {
  const handling = handlingOf(request);
  if (handling.how === 'read') context.onResult(await read(request, handling, context));
  else context.keeper.operate(request);
}

/** Why something can't be read is a result, too. */
async function read(
  request: OperationRequest,
  { run }: Reading,
  context: OperationContext,
): Promise<OperationResult> {
  const { operationId, vmId, kind } = request;
  const { clock } = context;
  try {
    const answer = await withDeadline(clock, kind, timeLeftMs(request, clock.nowMs()), () =>
      run(context),
    );
    return { operationId, vmId, outcome: 'succeeded', message: '', output: '', ...answer };
  } catch (error) {
    return { operationId, vmId, outcome: 'failed', ...explainFailure(error), output: '' };
  }
}
