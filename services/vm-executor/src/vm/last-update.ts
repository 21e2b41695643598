import type { VmEnd } from './moves.ts';
import type { VmRecord } from './record.ts';

/** What the task of a VM ends with. */
export interface LastUpdate {
  readonly state: 'TASK_FINISHED' | 'TASK_FAILED' | 'TASK_KILLED';
  readonly message: string;
}

/** How a task ends whose VM is no longer here, or was let go; `wasKilled`: the agent asked for it. */
export function lastUpdate(record: VmRecord, end: VmEnd, wasKilled: boolean): LastUpdate {
  const { makingFailure } = record;
  const message = record.message ?? '';
  const done = wasKilled ? 'TASK_KILLED' : 'TASK_FINISHED';
  if (end === 'sentBack' && makingFailure !== null) {
    const why = `${makingFailure.reason}: ${makingFailure.message}`;
    return { state: 'TASK_FAILED', message: why };
  }
  if (end === 'released') return { state: done, message: `RELEASED: ${message}` };
  if (record.state !== 'failed') return { state: done, message };
  return { state: 'TASK_FAILED', message: `${record.reason}: ${message}` };
}
