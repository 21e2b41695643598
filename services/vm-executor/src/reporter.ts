import {
  DigestKeeper,
  EXECUTOR_HEARTBEAT_INTERVAL_MS,
  type ExecutorMessage,
  type HostTunnel,
  type OperationProgress,
  type OperationResult,
  type Orphan,
  type VmId,
  type VmObservation,
} from '@factory/contracts';
import type { Clock, Logger, Timer } from '@factory/runtime';

/** Changes of this long are sent together: one message for a batch, and no wait worth naming. */
const COALESCE_MS = 15;
/** A console log's end may be 64 KiB. */
const RESULTS_PER_MESSAGE_MAX = 16;
/** Results that wait to be seen; beyond, the oldest is dropped, and its operation asked for again. */
const RESULTS_MAX = 256;
/** VMs that are gone are spoken of for this long, should the message of their end have been lost. */
const AFTERLIFE_MS = 10 * 60_000;
/** Everything is told with every so manieth heartbeat, asked for or not. */
const FULL_EVERY = 12;

/**
 * Tells the scheduler how the VMs are: changes at once, with each heartbeat the digest of all, and
 * everything when it asks, as it does when its digest is another.
 */
export interface Reporter {
  start(): void;
  /** This VM has changed. */
  changed(vmId: VmId): void;
  /** The last word on a VM that this host has no more. */
  ended(last: VmObservation): void;
  /** The last `seq` of a VM that was here before; 0 for an unknown one. */
  lastSeq(vmId: VmId): number;
  /** A result, repeated until it is seen. */
  result(result: OperationResult): void;
  /** How far an operation is; repeated until its result comes. */
  progress(progress: OperationProgress): void;
  resultsSeen(operationIds: readonly string[]): void;
  /** Everything, now. */
  reportAll(): void;
  close(): void;
}

/** A reporter of what `observe` gives (undefined: not here), sent by `send`. */
export function createReporter(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observe: (vmId: VmId) => VmObservation | undefined;
  readonly vmIds: () => Iterable<VmId>;
  /** The `seq` of what `observe` would give. */
  readonly seqOf: (vmId: VmId) => number | undefined;
  /** What no task speaks for; undefined before it was looked for. */
  readonly orphans: () => readonly Orphan[] | undefined;
  readonly tunnel: () => HostTunnel;
  readonly send: (message: ExecutorMessage) => Promise<void>;
}): Reporter {
  const { clock, logger, observe } = options;
  const changed = new Set<VmId>();
  const gone = new Map<VmId, { readonly last: VmObservation; readonly untilMs: number }>();
  const results = new Map<string, OperationResult>();
  const progress = new Map<string, OperationProgress>();
  const unsent = new Set<string>();
  const inventory = new DigestKeeper();
  let beats = 0;
  let orphansTold: string | undefined;
  let flushTimer: Timer | undefined;
  let heartbeatTimer: Timer | undefined;

  type Kind = 'changes' | 'heartbeat' | 'full';
  const send = (kind: Kind, vmIds: Iterable<VmId>, resultIds: Iterable<string>): void => {
    const full = kind === 'full';
    const vms = Array.from(vmIds, (vmId) => observe(vmId) ?? gone.get(vmId)?.last).filter(
      (each) => each !== undefined,
    );
    const operations = Array.from(resultIds, (id) => results.get(id))
      .filter((each) => each !== undefined)
      .slice(0, RESULTS_PER_MESSAGE_MAX);
    for (const { operationId } of operations) unsent.delete(operationId);
    const underway = progress.size === 0 ? {} : { progress: [...progress.values()] };
    if (kind === 'changes' && vms.length + operations.length + progress.size === 0) return;
    const digest = kind === 'changes' ? {} : { digest: takeDigest() };
    const orphans = full ? options.orphans() : undefined;
    if (full) orphansTold = JSON.stringify(orphans);
    const found = orphans === undefined ? {} : { orphans: [...orphans] };
    const tunnel = options.tunnel();
    options
      .send({ type: 'status', full, vms, operations, tunnel, ...digest, ...underway, ...found })
      .catch((error: unknown) => {
        logger.debug(
          { err: error },
          'a status message was not sent; the next heartbeat makes up for it',
        );
      });
  };
  const takeDigest = () => {
    for (const vmId of options.vmIds()) inventory.set(vmId, options.seqOf(vmId) ?? 0);
    inventory.keepOnly((vmId) => options.seqOf(vmId) !== undefined);
    return inventory.digest();
  };
  const flush = (): void => {
    flushTimer = undefined;
    const vmIds = [...changed];
    changed.clear();
    send('changes', vmIds, [...unsent]);
    if (unsent.size > 0) flushSoon();
  };
  const flushSoon = (): void => {
    flushTimer ??= clock.after(COALESCE_MS, flush);
  };
  const reportAll = (): void => {
    for (const [vmId, { untilMs }] of gone) {
      if (untilMs <= clock.monotonicMs()) gone.delete(vmId);
    }
    changed.clear();
    beats = 0;
    send('full', new Set([...options.vmIds(), ...gone.keys()]), [...results.keys()]);
  };
  const beat = (): void => {
    beats += 1;
    const isDue = beats >= FULL_EVERY || orphansTold !== JSON.stringify(options.orphans());
    if (isDue) reportAll();
    else send('heartbeat', [], [...results.keys()]);
    heartbeatTimer = clock.after(EXECUTOR_HEARTBEAT_INTERVAL_MS, beat);
  };

  return {
    start() {
      reportAll();
      heartbeatTimer = clock.after(EXECUTOR_HEARTBEAT_INTERVAL_MS, beat);
    },
    changed(vmId) {
      changed.add(vmId);
      flushSoon();
    },
    ended(last) {
      gone.set(last.vmId, { last, untilMs: clock.monotonicMs() + AFTERLIFE_MS });
      changed.add(last.vmId);
      flushSoon();
    },
    lastSeq: (vmId) => gone.get(vmId)?.last.seq ?? 0,
    result(result) {
      progress.delete(result.operationId);
      results.delete(result.operationId);
      results.set(result.operationId, result);
      unsent.add(result.operationId);
      const [oldest] = results.keys();
      if (results.size > RESULTS_MAX && oldest !== undefined) results.delete(oldest);
      flushSoon();
    },
    progress(each) {
      progress.set(each.operationId, each);
      flushSoon();
    },
    resultsSeen(operationIds) {
      for (const id of operationIds) results.delete(id);
    },
    reportAll,
    close() {
      flushTimer?.cancel();
      heartbeatTimer?.cancel();
    },
  };
}
