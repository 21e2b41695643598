import { hostAttribute } from '@factory/contracts';
import {
  type Clock,
  DeadlineExceededError,
  type HttpTransport,
  type Logger,
  type Random,
  waitFor,
} from '@factory/runtime';
import { ExecutorClient, type ExecutorEnvironment } from 'mesos-core/client';
import type { AgentInfo, ExecutorEvent, TaskInfo } from 'mesos-core/protocol';
import type { AgentSeen, ExecutorLink, LaunchedTask, LinkHandlers } from './link.ts';

/** At the end, updates that the agent has not acknowledged have this long to be. */
const ACKNOWLEDGE_TIMEOUT_MS = 2_000;

/** The link to a Mesos agent, by the v1 executor API. */
export function createMesosLink(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: HttpTransport;
  readonly environment: ExecutorEnvironment;
}): ExecutorLink {
  const { clock, logger } = options;
  let handlers: LinkHandlers | undefined;
  const client = new ExecutorClient({
    ...options,
    onEvent: (event) => {
      if (handlers !== undefined) handleEvent(event, handlers, logger);
    },
  });

  return {
    start(given) {
      handlers = given;
      client.run().then(
        () => given.onShutdown(),
        (error: unknown) => {
          // The guests run on; an executor of the agent's next life adopts them.
          logger.error({ err: error }, 'the agent is lost');
          given.onShutdown();
        },
      );
    },
    updateTask(taskId, state, message) {
      logger.info({ taskId, state, reason: message }, 'task update');
      client.update({ task_id: { value: taskId }, state, message });
    },
    sendMessage: (data) => client.message(Buffer.from(data).toString('base64')),
    async close() {
      const allSeen = () => client.unacknowledgedUpdates.length === 0 || undefined;
      await waitFor(clock, 'acknowledgements', ACKNOWLEDGE_TIMEOUT_MS, allSeen).catch(
        (error: unknown) => {
          if (!(error instanceof DeadlineExceededError)) throw error;
          const tasks = client.unacknowledgedUpdates.map((update) => update.task_id.value);
          logger.warn({ tasks }, 'updates of these tasks were not acknowledged');
        },
      );
      await client.stop();
    },
  };
}

function handleEvent(event: ExecutorEvent, handlers: LinkHandlers, logger: Logger): void {
  switch (event.type) {
    case 'SUBSCRIBED':
      handlers.onSubscribed(toAgentSeen(event.subscribed.agent_info));
      return;
    case 'LAUNCH':
      handlers.onLaunch([toLaunched(event.launch.task)]);
      return;
    case 'LAUNCH_GROUP':
      handlers.onLaunch((event.launch_group.task_group.tasks ?? []).map(toLaunched));
      return;
    case 'KILL':
      handlers.onKill(event.kill.task_id.value);
      return;
    case 'MESSAGE':
      handlers.onMessage(Buffer.from(event.message.data, 'base64'));
      return;
    case 'SHUTDOWN':
      handlers.onShutdown();
      return;
    case 'ERROR':
      logger.error({ reason: event.error.message }, 'the agent reports an error');
      return;
    case 'ACKNOWLEDGED':
    case 'HEARTBEAT':
    case 'UNKNOWN':
      return;
  }
}

function toAgentSeen({ hostname, attributes = [] }: AgentInfo): AgentSeen {
  return { hostName: hostname, attributes: attributes.map(hostAttribute) };
}

function toLaunched(task: TaskInfo): LaunchedTask {
  return { taskId: task.task_id.value, data: Buffer.from(task.data ?? '', 'base64') };
}
