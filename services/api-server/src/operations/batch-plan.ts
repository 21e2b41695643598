import type {
  BatchWish,
  ClusterId,
  LinkCommand,
  OperationRequest,
  VmSpec,
} from '@factory/contracts';
import { LINK_LIMITS } from '@factory/contracts';
import { chunk, wishCommands } from '../planning/assignments.ts';
import type { VmRecord } from '../vms/store.ts';
import { decideWish, isAsWished } from '../vms/wishes.ts';
import { decideOperation } from './rules.ts';
import type { OperationRecord } from './store.ts';

/** What becomes of one machine of a batch on which something is to be done. */
export interface BatchPart {
  /** Its own operation, ended already when it was refused or is so already. */
  readonly operation: OperationRecord;
  /** As its cluster is told of an operation. */
  readonly request?: OperationRequest;
  /** The machine with its new wish. */
  readonly wished?: { readonly vm: VmRecord; readonly hasNewSpec: boolean };
}

/** The operation that a part begins as. */
type Draft = Omit<OperationRecord, 'state' | 'message' | 'finishedAtMs' | 'clusterId'>;

/** What a wish means for one machine of a batch. Pure. */
export function planWish(vm: VmRecord, wish: BatchWish, draft: Draft): BatchPart {
  const { createdAtMs } = draft;
  if (isAsWished(vm, wish)) return ended(vm, draft, 'succeeded', 'It was so already.');
  const decision = decideWish(vm, wish, createdAtMs);
  switch (decision.kind) {
    case 'refused':
      return ended(vm, draft, 'failed', decision.detail);
    case 'unchanged':
      return { operation: running(vm, draft, vm.generation) };
    case 'changed': {
      const { vm: next, hasNewSpec = false } = decision;
      return {
        operation: running(vm, draft, next.generation),
        wished: { vm: next, hasNewSpec },
      };
    }
  }
}

/** What an operation means for one machine of a batch. Pure. */
export function planOperation(vm: VmRecord, request: OperationRequest, draft: Draft): BatchPart {
  const decision = decideOperation(vm, request.kind);
  if (decision.kind === 'refused') return ended(vm, draft, 'failed', decision.detail);
  if (vm.clusterId === null) {
    return ended(vm, draft, 'failed', `${vm.name} has no cluster yet; wait for it.`);
  }
  return { operation: running(vm, draft, null), request };
}

function running(vm: VmRecord, draft: Draft, wishGeneration: number | null): OperationRecord {
  const { clusterId } = vm;
  return { ...draft, clusterId, wishGeneration, state: 'running', message: '', finishedAtMs: null };
}

function ended(
  { clusterId }: VmRecord,
  draft: Draft,
  state: 'succeeded' | 'failed',
  message: string,
): BatchPart {
  const finishedAtMs = draft.createdAtMs;
  return { operation: { ...draft, clusterId, state, message, finishedAtMs } };
}

/** What the clusters are told, in pieces of bounded size. Pure. */
export function commandsOf(
  parts: readonly BatchPart[],
  specOf: (vm: VmRecord) => VmSpec,
): ReadonlyMap<ClusterId, readonly LinkCommand[]> {
  const wished = parts.flatMap(({ wished: each }) => (each === undefined ? [] : [each]));
  const told = wished.map(({ vm, hasNewSpec }) => (hasNewSpec ? { ...vm, spec: specOf(vm) } : vm));
  const commands = new Map<ClusterId, readonly LinkCommand[]>(wishCommands(told));
  const requests = new Map<ClusterId, OperationRequest[]>();
  for (const { operation, request } of parts) {
    if (request === undefined || operation.clusterId === null) continue;
    const { clusterId } = operation;
    const list = requests.get(clusterId) ?? [];
    list.push(request);
    requests.set(clusterId, list);
  }
  for (const [clusterId, all] of requests) {
    const pieces = chunk(all, LINK_LIMITS.vmsPerCommandMax);
    const operate = pieces.map((operations) => ({ kind: 'operate' as const, operations }));
    commands.set(clusterId, [...(commands.get(clusterId) ?? []), ...operate]);
  }
  return commands;
}
