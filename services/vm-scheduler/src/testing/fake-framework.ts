import {
  type ExecutorMessage,
  type SchedulerMessage,
  type VmObservation,
  type VmTaskData,
  vmTaskId,
} from '@factory/contracts';
import type { Offer, SchedulerCall, SchedulerEvent, TaskStatus } from 'mesos-core/protocol';
import type { Framework, FrameworkHandler } from '../framework.ts';
import { vmIdNumber } from './samples.ts';

type Call<T extends SchedulerCall['type']> = Extract<SchedulerCall, { type: T }>;

/** A framework connection whose master is the test. */
export class FakeFramework implements Framework {
  readonly calls: SchedulerCall[] = [];
  /** The id that the scheduler came with. */
  startedWith: string | undefined;
  isClosed = false;
  /** Asked before each call is counted; what it throws, the scheduler gets. */
  beforeCall: (call: SchedulerCall) => void | Promise<void> = () => undefined;
  #handler: FrameworkHandler | undefined;
  #updates = 0;

  start(frameworkId: string | undefined, handler: FrameworkHandler): void {
    this.startedWith = frameworkId;
    this.#handler = handler;
  }

  async call(call: SchedulerCall): Promise<void> {
    this.calls.push(call);
    await this.beforeCall(call);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** Calls of one type since the last `forget`. */
  of<T extends SchedulerCall['type']>(type: T): readonly Call<T>[] {
    return this.calls.filter((call): call is Call<T> => call.type === type);
  }

  forget(): void {
    this.calls.length = 0;
  }

  emit(event: SchedulerEvent): void {
    this.#handler?.onEvent(event);
  }

  subscribe(frameworkId = 'framework-1'): void {
    this.emit({ type: 'SUBSCRIBED', subscribed: { framework_id: { value: frameworkId } } });
  }

  disconnect(): void {
    this.#handler?.onDisconnected();
  }

  offer(...offers: readonly Offer[]): void {
    this.emit({ type: 'OFFERS', offers: { offers } });
  }

  /** A status of the `n`th VM's task of this attempt. */
  status(n: number, attempt: number, state: TaskStatus['state'], more: Partial<TaskStatus> = {}) {
    this.#updates += 1;
    const status: TaskStatus = {
      task_id: { value: vmTaskId(vmIdNumber(n), attempt) },
      agent_id: { value: 'agent-1' },
      state,
      source: 'SOURCE_EXECUTOR',
      uuid: Buffer.from(`uuid-${this.#updates}`).toString('base64'),
      ...more,
    };
    this.emit({ type: 'UPDATE', update: { status } });
  }

  /** The master's answer to a question about a task. */
  answer(n: number, attempt: number, state: TaskStatus['state']): void {
    this.emit({
      type: 'UPDATE',
      update: {
        status: {
          task_id: { value: vmTaskId(vmIdNumber(n), attempt) },
          agent_id: { value: 'agent-1' },
          state,
          source: 'SOURCE_MASTER',
          reason: 'REASON_RECONCILIATION',
        },
      },
    });
  }

  /** What the executor of an agent says. */
  say(agentId: string, vms: readonly VmObservation[], more: Partial<ExecutorMessage> = {}): void {
    this.sayAny(agentId, { type: 'status', full: false, vms, operations: [], ...more });
  }

  /** Something else that an executor says. */
  sayAny(agentId: string, message: object): void {
    this.emit({
      type: 'MESSAGE',
      message: {
        agent_id: { value: agentId },
        executor_id: { value: 'vm-executor' },
        data: Buffer.from(JSON.stringify(message)).toString('base64'),
      },
    });
  }

  /** What the executors were told. */
  told(): readonly SchedulerMessage[] {
    return this.of('MESSAGE').map(({ message }) => parse<SchedulerMessage>(message.data));
  }

  /** Everything launched: task id, agent and data. */
  launched(): readonly { taskId: string; agentId: string; data: VmTaskData }[] {
    const operations = this.of('ACCEPT').flatMap(({ accept }) => accept.operations ?? []);
    return operations
      .flatMap((operation) =>
        operation.type === 'LAUNCH' ? (operation.launch.task_infos ?? []) : [],
      )
      .map(({ task_id, agent_id, data }) => ({
        taskId: task_id.value,
        agentId: agent_id.value,
        data: parse<VmTaskData>(data ?? ''),
      }));
  }
}

function parse<T>(base64: string): T {
  return JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
}
