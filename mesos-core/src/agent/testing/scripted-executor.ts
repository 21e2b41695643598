import {
  type Clock,
  type HttpStream,
  type HttpTransport,
  type Random,
  sleep,
} from '@factory/runtime';
import {
  type ExecutorCall,
  type ExecutorEvent,
  readRecords,
  type TaskInfo,
  type TaskState,
  type TaskStatus,
} from '../../protocol/index.ts';
import type { InProcessExecutor, LaunchRequest } from '../containerizer/index.ts';

/** An executor for tests, in this process: it does what it must, and the test the rest. */
export interface ScriptedExecutor extends InProcessExecutor {
  readonly request: LaunchRequest;
  readonly events: ExecutorEvent[];
  /** Ids of the tasks that LAUNCH (or LAUNCH_GROUP) brought, repetitions included. */
  readonly launched: string[];
  /** Reports a state, again and again until it is acknowledged. */
  update(taskId: string, state: TaskState): void;
  message(text: string): void;
  /** Ends by itself. */
  exit(status: number): void;
}

const RETRY_MS = 300;
const CALL_TIMEOUT_MS = 1000;

/** Starts one. It reports TASK_RUNNING at LAUNCH, TASK_KILLED at KILL, and ends at SHUTDOWN. */
export function startScriptedExecutor(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: HttpTransport;
  readonly request: LaunchRequest;
  readonly ignoresShutdown?: boolean;
}): ScriptedExecutor {
  const { clock, random, transport, request, ignoresShutdown = false } = options;
  const url = `http://${request.environment.MESOS_AGENT_ENDPOINT}/api/v1/executor`;
  const token = request.environment.MESOS_EXECUTOR_AUTHENTICATION_TOKEN;
  const headers = {
    ...{ 'content-type': 'application/json', accept: 'application/json' },
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const ids = {
    executor_id: { value: request.executorId },
    framework_id: { value: request.frameworkId },
  };
  const { promise: exited, resolve: end } = Promise.withResolvers<number>();
  const death = new AbortController();
  const unacknowledgedTasks = new Map<string, TaskInfo>();
  const unacknowledgedUpdates = new Map<string, TaskStatus>();
  let stream: HttpStream | undefined;

  const post = async (call: ExecutorCall): Promise<void> => {
    try {
      await transport.request({
        method: 'POST',
        url,
        headers,
        body: JSON.stringify(call),
        timeoutMs: CALL_TIMEOUT_MS,
        signal: death.signal,
      });
    } catch {
      // Lost calls are what the tests are about; updates are repeated.
    }
  };
  const repeat = async (uuid: string): Promise<void> => {
    for (;;) {
      const status = unacknowledgedUpdates.get(uuid);
      if (status === undefined || death.signal.aborted) return;
      await post({ ...ids, type: 'UPDATE', update: { status } });
      await sleep(clock, RETRY_MS, death.signal).catch(() => undefined);
    }
  };
  const executor: ScriptedExecutor = {
    request,
    events: [],
    launched: [],
    exited,
    update(taskId, state) {
      const uuid = Buffer.from(random.bytes(16)).toString('base64');
      unacknowledgedUpdates.set(uuid, {
        task_id: { value: taskId },
        state,
        uuid,
        source: 'SOURCE_EXECUTOR',
        timestamp: clock.nowMs() / 1000,
      });
      void repeat(uuid);
    },
    message(text) {
      const data = Buffer.from(text).toString('base64');
      void post({ ...ids, type: 'MESSAGE', message: { data } });
    },
    exit(status) {
      executor.kill();
      end(status);
    },
    kill() {
      death.abort(new Error('killed'));
      stream?.close();
    },
  };
  const launch = (task: TaskInfo): void => {
    const id = task.task_id.value;
    executor.launched.push(id);
    unacknowledgedTasks.set(id, task);
    executor.update(id, 'TASK_RUNNING');
  };
  const handle = (event: ExecutorEvent): void => {
    executor.events.push(event);
    if (event.type === 'LAUNCH') launch(event.launch.task);
    if (event.type === 'LAUNCH_GROUP') event.launch_group.task_group.tasks?.forEach(launch);
    if (event.type === 'KILL') executor.update(event.kill.task_id.value, 'TASK_KILLED');
    if (event.type === 'SHUTDOWN' && !ignoresShutdown) executor.exit(0);
    if (event.type === 'ACKNOWLEDGED') {
      unacknowledgedUpdates.delete(event.acknowledged.uuid);
      unacknowledgedTasks.delete(event.acknowledged.task_id.value);
    }
  };
  const subscribe = async (): Promise<void> => {
    const unacknowledged_updates = [...unacknowledgedUpdates.values()].map((status) => ({
      status,
    }));
    const call: ExecutorCall = {
      ...ids,
      type: 'SUBSCRIBE',
      subscribe: {
        unacknowledged_tasks: [...unacknowledgedTasks.values()],
        unacknowledged_updates,
      },
    };
    stream = await transport.stream({
      method: 'POST',
      url,
      headers,
      body: JSON.stringify(call),
      timeoutMs: CALL_TIMEOUT_MS,
      signal: death.signal,
    });
    if (stream.status !== 200) return;
    for await (const record of readRecords(stream.body)) {
      if (death.signal.aborted) return;
      handle(JSON.parse(Buffer.from(record).toString()) as ExecutorEvent);
    }
  };
  const live = async (): Promise<void> => {
    while (!death.signal.aborted) {
      // A stream that breaks is subscribed again; that is the whole point.
      await subscribe().catch(() => undefined);
      await sleep(clock, RETRY_MS, death.signal).catch(() => undefined);
    }
  };
  void live();
  return executor;
}
