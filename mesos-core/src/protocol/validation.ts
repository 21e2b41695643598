import { CodecError } from './codec-error.ts';
import type { ExecutorCall, SchedulerCall, TaskStatus } from './messages.ts';

/** A random UUID as 16 bytes in base64. */
const UUID_BASE64 = /^[A-Za-z0-9+/]{22}==$/;

/**
 * What Mesos checks of a scheduler call beyond its form, before it looks for the framework.
 * @throws CodecError `Failed to validate scheduler::Call: …`.
 */
export function validateSchedulerCall(call: SchedulerCall): void {
  const problem = schedulerCallProblem(call);
  if (problem === undefined) return;
  throw new CodecError(`Failed to validate scheduler::Call: ${problem}`);
}

function schedulerCallProblem(call: SchedulerCall): string | undefined {
  if (call.type === 'SUBSCRIBE') {
    const inInfo = call.subscribe.framework_info.id?.value ?? '';
    if (inInfo === (call.framework_id?.value ?? '')) return undefined;
    return "'framework_id' differs from 'subscribe.framework_info.id'";
  }
  if (call.framework_id === undefined) return expecting('framework_id');
  const uuid = acknowledgedUuid(call);
  return uuid === undefined || UUID_BASE64.test(uuid) ? undefined : 'Not a valid UUID';
}

function acknowledgedUuid(call: SchedulerCall): string | undefined {
  switch (call.type) {
    case 'ACKNOWLEDGE':
      return call.acknowledge.uuid;
    case 'ACKNOWLEDGE_OPERATION_STATUS':
      return call.acknowledge_operation_status.uuid;
    default:
      return undefined;
  }
}

/**
 * What Mesos checks of an executor call beyond its form.
 * @throws CodecError `Failed to validate executor::Call: …`.
 */
export function validateExecutorCall(call: ExecutorCall): void {
  if (call.type !== 'UPDATE') return;
  const problem = updateProblem(call.executor_id.value, call.update.status);
  if (problem === undefined) return;
  throw new CodecError(`Failed to validate executor::Call: ${problem}`);
}

function updateProblem(executorId: string, status: TaskStatus): string | undefined {
  if (status.uuid === undefined) return expecting('uuid');
  if (!UUID_BASE64.test(status.uuid)) return 'Not a valid UUID';
  const other = status.executor_id?.value;
  if (other !== undefined && other !== executorId) {
    return `ExecutorID in Call: ${executorId} does not match ExecutorID in TaskStatus: ${other}`;
  }
  if (status.source !== 'SOURCE_EXECUTOR') {
    return (
      `Received Call from executor ${executorId} with invalid source, ` +
      "expecting 'SOURCE_EXECUTOR'"
    );
  }
  if (status.state === 'TASK_STAGING') {
    return `Received TASK_STAGING from executor ${executorId} which is not allowed`;
  }
  return undefined;
}

function expecting(field: string): string {
  return `Expecting '${field}' to be present`;
}
