import type { SchedulerMessage } from '@factory/contracts';
import type { Logger } from '@factory/runtime';
import type { FrameworkID, SchedulerCall, TaskStatus } from 'mesos-core/protocol';
import { encodeSchedulerMessage } from './executor-messages.ts';
import type { Framework } from './framework.ts';
import { EXECUTOR_ID } from './offers.ts';
import type { AskedTask } from './reconciler.ts';

/**
 * Calls to the master that nobody waits for: what is lost is said again by the next heartbeat or
 * sweep. Before the first subscription there is nobody to call, and nothing is sent.
 */
export class MesosCalls {
  readonly #framework: Framework;
  readonly #logger: Logger;
  /** Under which the calls are made; `undefined` before the first subscription. */
  frameworkId: string | undefined;

  constructor(framework: Framework, logger: Logger) {
    this.#framework = framework;
    this.#logger = logger;
  }

  /** Tells the executor on an agent something. */
  tell(agentId: string, message: SchedulerMessage): void {
    this.#send((framework_id) => ({
      type: 'MESSAGE',
      framework_id,
      message: {
        agent_id: { value: agentId },
        executor_id: { value: EXECUTOR_ID },
        data: encodeSchedulerMessage(message),
      },
    }));
  }

  /** Has a task ended; its VM is stopped and kept, unless its executor knows that it is unwanted. */
  kill(taskId: string, agentId: string | undefined): void {
    const agent = agentId === undefined ? {} : { agent_id: { value: agentId } };
    const kill = { task_id: { value: taskId }, ...agent };
    this.#send((framework_id) => ({ type: 'KILL', framework_id, kill }));
  }

  /** What follows from the status is durable; statuses without a uuid want no answer. */
  acknowledge({ uuid, agent_id, task_id }: TaskStatus): void {
    if (uuid === undefined || agent_id === undefined) return;
    const acknowledge = { agent_id, task_id, uuid };
    this.#send((framework_id) => ({ type: 'ACKNOWLEDGE', framework_id, acknowledge }));
  }

  /** Asks for the states of tasks; without any, of all that the master knows. */
  reconcile(tasks: readonly AskedTask[]): void {
    this.#send((framework_id) => ({ type: 'RECONCILE', framework_id, reconcile: { tasks } }));
  }

  #send(make: (frameworkId: FrameworkID) => SchedulerCall): void {
    if (this.frameworkId === undefined) return;
    const call = make({ value: this.frameworkId });
    this.#framework.call(call).catch((error: unknown) => {
      this.#logger.warn({ err: error, call: call.type }, 'call was not accepted');
    });
  }
}
