import {
  type ClusterId,
  type EnrolRequest,
  type ExchangeRequest,
  type ExchangeResponse,
  ID_PREFIXES,
  LINK_LIMITS,
  LINK_PROTOCOL_VERSION,
  type LinkReports,
  type NumberedCommand,
  PROBLEMS,
  type RotateRequest,
  type SessionRequest,
  standing,
} from '@factory/contracts';
import type { SecretBox } from '@factory/runtime';
import { type Clock, type IdGenerator, type Logger, ProblemError } from '@factory/runtime';
import { withOpenPasswords } from '../batches/admin-password.ts';
import { hashToken } from '../bootstrap/service.ts';
import { newestPerVm } from '../clusters/reports.ts';
import type { IngestResult, LinkPeer } from '../clusters/store.ts';
import type { JobDispatcher } from '../jobs/dispatcher.ts';
import { opened } from '../operations/secrets.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { WakeHub } from '../wakeups.ts';
import { isEd25519PublicKey } from './authenticate.ts';
import { printable, printableGuest } from './printable.ts';

/** Commands of one answer, as JSON. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** What is counted of the link. */
export interface LinkMetrics {
  countReports(outcome: 'changed' | 'foreign', count: number): void;
}

export interface LinkServiceParts {
  readonly store: Pick<ApiStore, 'clusters' | 'fleet'>;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  readonly logger: Logger;
  readonly jobs: JobDispatcher;
  readonly wakes: WakeHub;
  readonly metrics: LinkMetrics;
  /** Opens what commands hold sealed. */
  readonly secrets: SecretBox;
}

type Ingested = Extract<IngestResult, { readonly kind: 'ingested' }>;

/** The api-server's end of the cluster link. */
export class LinkService {
  readonly #parts: LinkServiceParts;

  constructor(parts: LinkServiceParts) {
    this.#parts = parts;
  }

  findPeer(clusterId: string): Promise<LinkPeer | undefined> {
    return this.#parts.store.clusters.findPeer(clusterId);
  }

  /** Takes a cluster in. @throws ProblemError when its token is not good. */
  async enrol(request: EnrolRequest): Promise<ClusterId> {
    requireVersion(request.protocolVersion);
    requirePublicKey(request.publicKey);
    const { store, clock, newId, logger } = this.#parts;
    const result = await store.clusters.enrol({
      tokenHash: hashToken(request.token),
      name: request.name,
      publicKey: request.publicKey,
      clusterId: newId(ID_PREFIXES.cluster) as ClusterId,
      nowMs: clock.nowMs(),
    });
    if (result.kind === 'refused') {
      const detail = 'The token is not for this name, was used, or is too old; ask for a new one.';
      throw new ProblemError(PROBLEMS.forbidden, detail, { field: 'token' });
    }
    logger.info({ clusterId: result.clusterId, cluster: request.name }, 'enrolled a cluster');
    return result.clusterId;
  }

  /**
   * Keeps the key that the cluster is about to sign with.
   * @throws ProblemError when it is none, or the request was sent before.
   */
  async rotate(peer: LinkPeer, request: RotateRequest, nonce: string): Promise<void> {
    requireVersion(request.protocolVersion);
    requirePublicKey(request.publicKey);
    const { store, clock, logger } = this.#parts;
    const { publicKey } = request;
    const isKept = await store.fleet.offerKey(peer.id, publicKey, nonce, clock.nowMs());
    if (!isKept) throw replayed();
    logger.info({ clusterId: peer.id, cluster: peer.name }, 'a cluster has a new key');
  }

  /** The key that was to follow has signed something: the one before is void. */
  async takeKey({ id, nextPublicKey }: LinkPeer): Promise<void> {
    if (nextPublicKey !== null) await this.#parts.store.fleet.takeKey(id, nextPublicKey);
  }

  /** Opens a session, which fences out those before; gives its epoch. */
  async openSession(peer: LinkPeer, request: SessionRequest, nonce: string): Promise<number> {
    requireVersion(request.protocolVersion);
    const { features = [], region = '', attributes = {} } = request;
    const { store, clock, logger } = this.#parts;
    const result = await store.clusters.openSession(peer.id, nonce, clock.nowMs(), {
      ...{ features, region, attributes },
    });
    if (result.kind === 'replayed') throw replayed();
    const { epoch } = result;
    logger.info({ clusterId: peer.id, cluster: peer.name, epoch }, 'a cluster opened a session');
    return epoch;
  }

  /** Takes the reports in, then answers with commands, waiting for some if it was asked to. */
  async exchange(
    peer: LinkPeer,
    request: ExchangeRequest,
    nonce: string,
    signal: AbortSignal,
  ): Promise<ExchangeResponse> {
    requireVersion(request.protocolVersion);
    const { store, clock } = this.#parts;
    const { epoch, appliedCommandSeq, waitMs, reports } = request;
    const result = await store.clusters.ingest({
      clusterId: peer.id,
      epoch,
      nonce,
      appliedCommandSeq,
      ...checkedReports(reports),
      nowMs: clock.nowMs(),
    });
    if (result.kind === 'replayed') throw replayed();
    if (result.kind === 'stale') throw stale(result.epoch);
    this.#follow(result);
    return this.#commands(peer.id, { epoch, appliedCommandSeq, waitMs }, signal);
  }

  /** What the news give rise to. Not waited for: the cluster's answer does not depend on it. */
  #follow(result: Ingested): void {
    const { jobs, metrics } = this.#parts;
    metrics.countReports('changed', result.vmsChanged);
    metrics.countReports('foreign', result.vmsForeign);
    for (const batchId of result.plannedBatchIds)
      void jobs.dispatch({ kind: 'planBatch', batchId });
    if (result.isWorthPlanning) void jobs.dispatch({ kind: 'planWaiting' });
  }

  async #commands(
    clusterId: ClusterId,
    poll: Pick<ExchangeRequest, 'epoch' | 'appliedCommandSeq' | 'waitMs'>,
    signal: AbortSignal,
  ): Promise<ExchangeResponse> {
    const { store, clock, wakes, secrets } = this.#parts;
    const bounds = { limit: LINK_LIMITS.commandsPerExchangeMax, bytesMax: ANSWER_BYTES_MAX };
    const endMs = clock.monotonicMs() + poll.waitMs;
    const watch = wakes.watch(clusterId);
    try {
      for (;;) {
        const { epoch, appliedCommandSeq } = poll;
        const due = await store.clusters.commandsAfter(clusterId, epoch, appliedCommandSeq, bounds);
        if (due.kind === 'stale') throw stale(due.epoch);
        if (due.commands.length > 0) {
          const open = ({ seq, command }: NumberedCommand) => ({
            seq,
            command: withOpenPasswords(opened(command, secrets), secrets),
          });
          return { commands: due.commands.map(open) };
        }
        // Only what was in the log when the exchange arrived is answered: the cluster may be
        // stopped by now, and its machines given to others. Asking again is its sign of life.
        if (due.hasUnclaimed) return { commands: [] };
        const leftMs = endMs - clock.monotonicMs();
        if (!(await watch.next(leftMs, signal))) return { commands: [] };
      }
    } finally {
      watch.close();
    }
  }
}

/** Reports as they can be kept: one a machine, texts without what PostgreSQL can't hold. */
function checkedReports(reports: LinkReports) {
  const vms = newestPerVm(reports.vms).map((report) => ({
    ...report,
    ...standing(report.state, report.reason, printable(report.message)),
    hostName: printable(report.hostName),
    ...(report.guest === undefined ? {} : { guest: printableGuest(report.guest) }),
  }));
  const operations = reports.operations.map((result) => ({
    ...result,
    message: printable(result.message),
    output: printable(result.output),
  }));
  const plans = reports.plans.map((plan) => ({ ...plan, reason: printable(plan.reason) }));
  const refusals = (reports.refusals ?? []).map((refusal) => ({
    ...refusal,
    message: printable(refusal.message),
  }));
  const progress = (reports.progress ?? []).map((each) => ({
    ...each,
    stage: printable(each.stage),
  }));
  return { vms, operations, plans, progress, refusals, capacity: reports.capacity };
}

/** @throws ProblemError when it is no public key that a cluster can sign with. */
function requirePublicKey(publicKey: string): void {
  if (isEd25519PublicKey(publicKey)) return;
  const detail = 'publicKey must be an Ed25519 public key in PEM (SPKI)';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'publicKey' });
}

/** @throws ProblemError when the peer speaks another version of the link. */
export function requireVersion(version: number): void {
  if (version === LINK_PROTOCOL_VERSION) return;
  const ours = `This factory speaks version ${LINK_PROTOCOL_VERSION} of the cluster link`;
  const detail = `${ours}, not ${version}; install the same release on both sides.`;
  throw new ProblemError(PROBLEMS.unsupportedProtocol, detail, { field: 'protocolVersion' });
}

function replayed(): ProblemError {
  const detail = 'This signed request was sent before; sign it again with a new nonce.';
  return new ProblemError(PROBLEMS.replayed, detail, { field: 'x-factory-nonce' });
}

function stale(epoch: number): ProblemError {
  const detail = `Session ${epoch} of this cluster has replaced this one; open a new one.`;
  return new ProblemError(PROBLEMS.staleEpoch, detail, { field: 'epoch' });
}
