import {
  type ExecutorMessage,
  type HostImagesMessage,
  type MetricsMessage,
  type SchedulerMessage,
  SchedulerMessageSchema,
  type VmTaskData,
  VmTaskDataSchema,
  WakeTaskDataSchema,
} from '@factory/contracts';
import { Value } from 'typebox/value';

/** The data of a VM's task, or undefined when they are not that. */
export function decodeTaskData(bytes: Uint8Array): VmTaskData | undefined {
  const value = parseJson(bytes);
  return Value.Check(VmTaskDataSchema, value) ? value : undefined;
}

/** Whether a task was only to start this executor. */
export function isWakeTask(bytes: Uint8Array): boolean {
  return Value.Check(WakeTaskDataSchema, parseJson(bytes));
}

/** A framework message of the scheduler, or undefined when it is none. */
export function decodeSchedulerMessage(bytes: Uint8Array): SchedulerMessage | undefined {
  const value = parseJson(bytes);
  return Value.Check(SchedulerMessageSchema, value) ? value : undefined;
}

/** A framework message to the scheduler. */
export function encodeExecutorMessage(
  message: ExecutorMessage | MetricsMessage | HostImagesMessage,
): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // Not JSON is one more way of not being what is expected.
    return undefined;
  }
}
