import closeWithGrace from 'close-with-grace';
import { type Clock, systemClock } from './clock.ts';
import { createLogger, type Logger } from './log.ts';
import { type Random, systemRandom } from './random.ts';
import { StartError } from './start-error.ts';

/** What a starting service gets from its process. */
export interface ServiceContext {
  /** Aborts when the process is asked to end; give it to loops and long waits. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** A service that runs. */
export interface RunningService {
  /** Ends the service; called once, bounded by the grace period. */
  close(): Promise<void>;
  /** Ends the service's work for good, on SIGUSR1; the process ends after it. Absent: ignores that signal. */
  leave?(): Promise<void>;
  /** Resolves when the service is fit for work; only logged. */
  readonly ready?: Promise<void>;
}

const GRACE_MS = 10_000;

/**
 * Runs a service as this process, for `main.ts` files. SIGTERM, SIGINT and SIGHUP abort the signal,
 * close the service and exit with 0; SIGUSR1 lets it leave before; an uncaught error, a failed start, a close that fails or takes
 * more than `graceMs` (default 10 s), and a second signal exit with 1.
 */
export function runService(options: {
  readonly name: string;
  readonly start: (context: ServiceContext) => Promise<RunningService>;
  readonly graceMs?: number;
}): void {
  const { name, graceMs = GRACE_MS } = options;
  const logger = createLogger(name, process.env.FACTORY_LOG_LEVEL ?? 'info');
  const controller = new AbortController();
  const context = { signal: controller.signal, logger, clock: systemClock, random: systemRandom };
  // Left alone, Node would open its debugger on this signal, to every user of this machine.
  process.on('SIGUSR1', () => onUserSignal());
  const starting = Promise.resolve().then(() => options.start(context));
  closeWithGrace(
    {
      delay: graceMs,
      logger: { error: (error: unknown) => logger.error({ err: error }, 'close failed') },
      onTimeout: () => logger.error({ graceMs }, 'did not close in time; exiting'),
      onSecondSignal: (signal) => logger.error({ signal }, 'second signal; exiting'),
      onSecondError: (error) => logger.error({ err: error }, 'error while closing; exiting'),
    },
    async ({ signal, err }) => {
      if (err === undefined) logger.info({ signal }, 'closing');
      else logger.error({ err }, 'uncaught error; closing');
      controller.abort(new Error(`${name} is closing`));
      const service = await settledValue(starting);
      try {
        await service?.close();
        if (err === undefined) logger.info({}, 'closed');
      } finally {
        // What is still to be written at the exit may overtake the line that is being written.
        await logger.written();
      }
    },
  );
  starting.then(
    (service) => {
      logger.info({ pid: process.pid }, 'started');
      service.ready?.then(() => logger.info({}, 'ready'), failProcess);
    },
    (error: unknown) => {
      if (controller.signal.aborted) return;
      sayWhy(name, logger, error);
      logger.written().finally(() => process.exit(1));
    },
  );
  let isLeaving = false;
  function onUserSignal(): void {
    if (isLeaving || controller.signal.aborted) return;
    isLeaving = true;
    leave().catch(failProcess);
  }
  async function leave(): Promise<void> {
    const service = await settledValue(starting);
    if (service?.leave === undefined) {
      logger.info({}, 'SIGUSR1 is of no meaning here; ignored');
      isLeaving = false;
      return;
    }
    await service.leave();
    process.kill(process.pid, 'SIGTERM');
  }
}

/** Says why the start failed; what somebody can mend without the place in our code that found it. */
function sayWhy(name: string, logger: Logger, error: unknown): void {
  if (!(error instanceof StartError)) logger.error({ err: error }, 'could not start');
  else if (process.stderr.isTTY) process.stderr.write(`${name}: ${error.message}\n`);
  else logger.error({ code: error.code, why: error.message }, 'could not start');
}

/** The value of a start that worked; a failed start has been reported where it failed. */
async function settledValue<T>(promise: Promise<T>): Promise<T | undefined> {
  const [result] = await Promise.allSettled([promise]);
  return result.status === 'fulfilled' ? result.value : undefined;
}

/** Hands an error to the handler of uncaught ones. */
function failProcess(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
