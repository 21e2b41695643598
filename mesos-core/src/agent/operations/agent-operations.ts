import {
  addResources,
  applyCheckpointed,
  applyConversions,
  containsResources,
  conversionsOf,
  formatResources,
  invertConversions,
  isPersistentVolume,
  needsCheckpoint,
  newUuidBase64,
  type OfferOperation,
  type Operation,
  type OperationState,
  type Resources,
  unallocateConversions,
  unallocateResources,
} from '../../protocol/index.ts';
import type { Change } from '../checkpoint/checkpoint-store.ts';
import { operationChange, operationRemoval, resourcesChange } from '../checkpoint/records.ts';
import type { AgentContext } from '../context.ts';
import { type ExecutorRun, isTerminal } from '../state.ts';
import { allRuns } from '../views.ts';
import { OperationUpdates } from './operation-updates.ts';
import type { VolumeDirectories } from './volume-directories.ts';

/** What operations made before does not fit what the agent's flags say now. */
export class IncompatibleResourcesError extends Error {
  readonly code = 'MESOS_ERR_INCOMPATIBLE_RESOURCES';
  constructor(message: string) {
    super(message);
    this.name = 'IncompatibleResourcesError';
  }
}

/** What {@link AgentOperations} needs. */
export interface AgentOperationsOptions {
  readonly context: AgentContext;
  /** What the agent has before operations make anything of it. */
  readonly resources: () => Resources;
  readonly volumes: VolumeDirectories;
  /** Has the master hear anew what the agent has: it believed something else. */
  readonly resubscribe: (why: string) => void;
}

/**
 * What offer operations make of the agent's resources. The intent is durable before the act (a
 * volume's directory is made or removed), and the end before it is told.
 */
export class AgentOperations {
  readonly #options: AgentOperationsOptions;
  readonly #updates: OperationUpdates;
  #total: Resources;
  /** One operation after the other, in the order in which they came. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: AgentOperationsOptions) {
    this.#options = options;
    this.#total = options.resources();
    this.#updates = new OperationUpdates(options.context);
  }

  /** All that the agent has, as operations have made it. */
  get total(): Resources {
    return this.#total;
  }

  /** Those that are not over, and those whose end is not acknowledged. */
  list(): readonly Operation[] {
    return [...this.#options.context.state.operations.values()];
  }

  /**
   * Takes up what an earlier life of the agent left.
   * @throws IncompatibleResourcesError when the agent has no longer what was reserved of it.
   */
  recover(): void {
    const { context, resources } = this.#options;
    this.#total = withCheckpointed(resources(), context.state.checkpointed);
    for (const operation of this.list()) {
      if (operation.latest_status.state === 'OPERATION_PENDING') {
        this.#enqueue(() => this.#carryOut(operation));
      } else {
        this.#updates.forward(operation);
      }
    }
  }

  /**
   * The agent has other resources from now on; what operations made of them stays.
   * @throws IncompatibleResourcesError when they are less than what is reserved.
   */
  changeResources(resources: Resources): void {
    this.#total = withCheckpointed(resources, this.#checkpointed());
  }

  /** Carries out an operation; one that comes twice changes nothing. */
  apply(operation: Operation): void {
    const { context, resubscribe } = this.#options;
    const { uuid, info } = operation;
    if (context.state.operations.has(uuid.value)) return;
    context.state.operations.set(uuid.value, operation);
    const conflict = this.#conflict(info);
    const after = applyConversions(this.#total, conversions(info));
    const problem = conflict ?? after.problem;
    if (problem !== undefined || after.resources === undefined) {
      this.#enqueue(async () => {
        await this.#end(operation, 'OPERATION_DROPPED', problem);
        resubscribe('an operation does not fit what the agent has');
      });
      return;
    }
    this.#total = after.resources;
    // As it is now: what later operations change is durable with them.
    const intent = [resourcesChange(this.#checkpointed()), operationChange(operation)];
    this.#enqueue(async () => {
      await context.commit(intent);
      await this.#carryOut(operation);
    });
  }

  /** Who waited for the status has it. */
  async acknowledged(operationUuid: string, uuid: string): Promise<void> {
    const { context } = this.#options;
    const operation = context.state.operations.get(operationUuid);
    if (operation === undefined || operation.latest_status.uuid?.value !== uuid) return;
    this.#updates.forget(operationUuid);
    context.state.operations.delete(operationUuid);
    await context.commit([operationRemoval(operationUuid)]);
  }

  /** A master is there (again): what it was not told is sent at once. */
  resendAll(): void {
    this.#updates.resendAll();
  }

  /**
   * Makes the volumes among the resources appear in the run's sandbox (or in another one inside),
   * which is there.
   * @throws VolumeError when that can't be.
   */
  async linkVolumes(
    run: ExecutorRun,
    resources: Resources,
    sandbox = run.directory,
  ): Promise<void> {
    const volumes = resources.filter(isPersistentVolume);
    if (volumes.length === 0) return;
    await this.#work;
    for (const volume of volumes) {
      const isShared = volume.shared !== undefined && this.#isUsedByOthers(run, volume);
      await this.#options.volumes.link(volume, sandbox, isShared);
    }
  }

  /** Takes those volumes that the run has no more use for out of its sandbox. */
  async unlinkVolumes(run: ExecutorRun, resources: Resources): Promise<void> {
    const used = this.#usedBy(run);
    for (const volume of resources.filter(isPersistentVolume)) {
      if (containsResources(used, unallocateResources([volume]))) continue;
      await this.#options.volumes.unlink(volume, run.directory);
    }
  }

  /**
   * The agent starts over with another id: nobody waits to hear of operations that were sent to the
   * one before. What they made of its resources stays. Gives what to commit.
   */
  forgetAll(): readonly Change[] {
    const { operations } = this.#options.context.state;
    const uuids = [...operations.keys()];
    this.#updates.close();
    operations.clear();
    return uuids.map(operationRemoval);
  }

  close(): void {
    this.#updates.close();
  }

  #isUsedByOthers(run: ExecutorRun, volume: Resources[number]): boolean {
    const others = allRuns(this.#options.context.state).filter((each) => each !== run);
    return others.some((each) =>
      containsResources(this.#usedBy(each), unallocateResources([volume])),
    );
  }

  #usedBy(run: ExecutorRun): Resources {
    const framework = this.#options.context.state.frameworks.get(run.frameworkId);
    const tasks = [...(framework?.tasks.values() ?? [])].filter(
      (task) => task.containerId === run.containerId && !isTerminal(task),
    );
    const all = [run.info, ...tasks.map(({ info }) => info)];
    return addResources([], unallocateResources(all.flatMap(({ resources }) => resources ?? [])));
  }

  /** What runs here must not lose its volume. */
  #conflict(info: OfferOperation): string | undefined {
    if (info.type !== 'DESTROY') return undefined;
    const used = allRuns(this.#options.context.state).flatMap((run) => this.#usedBy(run));
    const volumes = unallocateResources(info.destroy.volumes ?? []);
    const inUse = volumes.filter((volume) => containsResources(used, [volume]));
    return inUse.length === 0 ? undefined : `Volumes are in use: ${formatResources(inUse)}`;
  }

  #checkpointed(): Resources {
    return this.#total.filter(needsCheckpoint);
  }

  #enqueue(step: () => Promise<void>): void {
    const work = this.#work.then(step);
    this.#options.context.spawn(work);
    // Whoever waits for the work only wants its end; its failure is the agent's.
    this.#work = work.catch(() => undefined);
  }

  /** The intent is durable; a crash in between repeats this. */
  async #carryOut(operation: Operation): Promise<void> {
    const { context, volumes, resubscribe } = this.#options;
    const { info } = operation;
    try {
      if (info.type === 'CREATE') {
        for (const volume of info.create.volumes ?? []) await volumes.create(volume);
      } else if (info.type === 'DESTROY') {
        for (const volume of info.destroy.volumes ?? []) await volumes.remove(volume);
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      context.logger.error({ operation: info.type, err: error }, 'an operation failed');
      const undone = applyConversions(this.#total, invertConversions(conversions(info)));
      // Others were built on it: only a restart of the agent can try again.
      if (undone.resources === undefined) throw error;
      this.#total = undone.resources;
      await context.commit([resourcesChange(this.#checkpointed())]);
      await this.#end(operation, 'OPERATION_FAILED', why);
      resubscribe('an operation failed');
      return;
    }
    await this.#end(operation, 'OPERATION_FINISHED', undefined);
  }

  async #end(
    operation: Operation,
    state: OperationState,
    message: string | undefined,
  ): Promise<void> {
    const { context } = this.#options;
    const { info, agent_id, statuses = [], uuid } = operation;
    if (!context.state.operations.has(uuid.value)) return;
    const status = {
      ...(info.id === undefined ? {} : { operation_id: info.id }),
      state,
      ...(message === undefined ? {} : { message }),
      uuid: { value: newUuidBase64(context.random) },
      ...(agent_id === undefined ? {} : { agent_id }),
    };
    const ended = { ...operation, latest_status: status, statuses: [...statuses, status] };
    context.state.operations.set(uuid.value, ended);
    await context.commit([operationChange(ended)]);
    this.#updates.forward(ended);
  }
}

function withCheckpointed(resources: Resources, checkpointed: Resources): Resources {
  const { resources: total, problem } = applyCheckpointed(resources, checkpointed);
  if (problem !== undefined) throw new IncompatibleResourcesError(problem);
  return total;
}

function conversions(info: OfferOperation) {
  return unallocateConversions(conversionsOf(info));
}
