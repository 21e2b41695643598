import { constants, setPriority } from 'node:os';

/**
 * Lets this thread go before others of the machine; children inherit it. Where the system does not
 * allow it (it takes CAP_SYS_NICE), which is the rule for who is not root, all goes on as it is:
 * nothing depends on it.
 */
export function goBeforeOthers(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGH);
  } catch {
    // Not allowed.
  }
}
