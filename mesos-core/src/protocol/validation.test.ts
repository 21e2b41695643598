import { describe, expect, it } from 'vitest';
import type { ExecutorCall, SchedulerCall, TaskStatus } from './messages.ts';
import { newUuidBase64 } from './uuid.ts';
import { validateExecutorCall, validateSchedulerCall } from './validation.ts';

const uuid = newUuidBase64({ next: () => 0, bytes: (length) => new Uint8Array(length).fill(0xff) });

describe('scheduler calls', () => {
  const framework_id = { value: 'f' };
  const info = { user: 'u', name: 'n' };
  const ids = { agent_id: { value: 'a' }, task_id: { value: 't' } };
  it.each<SchedulerCall>([
    { type: 'SUBSCRIBE', subscribe: { framework_info: info } },
    {
      type: 'SUBSCRIBE',
      framework_id,
      subscribe: { framework_info: { ...info, id: framework_id } },
    },
    { type: 'TEARDOWN', framework_id },
    { type: 'ACKNOWLEDGE', framework_id, acknowledge: { ...ids, uuid } },
  ])('%j is fine', (call) => {
    expect(() => validateSchedulerCall(call)).not.toThrow();
  });

  it.each<[SchedulerCall, string]>([
    [{ type: 'REVIVE' }, "Failed to validate scheduler::Call: Expecting 'framework_id' to be"],
    [
      { type: 'SUBSCRIBE', framework_id, subscribe: { framework_info: info } },
      "'framework_id' differs from 'subscribe.framework_info.id'",
    ],
    [{ type: 'ACKNOWLEDGE', framework_id, acknowledge: { ...ids, uuid: 'YQ==' } }, 'UUID'],
  ])('%j is refused', (call, message) => {
    expect(() => validateSchedulerCall(call)).toThrow(message);
  });
});

describe('executor updates', () => {
  const status: TaskStatus = {
    task_id: { value: 't' },
    state: 'TASK_RUNNING',
    source: 'SOURCE_EXECUTOR',
    uuid,
  };
  const update = (changes: Partial<TaskStatus>): ExecutorCall => ({
    executor_id: { value: 'e' },
    framework_id: { value: 'f' },
    type: 'UPDATE',
    update: { status: { ...status, ...changes } },
  });

  it('are fine with a uuid and the right source', () => {
    expect(() => validateExecutorCall(update({}))).not.toThrow();
    expect(() => validateExecutorCall(update({ executor_id: { value: 'e' } }))).not.toThrow();
  });

  it.each<[Partial<TaskStatus>, string]>([
    [{ uuid: undefined }, "Failed to validate executor::Call: Expecting 'uuid' to be present"],
    [{ uuid: 'YQ==' }, 'Not a valid UUID'],
    [{ source: 'SOURCE_AGENT' }, "expecting 'SOURCE_EXECUTOR'"],
    [{ state: 'TASK_STAGING' }, 'Received TASK_STAGING from executor e which is not allowed'],
    [
      { executor_id: { value: 'x' } },
      'ExecutorID in Call: e does not match ExecutorID in TaskStatus: x',
    ],
  ])('%j is refused', (changes, message) => {
    expect(() => validateExecutorCall(update(changes))).toThrow(message);
  });
});
