import type { ResourceStatistics, Resources, TaskStatusReason } from '../../../protocol/index.ts';
import type { LaunchRequest } from '../containerizer.ts';
import type { Surroundings } from '../launcher/surroundings.ts';

/** A container as its isolators know it; kept in the runtime directory, so that it outlives the agent. */
export interface ContainerRecord extends Omit<LaunchRequest, 'environment' | 'command'> {
  /** Of the container and those that it is nested in: `<parent>.<id>`. */
  readonly key: string;
}

/** A limit that a container has exceeded. */
export interface Limitation {
  readonly reason: TaskStatusReason;
  readonly message: string;
  readonly resources: Resources;
}

/** One way in which containers are kept apart, limited or measured; all parts are optional. */
export interface Isolator {
  /** As in `--isolation`. */
  readonly name: string;
  /** Before the container is started. @throws LaunchError when it can't be. */
  prepare?(container: ContainerRecord): Promise<Partial<Surroundings>>;
  /** Its first process waits behind the gate. @throws LaunchError when it must not begin. */
  isolate?(container: ContainerRecord, pid: number): Promise<void>;
  /** Calls `exceeded` at most once, when the container goes over a limit. Gives what ends that. */
  watch?(container: ContainerRecord, exceeded: (limitation: Limitation) => void): () => void;
  /** The container has ended: whether that was because of a limit. */
  explain?(container: ContainerRecord): Promise<Limitation | undefined>;
  /** Resources or limits of a running container have changed. */
  update?(container: ContainerRecord): Promise<void>;
  usage?(container: ContainerRecord, pid: number): Promise<Partial<ResourceStatistics>>;
  /** The pids of the container's processes. */
  processes?(container: ContainerRecord): Promise<readonly number[]>;
  /** All its processes are gone; or it never began. Harmless when repeated. */
  cleanUp?(container: ContainerRecord): Promise<void>;
  /** Removes images, but for these names. */
  pruneImages?(keep: ReadonlySet<string>): Promise<void>;
  /** The agent stops; its containers may go on. */
  close?(): Promise<void>;
}

/** The key of the outermost container that this one is in, or is. */
export function rootKey(key: string): string {
  return key.split('.', 1)[0] ?? key;
}

/** Whether a container has no resources of its own but lives in those of its parent. */
export function isNested(container: Pick<ContainerRecord, 'parentContainerId'>): boolean {
  return container.parentContainerId !== undefined;
}
