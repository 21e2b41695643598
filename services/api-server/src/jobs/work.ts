import type { Clock, Logger } from '@factory/runtime';
import type { PlanningService } from '../planning/service.ts';
import type { Job } from './queue.ts';

/** Something that is looked after at every sweep: finds in the store what is due, and does it. */
export interface Duty {
  /** For the log, as in "… failed". */
  readonly name: string;
  sweep(nowMs: number): Promise<void>;
}

/** What jobs are done with; any may be done again at any time. A duty that fails holds up no other. */
export function createWork(parts: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly planning: PlanningService;
  readonly duties: readonly Duty[];
}): (job: Job) => Promise<void> {
  const { clock, logger, planning, duties } = parts;
  return async (job) => {
    switch (job.kind) {
      case 'planBatch':
        return planning.planBatch(job.batchId);
      case 'planWaiting':
        return planning.planWaiting(clock.nowMs());
      case 'sweep':
        for (const duty of [planning, ...duties]) {
          await duty.sweep(clock.nowMs()).catch((error: unknown) => {
            logger.error({ err: error, duty: duty.name }, 'a duty failed; the next sweep does it');
          });
        }
    }
  };
}
