import type { Clock, HttpTransport, Logger, Random } from '@factory/runtime';
import {
  SchedulerClient,
  type SchedulerClientOptions,
  SubscriptionRejectedError,
} from 'mesos-core/client';
import type { FrameworkInfo, SchedulerCall } from 'mesos-core/protocol';
import type { Framework, FrameworkHandler } from './framework.ts';
import { FRAMEWORK_NAME } from './framework-recovery.ts';

/** Long enough for a person to repair a broken scheduler: until then no machine is touched. */
const FAILOVER_TIMEOUT_SECONDS = 7 * 24 * 3600;

export interface MesosFrameworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: HttpTransport;
  /** URLs of all masters, or what knows who leads. */
  readonly masters: SchedulerClientOptions['masters'];
  readonly role: string;
  readonly principal: string;
  /** Asked by a scheduler that knows of no framework: the id of one that was left behind. */
  readonly findLeft?: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
  /** Another scheduler subscribed as this framework, or the master refuses it: this one must end. */
  readonly onFenced: (error: Error) => void;
}

/** The framework's connection through mesos-core's scheduler client. */
export function createMesosFramework(options: MesosFrameworkOptions): Framework {
  return new MesosFramework(options);
}

class MesosFramework implements Framework {
  readonly #options: MesosFrameworkOptions;
  #client: SchedulerClient | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;
  readonly #closing = new AbortController();

  constructor(options: MesosFrameworkOptions) {
    this.#options = options;
  }

  start(frameworkId: string | undefined, handler: FrameworkHandler): void {
    this.#running = this.#run(frameworkId, handler);
  }

  async call(call: SchedulerCall): Promise<void> {
    if (call.type === 'SUBSCRIBE') throw new Error('the client subscribes by itself');
    const client = this.#client;
    if (client === undefined) throw new Error('the framework is not started');
    await client.call(call);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort(new Error('the framework is closing'));
    await this.#client?.stop();
    await this.#running;
  }

  /** Until it is closed: a framework that the master removed starts over as a new one. */
  async #run(frameworkId: string | undefined, handler: FrameworkHandler): Promise<void> {
    let id = frameworkId ?? (await this.#findLeft());
    while (!this.#isClosed) {
      this.#client = this.#newClient(id, handler);
      try {
        await this.#client.run();
      } catch (error) {
        if (this.#isClosed) return;
        const isRemoved = error instanceof SubscriptionRejectedError && error.reason === 'removed';
        if (!isRemoved) {
          this.#options.onFenced(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        this.#options.logger.error({ frameworkId: id }, 'removed by the master; registering anew');
        handler.onDisconnected();
        id = undefined;
      }
    }
  }

  async #findLeft(): Promise<string | undefined> {
    const { findLeft, logger } = this.#options;
    const { signal } = this.#closing;
    const found = await findLeft?.(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      return undefined;
    });
    if (found !== undefined) logger.warn({ frameworkId: found }, 'took up a framework left behind');
    return found;
  }

  #newClient(frameworkId: string | undefined, handler: FrameworkHandler): SchedulerClient {
    const { clock, random, logger, transport, masters } = this.#options;
    return new SchedulerClient({
      transport,
      clock,
      random,
      logger,
      masters,
      frameworkInfo: this.#frameworkInfo(frameworkId),
      onEvent: (event) => handler.onEvent(event),
      onState: (state) => {
        if (state === 'disconnected') handler.onDisconnected();
      },
    });
  }

  #frameworkInfo(frameworkId: string | undefined): FrameworkInfo {
    const { role, principal } = this.#options;
    return {
      user: 'root',
      name: FRAMEWORK_NAME,
      ...(frameworkId === undefined ? {} : { id: { value: frameworkId } }),
      failover_timeout: FAILOVER_TIMEOUT_SECONDS,
      checkpoint: true,
      roles: [role],
      principal,
      capabilities: [
        { type: 'PARTITION_AWARE' },
        { type: 'MULTI_ROLE' },
        { type: 'RESERVATION_REFINEMENT' },
        { type: 'GPU_RESOURCES' },
        { type: 'TASK_KILLING_STATE' },
      ],
    };
  }
}
