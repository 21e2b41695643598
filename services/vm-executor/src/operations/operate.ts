import type { OperationRequest, OperationResult } from '@factory/contracts';
import type { VmStorage } from '../storage/port.ts';
import type { VmKeeper } from '../vm/keeper.ts';
import { readLog } from './read-log.ts';

/** What one-shot operations work with. */
export interface OperationContext {
  /** Of the operation's VM. */
  readonly keeper: VmKeeper;
  readonly storage: VmStorage;
  readonly onResult: (result: OperationResult) => void;
}

/** Carries an operation out; its result is told to the context. */
export async function operate(request: OperationRequest, context: OperationContext): Promise<void> {
  switch (request.kind) {
    case 'readLog':
      context.onResult(await readLog(request, context.storage));
      return;
    case 'reboot':
      context.keeper.reboot(request);
      return;
  }
}
