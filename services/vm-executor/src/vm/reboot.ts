import type { OperationRequest, OperationResult } from '@factory/contracts';
import { withResult } from '../operations/outcome.ts';
import type { VmRecord } from './record.ts';

/**
 * The record after a restart was asked for: under way, refused, or unchanged when this very one is under
 * way. A restart is a power-off (ACPI first) and a power-on, as OpenStack's soft reboot is
 * (nova/virt/libvirt/driver.py, _soft_reboot): it works with every guest that can be stopped.
 */
export function requestReboot(record: VmRecord, request: OperationRequest): VmRecord {
  const { operationId } = request;
  if (record.reboot?.operationId === operationId) return record;
  const refusal = whyNot(record);
  if (refusal !== undefined) {
    return withResult(record, {
      ...resultOf(record, operationId),
      outcome: 'failed',
      message: refusal,
    });
  }
  return { ...record, reboot: { operationId, phase: 'off' } };
}

function whyNot(record: VmRecord): string | undefined {
  if (record.reboot !== null) return 'The machine is being restarted already.';
  if (record.desired !== 'running' || record.state !== 'running') {
    return `The machine is ${record.state}; only a running one can be restarted.`;
  }
  return undefined;
}

/** The record with its restart ended: without a `failure` it succeeded. */
export function endReboot(record: VmRecord, failure: string | undefined): VmRecord {
  if (record.reboot === null) return record;
  const { operationId } = record.reboot;
  const result: OperationResult = {
    ...resultOf(record, operationId),
    outcome: failure === undefined ? 'succeeded' : 'failed',
    message: failure ?? '',
  };
  return withResult({ ...record, reboot: null }, result);
}

function resultOf(record: VmRecord, operationId: OperationResult['operationId']) {
  return { operationId, vmId: record.vmId, output: '' };
}
