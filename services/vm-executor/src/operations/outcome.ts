import type { OperationRequest, OperationResult } from '@factory/contracts';
import { REMEMBERED_OPERATIONS_MAX, type VmRecord } from '../vm/record.ts';

/** Of a request that names no deadline. */
const DEFAULT_TIMEOUT_MS = 120_000;
/** The result is on its way to whoever asked before they give up. */
const REPORT_MARGIN_MS = 2_000;

/** How long an operation may still take, in milliseconds; never below 1. */
export function timeLeftMs(request: OperationRequest, nowMs: number): number {
  if (request.deadlineAtMs === undefined) return DEFAULT_TIMEOUT_MS;
  return Math.max(1, request.deadlineAtMs - REPORT_MARGIN_MS - nowMs);
}

/** The record with an operation's result, and nothing of it under way. */
export function withResult(record: VmRecord, result: OperationResult): VmRecord {
  const operations = [...record.operations, result].slice(-REMEMBERED_OPERATIONS_MAX);
  const isUnderWay = record.operation?.request.operationId === result.operationId;
  return { ...record, operations, operation: isUnderWay ? null : record.operation };
}
