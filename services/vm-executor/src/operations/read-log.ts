import type { VmId } from '@factory/contracts';
import type { VmStorage } from '../storage/port.ts';

/** The end of a console log that is given. */
const LOG_BYTES_MAX = 64 * 1024;

/** The end of the VM's serial console log. @throws VmFailure when it can't be read. */
export async function readLog(
  vmId: VmId,
  storage: VmStorage,
): Promise<{ readonly output: string }> {
  const size = await storage.consoleSize(vmId);
  const from = Math.max(0, size - LOG_BYTES_MAX);
  const { text } = await storage.readConsole(vmId, from, LOG_BYTES_MAX);
  return { output: text };
}
