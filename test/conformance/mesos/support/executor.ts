import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { systemClock, waitFor } from '@factory/runtime';
import type {
  ExecutorCall,
  ExecutorEvent,
  TaskStatus,
} from '../../../../mesos-core/src/protocol/index.ts';
import { callApi, type Route, requestFor } from './api.ts';
import { EventLog, type EventOf } from './event-log.ts';
import { type Answer, open } from './raw-http.ts';
import { noteTraffic } from './traffic.ts';
import { decode, type Encoding } from './wire.ts';

type Ids = Pick<ExecutorCall, 'executor_id' | 'framework_id'>;
/** A call without the ids, which are filled in. */
export type OwnCall = ExecutorCall extends infer C
  ? C extends ExecutorCall
    ? Omit<C, keyof Ids>
    : never
  : never;

const LAUNCH_TIMEOUT_MS = 20_000;

/** Plays an executor whose process only sleeps: nothing but HTTP. */
export class RawExecutor {
  readonly #route: Route<'executor.Call'>;
  readonly #ids: Ids;
  readonly #log = new EventLog<ExecutorEvent>();
  #stream: IncomingMessage | undefined;

  constructor(agent: string, encoding: Encoding, frameworkId: string, executorId: string) {
    this.#route = { url: `${agent}/api/v1/executor`, name: 'executor.Call', encoding };
    this.#ids = { executor_id: { value: executorId }, framework_id: { value: frameworkId } };
  }

  /** Subscribes as soon as the agent has launched the executor. */
  async subscribe(): Promise<void> {
    this.#stream = await waitFor(systemClock, 'the agent', LAUNCH_TIMEOUT_MS, async () => {
      const call = this.#whole({ type: 'SUBSCRIBE', subscribe: {} });
      const stream = await open(requestFor(this.#route, call));
      if (stream.statusCode === 200) {
        noteTraffic(this.#route.encoding, 'executor.Call', call);
        return stream;
      }
      stream.destroy();
      return undefined;
    });
    const { encoding } = this.#route;
    void this.#log.read(this.#stream, (record) => decode(encoding, 'executor.Event', record));
  }

  call(call: OwnCall): Promise<Answer> {
    return callApi(this.#route, this.#whole(call));
  }

  /** Reports a state of a task. @returns the uuid that will be acknowledged. */
  async update(taskId: string, state: TaskStatus['state']): Promise<string> {
    const uuid = randomBytes(16).toString('base64');
    const { executor_id } = this.#ids;
    const status = { task_id: { value: taskId }, state, uuid, executor_id };
    const source = 'SOURCE_EXECUTOR' as const;
    await this.call({ type: 'UPDATE', update: { status: { ...status, source } } });
    return uuid;
  }

  /** The next event of a type that was not given before. */
  next<T extends ExecutorEvent['type']>(
    type: T,
    timeoutMs?: number,
  ): Promise<EventOf<ExecutorEvent, T>> {
    return this.#log.next(type, undefined, timeoutMs);
  }

  close(): void {
    this.#stream?.destroy();
  }

  #whole(call: OwnCall): ExecutorCall {
    return { ...this.#ids, ...call } as ExecutorCall;
  }
}
