import { type Clock, sleep } from '@factory/runtime';
import {
  createPullTickets,
  type ImagePresence,
  type VmExecutorOptions,
} from '@factory/vm-executor';

const COPY_MS = 1_500;

/**
 * The copies of images on a simulated host, as one executor has them; `here` is what is whole, which
 * outlives it. A copy begins when the scheduler lets it, as the real one does.
 */
export function createSimulatedImages(
  parts: Pick<VmExecutorOptions, 'clock' | 'logger'>,
  here: Map<string, ImagePresence>,
): NonNullable<VmExecutorOptions['hostImages']> {
  const tickets = createPullTickets(parts);
  const pulls = new Map<string, ImagePresence>();
  const copy = async (clock: Clock, version: string): Promise<void> => {
    await tickets.wait(version);
    await sleep(clock, COPY_MS);
  };
  return {
    tickets,
    cache: {
      presence: () => [...here.values(), ...pulls.values()],
      async stage({ name, version = '' }) {
        if (here.has(version)) return;
        pulls.set(version, { name, version, percent: 0 });
        await copy(parts.clock, version);
        pulls.delete(version);
        here.set(version, { name, version, percent: 100 });
      },
    },
  };
}
