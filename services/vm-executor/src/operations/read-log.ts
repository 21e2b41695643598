import type { OperationRequest, OperationResult } from '@factory/contracts';
import { explainFailure } from '../failures.ts';
import type { VmStorage } from '../storage/port.ts';

/** The end of a console log that is given. */
const LOG_BYTES_MAX = 64 * 1024;

/** The end of the VM's serial console log; why it can't be read is a result, too. */
export async function readLog(
  { operationId, vmId }: OperationRequest,
  storage: VmStorage,
): Promise<OperationResult> {
  const base = { operationId, vmId };
  try {
    const size = await storage.consoleSize(vmId);
    const from = Math.max(0, size - LOG_BYTES_MAX);
    const { text } = await storage.readConsole(vmId, from, LOG_BYTES_MAX);
    return { ...base, outcome: 'succeeded', message: '', output: text };
  } catch (error) {
    return { ...base, outcome: 'failed', message: explainFailure(error).message, output: '' };
  }
}
