import {
  type ExecutorMessage,
  ExecutorMessageSchema,
  type HostImagesMessage,
  HostImagesMessageSchema,
  type MetricsMessage,
  MetricsMessageSchema,
  type SchedulerMessage,
  SchedulerMessageSchema,
} from '@factory/contracts';
import { Compile } from 'typebox/compile';

const executorMessage = Compile(ExecutorMessageSchema);
const imagesMessage = Compile(HostImagesMessageSchema);
const metricsMessage = Compile(MetricsMessageSchema);
const schedulerMessage = Compile(SchedulerMessageSchema);

/** A message to an executor, as Mesos carries it: JSON in base64. */
export function encodeSchedulerMessage(message: SchedulerMessage): string {
  return Buffer.from(JSON.stringify(message)).toString('base64');
}

/** What {@link encodeSchedulerMessage} made a message of. @throws when it is something else. */
export function decodeSchedulerMessage(data: string): SchedulerMessage {
  return schedulerMessage.Parse(JSON.parse(Buffer.from(data, 'base64').toString('utf8')));
}

/** What an executor said, or `undefined` when it makes no sense. */
export function decodeExecutorMessage(
  data: string,
): ExecutorMessage | MetricsMessage | HostImagesMessage | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data, 'base64').toString('utf8'));
    if (executorMessage.Check(value)) return value;
    if (imagesMessage.Check(value)) return value;
    return metricsMessage.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
