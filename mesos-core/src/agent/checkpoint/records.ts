import type {
  ExecutorInfo,
  FrameworkInfo,
  Operation,
  Resource,
  TaskInfo,
} from '../../protocol/index.ts';
import type { ContainerIdentity } from '../containerizer/containerizer.ts';
import type { OnlineChanges } from '../online/agent-description.ts';
import type { ConfiguredInfo } from '../reconfiguration.ts';
import {
  type AgentState,
  type ExecutorKind,
  type ExecutorRun,
  type Framework,
  type KillRequest,
  type NestedContainer,
  newFramework,
  type TaskRecord,
} from '../state.ts';
import { EMPTY_STREAM, type StatusStream } from '../status-stream.ts';
import type { Change } from './checkpoint-store.ts';

/*
 * The agent's state as keys and values. A task has two: its TaskInfo, which can be large and never
 * changes, and its progress, which changes with every update.
 *
 *   agent                        {id}
 *   configured                   what the flags of the last start said of it
 *   framework/<fid>              FrameworkInfo
 *   executor/<fid>/<eid>         the run that is not over
 *   task/<fid>/<tid>             what was launched
 *   progress/<fid>/<tid>         its updates, and whether it is to be killed
 *   resources                    what operations reserved and made volumes of
 *   online                       what was changed of resources and attributes while it ran
 *   operation/<uuid>             an operation, to be carried out while it is pending
 */

interface StoredRun {
  /** Missing in checkpoints of agents without built-in executors. */
  readonly kind?: ExecutorKind;
  readonly info: ExecutorInfo;
  readonly containerId: string;
  readonly directory: string;
  readonly user: string | undefined;
  readonly identity: ContainerIdentity | undefined;
  readonly hasSubscribed: boolean;
}

interface StoredTask {
  readonly info: TaskInfo;
  readonly executorId: string;
  readonly containerId: string;
  readonly group: readonly string[] | undefined;
}

interface StoredProgress {
  readonly stream: StatusStream;
  readonly nested?: NestedContainer | undefined;
  readonly kill: KillRequest | undefined;
}

function key(kind: string, ...ids: readonly string[]): string {
  return [kind, ...ids.map(encodeURIComponent)].join('/');
}

/** The agent has (or, `undefined`, no longer has) this id. */
export function agentChange(id: string | undefined): Change {
  return ['agent', id === undefined ? undefined : { id }];
}

/** What the flags say that the agent is; `undefined` when that is of no interest. */
export function configuredChange(configured: ConfiguredInfo | undefined): Change {
  return ['configured', configured];
}

/** The framework is known. */
export function frameworkChange(framework: Framework): Change {
  return [key('framework', framework.id), framework.info];
}

/** The framework is forgotten. */
export function frameworkRemoval(frameworkId: string): Change {
  return [key('framework', frameworkId), undefined];
}

/** The run is under way. */
export function runChange(run: ExecutorRun): Change {
  const { kind, info, containerId, directory, user, identity, hasSubscribed } = run;
  const stored: StoredRun = { kind, info, containerId, directory, user, identity, hasSubscribed };
  return [key('executor', run.frameworkId, run.executorId), stored];
}

/** The run is over. */
export function runRemoval(run: ExecutorRun): Change {
  return [key('executor', run.frameworkId, run.executorId), undefined];
}

/** The task was launched. */
export function taskChange(task: TaskRecord): Change {
  const { info, executorId, containerId, group } = task;
  const stored: StoredTask = { info, executorId, containerId, group };
  return [key('task', task.frameworkId, info.task_id.value), stored];
}

/** The task's updates, or the wish to kill it, have changed. */
export function progressChange(task: TaskRecord): Change {
  const stored: StoredProgress = { stream: task.stream, nested: task.nested, kill: task.kill };
  return [key('progress', task.frameworkId, task.info.task_id.value), stored];
}

/** The task is over and acknowledged. */
export function taskRemovals(task: TaskRecord): readonly Change[] {
  const taskId = task.info.task_id.value;
  return [
    [key('task', task.frameworkId, taskId), undefined],
    [key('progress', task.frameworkId, taskId), undefined],
  ];
}

/** The agent's resources that are not in its flags. */
export function resourcesChange(checkpointed: readonly Resource[]): Change {
  return ['resources', checkpointed];
}

/** Resources or attributes were changed while the agent ran. */
export function onlineChange(online: OnlineChanges): Change {
  return ['online', online];
}

/** The operation was asked for, or has ended. */
export function operationChange(operation: Operation): Change {
  return [key('operation', operation.uuid.value), operation];
}

/** The operation's end is acknowledged. */
export function operationRemoval(uuid: string): Change {
  return [key('operation', uuid), undefined];
}

/** Fills `state` with what a checkpoint holds. Runs are without process and connection. */
export function restoreState(state: AgentState, values: ReadonlyMap<string, unknown>): void {
  const entries = Array.from(values, ([path, value]) => {
    const [kind, ...ids] = path.split('/');
    return { kind, ids: ids.map(decodeURIComponent), value };
  });
  for (const { kind, ids, value } of entries) {
    const [frameworkId = ''] = ids;
    if (kind === 'resources') state.checkpointed = value as readonly Resource[];
    if (kind === 'configured') state.configured = value as ConfiguredInfo;
    if (kind === 'online') state.online = value as OnlineChanges;
    if (kind === 'operation') state.operations.set(frameworkId, value as Operation);
    if (kind === 'agent') state.agentId = (value as { id: string }).id;
    if (kind === 'framework') {
      state.frameworks.set(frameworkId, newFramework(frameworkId, value as FrameworkInfo));
    }
  }
  for (const { kind, ids, value } of entries) {
    const [frameworkId = '', id = ''] = ids;
    const framework = state.frameworks.get(frameworkId);
    if (kind === 'executor') framework?.executors.set(id, restoreRun(frameworkId, id, value));
    if (kind === 'task') {
      const progress = values.get(key('progress', frameworkId, id)) as StoredProgress | undefined;
      framework?.tasks.set(id, restoreTask(frameworkId, value, progress));
    }
  }
}

function restoreRun(frameworkId: string, executorId: string, value: unknown): ExecutorRun {
  const stored = value as StoredRun;
  return {
    frameworkId,
    executorId,
    kind: stored.kind ?? 'custom',
    info: stored.info,
    containerId: stored.containerId,
    directory: stored.directory,
    user: stored.user,
    identity: stored.identity && { ...stored.identity, containerId: stored.containerId },
    hasSubscribed: stored.hasSubscribed,
    state: 'registering',
    container: undefined,
    connection: undefined,
    timer: undefined,
    queue: [],
    endReason: undefined,
  };
}

function restoreTask(
  frameworkId: string,
  value: unknown,
  progress: StoredProgress | undefined,
): TaskRecord {
  const stored = value as StoredTask;
  return {
    frameworkId,
    info: stored.info,
    executorId: stored.executorId,
    containerId: stored.containerId,
    group: stored.group,
    nested: progress?.nested,
    stream: progress?.stream ?? EMPTY_STREAM,
    kill: progress?.kill,
  };
}
