import type { Clock, Logger, Random, SecretBox } from '@factory/runtime';
import { createHttpApp } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import type { Framework } from './framework.ts';
import { registerRoutes } from './routes.ts';
import { VmScheduler } from './scheduler.ts';
import { SchedulerState } from './state.ts';
import { type SchedulerFaults, withFaultPoints } from './steps.ts';
import type { SchedulerStore } from './store/store.ts';

export type { Framework, FrameworkHandler } from './framework.ts';
export { createFrameworkFinder } from './framework-recovery.ts';
export { createMesosFramework } from './mesos-framework.ts';
export { SCHEDULER_STEPS, type SchedulerFaults, type SchedulerStep } from './steps.ts';
export { createMemoryStore } from './store/memory-store.ts';
export { createPostgresStore } from './store/postgres-store.ts';
export { createSealedStore } from './store/sealed-store.ts';
export type { SchedulerStore } from './store/store.ts';

/** Images copied to hosts at a time, unless it is said otherwise. */
const PULLS_MAX = 8;

/** A thousand assignments with user-data of 64 KiB each fit. */
const BODY_LIMIT_BYTES = 80 * 1024 * 1024;

export interface VmSchedulerParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly framework: Framework;
  readonly store: SchedulerStore;
  readonly role: string;
  readonly executorCommand: string;
  /** Where a test ends the scheduler. */
  readonly faults?: SchedulerFaults;
  /** Images copied from shared storage to hosts at a time; 8 by default. */
  readonly pullsMax?: number;
  /** Seals administrators' passwords, which only executors open; absent: nothing is. */
  readonly secrets?: SecretBox;
}

export interface VmSchedulerService {
  readonly app: FastifyInstance;
  readonly state: SchedulerState;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The vm-scheduler on the given ports; `main.ts` wires the real ones, simulations theirs. */
export function createVmScheduler(parts: VmSchedulerParts): VmSchedulerService {
  const { clock, logger, random, role, executorCommand, faults } = parts;
  const { framework, store } = faults === undefined ? parts : withFaultPoints(parts, faults);
  const { pullsMax = PULLS_MAX } = parts;
  const state = new SchedulerState(store, clock, logger);
  const scheduler = new VmScheduler({
    clock,
    logger,
    framework,
    state,
    role,
    executorCommand,
    pullsMax,
    saveFrameworkId: (frameworkId) => store.saveFrameworkId(frameworkId),
    secrets: parts.secrets,
  });
  const app = createHttpApp({
    service: 'vm-scheduler',
    clock,
    logger,
    random,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    isReady: () =>
      scheduler.isSubscribed
        ? { ready: true, reasons: [] }
        : { ready: false, reasons: ['not subscribed to a Mesos master'] },
  });
  registerRoutes(app, scheduler, state);
  return { app, state, start: () => scheduler.start(), close: () => scheduler.close() };
}
