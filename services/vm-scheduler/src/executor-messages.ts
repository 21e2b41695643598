import {
  type ExecutorMessage,
  ExecutorMessageSchema,
  type MetricsMessage,
  MetricsMessageSchema,
  type SchedulerMessage,
} from '@factory/contracts';
import { Compile } from 'typebox/compile';

const executorMessage = Compile(ExecutorMessageSchema);
const metricsMessage = Compile(MetricsMessageSchema);

/** A message to an executor, as Mesos carries it: JSON in base64. */
export function encodeSchedulerMessage(message: SchedulerMessage): string {
  return Buffer.from(JSON.stringify(message)).toString('base64');
}

/** What an executor said, or `undefined` when it makes no sense. */
export function decodeExecutorMessage(data: string): ExecutorMessage | MetricsMessage | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data, 'base64').toString('utf8'));
    if (executorMessage.Check(value)) return value;
    return metricsMessage.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
