import type { Clock, Logger } from '@factory/runtime';
import { cleanUp } from './clean-up.ts';
import type { Layout } from './layout.ts';
import { planFactory } from './plan-factory.ts';
import type { UpOptions } from './process-plan.ts';
import { layoutOn } from './shared-storage.ts';
import { Supervisor } from './supervisor.ts';

export interface RunFactoryOptions {
  readonly layout: Layout;
  readonly options: UpOptions;
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onProgress: (text: string) => void;
  readonly onReady: () => void;
  readonly onFailed: (message: string) => void;
}

/**
 * Runs a factory in this process until a signal ends it: SIGTERM and SIGINT take everything down,
 * SIGUSR2 everything but the guests.
 */
export async function runFactory(run: RunFactoryOptions): Promise<void> {
  const { options, port, clock, logger, onProgress } = run;
  const layout = layoutOn(run.layout, options.sharedStorage);
  const ending = Promise.withResolvers<{ keepVms: boolean }>();
  process.once('SIGTERM', () => ending.resolve({ keepVms: false }));
  process.once('SIGINT', () => ending.resolve({ keepVms: false }));
  process.once('SIGHUP', () => ending.resolve({ keepVms: false }));
  process.once('SIGUSR2', () => ending.resolve({ keepVms: true }));
  // What a killed supervisor left behind would hold ports and guests' disks.
  await cleanUp({ layout, keepVms: true, clock, onProgress: () => undefined });
  let supervisor: Supervisor | undefined;
  try {
    const plan = await planFactory(layout, options, port);
    supervisor = new Supervisor({ plan, clock, logger, onProgress });
    const started = supervisor.start().then(() => undefined);
    const ended = await Promise.race([started, ending.promise]);
    if (ended === undefined) run.onReady();
    const { keepVms } = ended ?? (await ending.promise);
    await supervisor.stop({ keepVms });
  } catch (error) {
    logger.error({ err: error }, 'the factory could not be brought up');
    process.exitCode = 1;
    await supervisor
      ?.stop({ keepVms: true })
      .catch((failure: unknown) => logger.error({ err: failure }, 'not everything was ended'));
    run.onFailed(error instanceof Error ? error.message : String(error));
  }
}
