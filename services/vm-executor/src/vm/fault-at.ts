import type { FaultPoints } from './procedure.ts';

/**
 * Fault points of which one, `<procedure>/<step>/before|after`, ends this process by `kill`: for
 * tests with real processes, which set `FACTORY_FAULT_AT`. Without a point nothing happens at any.
 */
export function killingAt(point: string | undefined, kill: () => void): FaultPoints {
  return {
    async at(procedure, step, when) {
      if (`${procedure}/${step}/${when}` !== point) return;
      kill();
      // The signal is on its way; nothing more is done until it arrives.
      await new Promise<never>(() => undefined);
    },
  };
}
