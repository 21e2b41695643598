import {
  type OperationRequest,
  type OperationResult,
  parseVmTaskId,
  type SchedulerMessage,
  type VmId,
  type VmTaskData,
} from '@factory/contracts';
import { keyedMutex, type Timer, withDeadline } from '@factory/runtime';
import type { VmExecutorOptions } from './executor-options.ts';
import { holderIsGone } from './hardware/holders.ts';
import type { HypervisorEvent } from './hypervisor/port.ts';
import { HostImages } from './images/host-images.ts';
import type { LaunchedTask, LinkHandlers } from './link.ts';
import {
  decodeSchedulerMessage,
  decodeTaskData,
  encodeExecutorMessage,
  isWakeTask,
} from './messages.ts';
import { MetricsHistory } from './metrics/history.ts';
import { Meter } from './metrics/meter.ts';
import { ExternalBook } from './network/external-book.ts';
import { PeersKeeper } from './network/peers-keeper.ts';
import { operate } from './operations/operate.ts';
import { OrphanSearch, type Orphans } from './orphans.ts';
import { createReporter, type Reporter } from './reporter.ts';
import { turnsOfHost } from './turns.ts';
import { volumesInUse } from './vm/hot-plug.ts';
import { type KeeperContext, VmKeeper } from './vm/keeper.ts';
import { lastUpdate } from './vm/last-update.ts';
import type { VmEnd } from './vm/moves.ts';
import { takeOver, toObservation, type VmRecord } from './vm/record.ts';
import { VmRecovery } from './vm/recovery.ts';
import { FolderQuotas } from './volumes/folder-quotas.ts';
import { LeaseRenewal } from './volumes/lease-renewal.ts';
import { noVolumes } from './volumes/none.ts';
import type { VolumePort } from './volumes/port.ts';

/** Why an executor has nothing more to do. */
export type ExecutorEnd = 'idle' | 'shutdown';

/** Moves under way have this long to end when the executor closes; the next one takes them up. */
const CLOSE_TIMEOUT_MS = 5_000;

interface Guarded {
  readonly keeper: VmKeeper;
  taskId: string;
  /** The agent asked for the task's end. */
  wasKilled: boolean;
}

/**
 * The executor of one agent: takes over the VMs whose tasks it is given, keeps each (VmKeeper), and
 * reports them. Ending it leaves every guest as it is; the next executor adopts them.
 */
export class VmExecutor {
  readonly #options: VmExecutorOptions;
  readonly #context: KeeperContext;
  readonly #reporter: Reporter;
  readonly #orphans: OrphanSearch;
  readonly #volumes: VolumePort;
  readonly #leases: LeaseRenewal;
  readonly #quotas: FolderQuotas;
  readonly #peers: PeersKeeper;
  readonly #externals: ExternalBook;
  readonly #images: HostImages | undefined;
  readonly #recovery: VmRecovery;
  readonly #meter: Meter | undefined;
  readonly #history = new MetricsHistory();
  readonly #guarded = new Map<VmId, Guarded>();
  readonly #inOrder = keyedMutex();
  readonly #ended = Promise.withResolvers<ExecutorEnd>();
  #idleTimer: Timer | undefined;
  readonly #closing = new AbortController();

  constructor(options: VmExecutorOptions) {
    this.#options = options;
    const { clock, logger, settings, hypervisor, volumes = noVolumes } = options;
    const isKept = (vmId: VmId): boolean => this.#guarded.has(vmId);
    this.#volumes = volumes;
    this.#leases = new LeaseRenewal({
      ...{ clock, logger, volumes },
      volumesOf: (vmId) => {
        const record = this.#guarded.get(vmId)?.keeper.record;
        return record && volumesInUse(record);
      },
      onLost: ({ vmId }) => this.#inBackground('a lost disk', () => hypervisor.powerOff(vmId)),
    });
    this.#quotas = new FolderQuotas({
      ...{ clock, logger, volumes },
      mounts: () => this.records().flatMap(({ spec }) => spec.volumes ?? []),
    });
    options.hardware?.reclaimFrom(holderIsGone({ ...options, isKept }));
    this.#orphans = new OrphanSearch({
      ...options,
      ...{ volumes, isKept, intervalMs: settings.orphanSearchMs },
    });
    this.#peers = new PeersKeeper(options);
    const send = (message: Parameters<typeof encodeExecutorMessage>[0]) =>
      options.link.sendMessage(encodeExecutorMessage(message));
    this.#meter =
      options.stats &&
      new Meter({
        ...{ clock, logger, isKept, stats: options.stats.port },
        intervalMs: options.stats.intervalMs,
        send: (samples) => {
          this.#history.add(samples, isKept);
          return send({ type: 'metrics', samples: [...samples] });
        },
      });
    this.#recovery = new VmRecovery({
      ...options,
      signal: this.#closing.signal,
      lastSeq: (vmId) => this.#reporter.lastSeq(vmId),
    });
    this.#reporter = createReporter({
      clock,
      logger,
      observe: (vmId) => {
        const guarded = this.#guarded.get(vmId);
        return guarded === undefined ? undefined : toObservation(guarded.keeper.record);
      },
      vmIds: () => this.#guarded.keys(),
      seqOf: (vmId) => this.#guarded.get(vmId)?.keeper.record.seq,
      orphans: () => this.#orphans.reported(),
      tunnel: () => this.#peers.tunnel,
      send,
    });
    const { hostImages } = options;
    this.#images = hostImages && new HostImages({ ...{ clock, logger, ...hostImages }, send });
    this.#externals = new ExternalBook({
      ...options,
      recordOf: (vmId) => this.#guarded.get(vmId)?.keeper.record,
    });
    this.#context = {
      ...options,
      externals: this.#externals,
      ...turnsOfHost(settings.powerOnsMax, clock),
      powerOff: settings.powerOff,
      onChange: ({ vmId }) => this.#reporter.changed(vmId),
      onResult: (result) => this.#reporter.result(result),
      onProgress: (progress) => this.#reporter.progress(progress),
      onEnd: (record, end) => this.#forget(record, end),
    };
  }

  /** Resolves when the executor should be closed: nothing to do for long, or told so. */
  get ended(): Promise<ExecutorEnd> {
    return this.#ended.promise;
  }

  /** Domains and folders of ours that no task spoke for when last looked at. */
  get orphans(): Orphans {
    return this.#orphans.found;
  }

  /** The VMs being kept, as they stand. */
  records(): readonly VmRecord[] {
    return Array.from(this.#guarded.values(), ({ keeper }) => keeper.record);
  }

  /** Prepares the host's folders, and starts listening to agent and hypervisor. */
  async start(): Promise<void> {
    const { storage, hypervisor, link } = this.#options;
    await storage.prepare();
    hypervisor.start((event) => this.#onHypervisorEvent(event));
    link.start(this.#handlers());
    this.#reporter.start();
    this.#meter?.start();
    this.#leases.start();
    this.#quotas.start();
    this.#images?.start();
    this.#watchIdleness();
    this.#orphans.start();
  }

  /** Stops listening and reporting. Guests are left as they are. */
  async close(): Promise<void> {
    const { clock, logger, link, hypervisor, storage } = this.#options;
    this.#closing.abort(new Error('the executor ends'));
    this.#idleTimer?.cancel();
    this.#orphans.close();
    this.#peers.close();
    this.#meter?.close();
    this.#options.consoles?.close();
    const keepers = Array.from(this.#guarded.values(), ({ keeper }) => keeper.close());
    await withDeadline(clock, 'ending moves', CLOSE_TIMEOUT_MS, () => Promise.all(keepers)).catch(
      (error: unknown) => logger.warn({ err: error }, 'the next executor goes on from here'),
    );
    this.#reporter.close();
    this.#images?.close();
    await link.close();
    await hypervisor.close();
    this.#leases.close();
    this.#quotas.close();
    await storage.close();
    await this.#volumes.close();
  }

  #handlers(): LinkHandlers {
    return {
      onLaunch: (tasks) => {
        for (const task of tasks) this.#inBackground('launch', () => this.#launch(task));
      },
      onKill: (taskId) => this.#inBackground('kill', () => this.#kill(taskId)),
      onMessage: (data) => this.#onMessage(data),
      onSubscribed: ({ hostName, attributes }) => {
        this.#options.network.identify(hostName);
        this.#options.hypervisor.identify(hostName);
        this.#volumes.identify(hostName);
        this.#options.hardware?.identify(attributes);
        this.#externals.learn(attributes);
        this.#reporter.reportAll();
      },
      onShutdown: () => this.#end('shutdown'),
    };
  }

  #inBackground(what: string, work: () => Promise<unknown>): void {
    work().catch((error: unknown) => this.#options.logger.error({ err: error }, `${what} failed`));
  }

  async #launch(task: LaunchedTask): Promise<void> {
    const { link } = this.#options;
    // It was to start this executor, which stays for its idle time, and while images come.
    if (isWakeTask(task.data)) return link.updateTask(task.taskId, 'TASK_FINISHED', '');
    const data = decodeTaskData(task.data);
    if (data === undefined) {
      const message = 'LAUNCH_REFUSED: the data of the task are not those of a VM';
      return link.updateTask(task.taskId, 'TASK_FAILED', message);
    }
    await this.#inOrder(data.vmId, () => this.#takeOver(task.taskId, data));
  }

  async #takeOver(taskId: string, data: VmTaskData): Promise<void> {
    const { link } = this.#options;
    const { vmId } = data;
    const guarded = this.#guarded.get(vmId);
    if (guarded?.taskId === taskId) return;
    const found = guarded === undefined ? await this.#recovery.recover(data) : undefined;
    const known = guarded?.keeper.record ?? found?.record;
    if (known !== undefined && data.assignmentEpoch < known.assignmentEpoch) {
      const message = `LAUNCH_REFUSED: assignment ${known.assignmentEpoch} is newer`;
      link.updateTask(taskId, 'TASK_FAILED', message);
      return;
    }
    if (guarded !== undefined && isEarlierAttempt(taskId, guarded.taskId)) {
      // A launch that was long on its way must not take the VM from the one that came after it.
      link.updateTask(taskId, 'TASK_KILLED', `replaced by ${guarded.taskId}`);
      return;
    }
    // Said before anything is made: the task runs for as long as something of the VM may be here.
    if (data.desired !== 'deleted') link.updateTask(taskId, 'TASK_RUNNING', '');
    if (guarded !== undefined) {
      link.updateTask(guarded.taskId, 'TASK_KILLED', `replaced by ${taskId}`);
      guarded.taskId = taskId;
      guarded.keeper.update((record) => takeOver(record, data));
      return;
    }
    if (found === undefined) return;
    const keeper = new VmKeeper(takeOver(found.record, data), this.#context);
    this.#guarded.set(vmId, { keeper, taskId, wasKilled: false });
    this.#watchIdleness();
    keeper.start();
  }

  async #kill(taskId: string): Promise<void> {
    const vmId = parseVmTaskId(taskId)?.vmId;
    if (vmId === undefined) return;
    await this.#inOrder(vmId, async () => {
      const guarded = [...this.#guarded.values()].find((each) => each.taskId === taskId);
      if (guarded === undefined) {
        // Its end was reported already, or it is a task of an executor before this one: whoever
        // asks waits for its end. What there is of its VM is found by the task's next launch.
        const message = 'EXECUTOR_LOST: its executor does not have it';
        this.#options.link.updateTask(taskId, 'TASK_FAILED', message);
        return;
      }
      guarded.wasKilled = true;
      // An operator's kill or a drained agent may end tasks, but says nothing of the user's disk:
      // only the scheduler's wish, told with its generation, deletes.
      guarded.keeper.release();
    });
  }

  /** The scheduler launches this VM again in another task; one that is not here has ended. */
  #letGo(taskId: string): void {
    for (const [vmId, guarded] of this.#guarded) {
      if (guarded.taskId !== taskId) continue;
      const letGo = async () => guarded.taskId === taskId && guarded.keeper.letGo();
      this.#inBackground('letting a task go', () => this.#inOrder(vmId, letGo));
    }
  }

  #onMessage(data: Uint8Array): void {
    const message = decodeSchedulerMessage(data);
    if (message === undefined) {
      this.#options.logger.warn({ bytes: data.length }, 'a framework message makes no sense');
      return;
    }
    this.#handleMessage(message);
  }

  #handleMessage(message: SchedulerMessage): void {
    switch (message.type) {
      case 'setDesired':
        for (const change of message.changes) {
          // After a launch that is being looked into, and before a kill that comes next.
          const wish = async () => this.#guarded.get(change.vmId)?.keeper.wish(change);
          this.#inBackground('taking a wish', () => this.#inOrder(change.vmId, wish));
        }
        return;
      case 'operate':
        for (const request of message.operations) this.#operate(request);
        return;
      case 'operationsSeen':
        this.#reporter.resultsSeen(message.operationIds);
        return;
      case 'peers':
      case 'peersChange':
        this.#peers.take(message);
        return;
      case 'release':
        for (const taskId of message.taskIds) this.#letGo(taskId);
        return;
      case 'report':
        this.#reporter.reportAll();
        this.#images?.tell();
        return;
      case 'stageImages':
        this.#images?.stage(message.images);
        return;
      case 'pullTickets':
        this.#images?.grant(message.versions);
        return;
    }
  }

  #operate(request: OperationRequest): void {
    const keeper = this.#guarded.get(request.vmId)?.keeper;
    // Its task may be on its way to this executor: the scheduler asks again until the deadline.
    if (keeper === undefined) return;
    const onResult = (result: OperationResult): void => this.#reporter.result(result);
    const history = this.#history;
    const work = () => operate(request, { ...this.#options, keeper, history, onResult });
    this.#inBackground(`operation ${request.kind}`, work);
  }

  /** Nothing is left of the VM here, or it was let go: its task ends. */
  #forget(record: VmRecord, end: VmEnd): void {
    const guarded = this.#guarded.get(record.vmId);
    if (guarded === undefined) return;
    this.#guarded.delete(record.vmId);
    this.#reporter.ended(toObservation(record));
    const { state, message } = lastUpdate(record, end, guarded.wasKilled);
    this.#options.link.updateTask(guarded.taskId, state, message);
    this.#watchIdleness();
  }

  #onHypervisorEvent(event: HypervisorEvent): void {
    switch (event.kind) {
      case 'domainChanged':
        this.#guarded.get(event.vmId)?.keeper.look();
        return;
      case 'connected':
        this.#options.logger.info({ vms: this.#guarded.size }, 'connected to the hypervisor');
        for (const { keeper } of this.#guarded.values()) keeper.look();
        return;
      case 'disconnected':
        this.#options.logger.warn({ reason: event.message }, 'the hypervisor is away');
        return;
    }
  }

  /** Whoever closes it already knows that it ends. */
  #end(why: ExecutorEnd): void {
    if (!this.#closing.signal.aborted) this.#ended.resolve(why);
  }

  #watchIdleness(): void {
    const { clock, settings } = this.#options;
    this.#idleTimer?.cancel();
    if (this.#guarded.size > 0) return;
    this.#idleTimer = clock.after(settings.idleExitMs, () => {
      // What is brought here is for machines that are to come.
      if (this.#images?.isBusy === true) this.#watchIdleness();
      else this.#end('idle');
    });
  }
}

/** An executor; nothing happens before its `start`. */
export function createVmExecutor(options: VmExecutorOptions): VmExecutor {
  return new VmExecutor(options);
}

/** Whether both are launches of the same VM, `taskId` the earlier one. */
function isEarlierAttempt(taskId: string, other: string): boolean {
  const attempt = parseVmTaskId(taskId)?.attempt ?? 0;
  return attempt < (parseVmTaskId(other)?.attempt ?? 0);
}
