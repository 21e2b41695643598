import {
  type Changes,
  type HostCapacity,
  type LinkCommand,
  planShare,
  type Refusal,
  type VmSample,
} from '@factory/contracts';
import {
  type ByteChannel,
  type ChannelDialer,
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  RemoteProblemError,
  retryForever,
  sleep,
  type Upgrades,
  type WebSocketAcceptor,
  withDeadline,
} from '@factory/runtime';
import { CapacityFollower } from './capacity/follower.ts';
import { type ConformanceWorld, runConformance } from './conformance/run.ts';
import { Relay } from './consoles/relay.ts';
import { agentStagesOf, hostImagesOf } from './images/hosts.ts';
import { ImageLane } from './images/lane.ts';
import { createImageReader, type ImageHere, type ImageReader } from './images/reader.ts';
import type { ImageShelf } from './images/shelf.ts';
import { giveOperations, giveVms, giveWishes } from './link/give.ts';
import { ownIdentity } from './link/identity.ts';
import { Link } from './link/link.ts';
import type { LinkClient } from './link/link-client.ts';
import { Outbox } from './link/outbox.ts';
import { rotateKey } from './link/rotation.ts';
import { reportUse } from './metrics/use-reporter.ts';
import type { VmSchedulerClient } from './picture/scheduler-client.ts';
import { VmPicture } from './picture/vm-picture.ts';
import type { ClusterIdentity, ClusterStore } from './store.ts';
import type { VolumeKeeper } from './volume-keeper.ts';

/** How long one question for changes waits at the vm-scheduler. */
const CHANGES_WAIT_MS = 20_000;
/** The cluster's own database answers in this time, or the question is asked again. */
const STORE_TIMEOUT_MS = 15_000;
/** The gateway and the api-server answer a handshake in this time. */
const CONSOLE_DIAL_TIMEOUT_MS = 8_000;
const METRICS_INTERVAL_MS = 15_000;
/** Longer timers than this are not set. */
const KEY_LOOK_MS = 24 * 3_600_000;
const BACKOFF_BASE_MS = 100;
const BACKOFF_MAX_MS = 5_000;

export interface ClusterServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly name: string;
  /** One-time enrolment token; only needed until the cluster has enrolled. */
  readonly enrolmentToken: string | undefined;
  readonly store: ClusterStore;
  readonly linkClient: LinkClient;
  readonly vmScheduler: VmSchedulerClient;
  /** The hosts as the Mesos master sees them. */
  readonly readHosts: () => Promise<readonly HostCapacity[]>;
  /** All versions of images that this cluster's hosts can start. */
  readonly readImages: () => Promise<readonly ImageHere[]>;
  /** Absent: this cluster takes no images of projects. */
  readonly imageShelf?: ImageShelf | undefined;
  /** Absent: this cluster has no storage for volumes. */
  readonly volumes?: VolumeKeeper | undefined;
  /** Tells the Mesos master that this agent will not come back. */
  readonly markAgentGone: (agentId: string) => Promise<void>;
  readonly onFenced: () => void;
  /** How often it is told what machines use. */
  readonly metricsIntervalMs?: number;
  /** The key is replaced at this age; absent: never. */
  readonly keyMaxAgeMs?: number;
  /** What is looked at when it starts, beside what is here; absent: nothing. */
  readonly conformance?: Pick<ConformanceWorld, 'measureStorage'>;
  /** Hears the same. */
  readonly onUse?: (samples: readonly VmSample[]) => void;
  /** What consoles go through; without it there are none. */
  readonly consoles?: {
    readonly dialer: ChannelDialer;
    readonly acceptor: WebSocketAcceptor;
    /** Of this cluster-server, as hosts reach it. */
    readonly url: () => string;
  };
}

/**
 * One per Mesos cluster: takes commands from the api-server and hands them to the schedulers, keeps
 * the picture of hosts and VMs, and reports what changed. Without the link everything in the cluster
 * goes on; what happened meanwhile is reported when it is back.
 */
export class ClusterServer {
  readonly #options: ClusterServerOptions;
  readonly #outbox = new Outbox();
  readonly #vms = new VmPicture();
  readonly #link: Link;
  readonly #images: ImageReader;
  readonly #capacity: CapacityFollower;
  readonly #relay: Relay | undefined;
  #known: ClusterIdentity | undefined;
  readonly #imageLane: ImageLane | undefined;
  readonly #closing = new AbortController();
  readonly #loops: Promise<void>[] = [];
  /** As the vm-scheduler told them last. */
  #orphans: NonNullable<Changes['orphans']> = [];

  constructor(options: ClusterServerOptions) {
    this.#options = options;
    this.#images = createImageReader(options);
    this.#capacity = new CapacityFollower({
      ...options,
      images: this.#images,
      promised: () => this.#vms.promised(),
      orphans: () => this.#orphans,
      report: (capacity) => {
        this.#outbox.setCapacity(capacity);
        if (capacity !== undefined) this.#link.wake();
      },
    });
    const { consoles } = options;
    this.#relay =
      consoles && new Relay({ ...options, ...consoles, dialApi: (path) => this.#dialApi(path) });
    this.#link = new Link({
      clock: options.clock,
      random: options.random,
      logger: options.logger,
      client: options.linkClient,
      store: options.store,
      outbox: this.#outbox,
      apply: (command, seq) => this.#apply(command, seq),
      onFenced: options.onFenced,
    });
    this.#imageLane = this.#createLane(options);
  }

  #createLane(options: ClusterServerOptions): ImageLane | undefined {
    const { imageShelf: shelf } = options;
    if (shelf === undefined) return undefined;
    return new ImageLane({
      ...options,
      reader: this.#images,
      shelf,
      exchange: (images) =>
        this.#inSession((identity, epoch) =>
          options.linkClient.images(identity, { epoch, images }, this.#closing.signal),
        ),
      fetchPart: (imageId, offset) => this.#fetchImagePart(imageId, offset),
      sendPart: (imageId, offset, bytes) => this.#sendImagePart(imageId, offset, bytes),
      readHosts: async () =>
        hostImagesOf(await options.vmScheduler.hostImages(), this.#capacity.hosts ?? []),
      stage: (stages) =>
        options.vmScheduler.stageImages(agentStagesOf(stages, this.#capacity.hosts ?? [])),
    });
  }

  /** Enrols if need be, links, and follows the cluster. */
  start(): void {
    this.#imageLane?.start();
    this.#loops.push(
      this.#background('following the VMs', () => this.#followVms()),
      this.#background('reporting use', () => this.#reportUse()),
      this.#background('reading the capacity', () => this.#capacity.follow(this.#closing.signal)),
      this.#background('linking', () => this.#startLink()),
    );
  }

  /** Takes the consoles that executors bring. */
  takeConsoles(upgrades: Upgrades): void {
    this.#relay?.install(upgrades);
  }

  async #dialApi(path: string): Promise<ByteChannel> {
    const { consoles, linkClient } = this.#options;
    const identity = this.#known;
    if (consoles === undefined || identity === undefined) throw new Error('not enrolled yet');
    const address = linkClient.consoleAddress(identity, path);
    return consoles.dialer.dial({ ...address, timeoutMs: CONSOLE_DIAL_TIMEOUT_MS });
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the cluster-server is closing'));
    await this.#imageLane?.close();
    this.#capacity.wake();
    await this.#link.close();
    await Promise.all(this.#loops);
  }

  /** When the api-server last answered, on the monotonic clock. */
  get lastAnswerAtMs(): number | undefined {
    return this.#link.lastAnswerAtMs;
  }

  /** Whether the api-server has been told what hosts and images there are. */
  get hasToldCapacity(): boolean {
    return this.#outbox.hasToldCapacity;
  }

  /** The cluster as this process sees it, for people and tools. */
  picture(): {
    readonly hosts: readonly HostCapacity[];
    readonly vmCounts: Record<string, number>;
  } {
    return { hosts: this.#capacity.hosts ?? [], vmCounts: { ...this.#vms.counts() } };
  }

  /** What `work` gives in the present session; undefined without one. */
  async #inSession<T>(
    work: (identity: ClusterIdentity, epoch: number) => Promise<T>,
  ): Promise<T | undefined> {
    const session = this.#link.session;
    return session === undefined ? undefined : work(session.identity, session.epoch);
  }

  async #sendImagePart(imageId: string, offset: number, bytes: Uint8Array): Promise<number> {
    const part = { imageId, offset, base64: Buffer.from(bytes).toString('base64') };
    const arrived = await this.#inSession((identity) =>
      this.#options.linkClient.imagePart(identity, part, this.#closing.signal),
    );
    if (arrived === undefined) throw new Error('there is no link at present');
    return arrived;
  }

  async #fetchImagePart(imageId: string, offset: number): Promise<Uint8Array> {
    const part = await this.#inSession((identity) =>
      this.#options.linkClient.imageContent(identity, { imageId, offset }, this.#closing.signal),
    );
    if (part === undefined) throw new Error('there is no link at present');
    return part;
  }

  async #background(what: string, work: () => Promise<void>): Promise<void> {
    const { clock, logger, random } = this.#options;
    const backoff = createBackoff({ baseMs: BACKOFF_BASE_MS, maxMs: BACKOFF_MAX_MS, random });
    const { signal } = this.#closing;
    await retryForever({ what, clock, logger, backoff, signal }, work).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Nothing in a loop waits for ever: what hangs fails, and is tried again. */
  #inTime<T>(what: string, work: () => Promise<T>): Promise<T> {
    return withDeadline(this.#options.clock, what, STORE_TIMEOUT_MS, work);
  }

  async #startLink(): Promise<void> {
    this.#known = await ownIdentity({
      ...this.#options,
      inTime: (what, work) => this.#inTime(what, work),
      signal: this.#closing.signal,
    });
    this.#link.start(this.#known);
    this.#loops.push(
      this.#background('replacing the key', () => this.#followKey()),
      this.#background('the conformance run', () => this.#conform()),
    );
  }

  /** Replaces the key when it is old, or when that was begun and not finished. */
  async #followKey(): Promise<void> {
    const { clock, store, linkClient, logger, keyMaxAgeMs } = this.#options;
    const { signal } = this.#closing;
    if (keyMaxAgeMs === undefined) return;
    const startedMs = clock.nowMs();
    while (!signal.aborted) {
      const since = await this.#inTime('loading the age of the key', () => store.loadKeySinceMs());
      const isBegun =
        (await this.#inTime('loading the key', () => store.loadNextKey())) !== undefined;
      const leftMs = (since === 0 ? startedMs : since) + keyMaxAgeMs - clock.nowMs();
      if (leftMs > 0 && !isBegun) {
        await sleep(clock, Math.min(leftMs, KEY_LOOK_MS), signal);
        continue;
      }
      const { session } = this.#link;
      if (session === undefined) {
        await sleep(clock, BACKOFF_MAX_MS, signal);
        continue;
      }
      const nowMs = clock.nowMs();
      const { identity } = session;
      this.#known = await rotateKey({ store, linkClient, identity, nowMs, signal });
      this.#link.useIdentity(this.#known);
      logger.info({ clusterId: identity.clusterId }, 'the cluster has a new key');
    }
  }

  /** Tells once for each start whether the cluster has what machines need. */
  async #conform(): Promise<void> {
    const { clock, linkClient, readHosts, vmScheduler, conformance } = this.#options;
    const { signal } = this.#closing;
    if (conformance === undefined) return;
    while (this.#link.session === undefined || this.#capacity.hosts === undefined) {
      await sleep(clock, BACKOFF_MAX_MS, signal);
    }
    const askScheduler = () => vmScheduler.use();
    const checks = await runConformance({ clock, readHosts, askScheduler, ...conformance });
    const { identity } = this.#link.session;
    await linkClient.conformance(identity, checks, signal).catch((error: unknown) => {
      // An api-server of the release before does not ask for it.
      if (!(error instanceof RemoteProblemError) || error.status !== 404) throw error;
    });
  }

  /** Applies one command. Everything it calls is idempotent, so it may be applied again. */
  async #apply(command: LinkCommand, seq: number): Promise<void> {
    const { vmScheduler } = this.#options;
    switch (command.kind) {
      case 'assignVms':
        this.#vms.assigned(command.vms);
        this.#capacity.outdate();
        return this.#refused(seq, await giveVms(vmScheduler, command.vms));
      case 'setDesired':
        return this.#refused(seq, await giveWishes(vmScheduler, command.changes));
      case 'operate': {
        const operations = this.#relay?.address(command.operations) ?? command.operations;
        const failed = await giveOperations(vmScheduler, operations);
        this.#outbox.addResults(failed);
        if (failed.length > 0) this.#link.wake();
        return;
      }
      case 'withdrawVms':
        return vmScheduler.withdraw(command.vms);
      case 'declareHostGone':
        await this.#markGone(command.hostName);
        return vmScheduler.declareHostGone(command.hostName);
      case 'dropVolumes':
        this.#options.volumes?.drop(command.volumeIds);
        return;
      case 'planShare': {
        const hosts = this.#capacity.hosts ?? (await this.#capacity.readHosts());
        const plan = planShare(command, hosts, this.#vms.promised());
        this.#outbox.addPlan({ batchId: command.batchId, ...plan });
        this.#link.wake();
        return;
      }
    }
  }

  /** The master must not take the host's agent back; if it can't be told, the rest counts still. */
  async #markGone(hostName: string): Promise<void> {
    const { logger, markAgentGone } = this.#options;
    const isMeant = (host: HostCapacity) => host.hostName === hostName && !host.active;
    for (const { agentId } of (await this.#capacity.readHosts()).filter(isMeant)) {
      await markAgentGone(agentId).catch((error: unknown) => {
        logger.warn({ err: error, agentId }, 'the master was not told that an agent is gone');
      });
    }
  }

  /** What the vm-scheduler will never take is told upward, machine by machine. */
  #refused(seq: number, refusals: readonly Refusal[]): void {
    if (refusals.length === 0) return;
    this.#options.logger.error({ seq, refusals: refusals.slice(0, 10) }, 'a command was refused');
    this.#outbox.addRefusals(seq, refusals);
    this.#link.wake();
  }

  /**
   * Reads the changes from the very first, for the picture; what the api-server has not got yet goes
   * out as reports.
   */
  async #followVms(): Promise<void> {
    const { store, vmScheduler } = this.#options;
    const { signal } = this.#closing;
    const load = () => store.loadReportedRevision();
    const from = await this.#inTime('loading the revision', load);
    let revision = 0;
    while (!signal.aborted) {
      const reported = this.#link.reportedRevision ?? from;
      const query = { after: revision, waitMs: CHANGES_WAIT_MS, reported };
      const changes = await vmScheduler.changes(query, signal);
      revision = changes.revision;
      this.#vms.reported(changes);
      this.#orphans = changes.orphans ?? [];
      const vms = changes.vms.filter((report) => report.revision > from);
      const { operations, progress = [] } = changes;
      const count = vms.length + operations.length + progress.length;
      if (revision <= from || count === 0) continue;
      this.#outbox.addChanges({ ...changes, vms });
      this.#link.wake();
    }
  }

  #reportUse(): Promise<void> {
    const { clock, logger, vmScheduler, metricsIntervalMs = METRICS_INTERVAL_MS } = this.#options;
    const read = () => vmScheduler.use();
    const report = (samples: readonly VmSample[]) => this.#link.reportUse(samples);
    const options = { clock, logger, intervalMs: metricsIntervalMs, read, report };
    return reportUse(options, this.#options.onUse ?? (() => undefined), this.#closing.signal);
  }
}
