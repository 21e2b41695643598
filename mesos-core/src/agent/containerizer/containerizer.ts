import type { ProcessIdentity } from '@factory/runtime';
import type {
  CommandInfo,
  ContainerInfo,
  ContainerStatus,
  ResourceStatistics,
  Resources,
  TaskStatusReason,
  TTYInfo,
} from '../../protocol/index.ts';

/** A container to be started: for an executor, for a task, or nested in another one. */
export interface LaunchRequest {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly containerId: string;
  /** It is nested: it shares the other's fate, and its resources where none are its own. */
  readonly parentContainerId?: string | undefined;
  /** The task that the container is for, when it is for a single one. */
  readonly taskId?: string | undefined;
  readonly command: CommandInfo;
  /** The whole environment; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** The sandbox, absolute; the containerizer makes it. */
  readonly directory: string;
  /** Who the command runs as; `undefined`: as the agent itself. */
  readonly user: string | undefined;
  /** What the container is entitled to. */
  readonly resources: Resources;
  /** How far it may go above that (`cpus`, `mem` in MiB); `Infinity` is without bound. */
  readonly limits?: Readonly<Record<string, number>> | undefined;
  readonly container?: ContainerInfo | undefined;
  /** Neither of an executor nor nested in one: an operator started it, and will remove it. */
  readonly isStandalone?: boolean | undefined;
  /**
   * How long it goes on when no agent is there. Absent: without end, as there is an executor that sees
   * to it, or an operator.
   */
  readonly recoveryTimeoutMs?: number | undefined;
  /** It takes input, and gives output as soon as it comes: without, its input is empty. */
  readonly io?: ContainerIo | undefined;
}

/** A container that somebody talks to. */
export interface ContainerIo {
  readonly tty: TTYInfo | undefined;
}

/** Finds a container again, by this agent or a later one. Its pid is that of the command. */
export interface ContainerIdentity extends ProcessIdentity {
  readonly containerId: string;
}

/** How a container ended. */
export interface ContainerEnd {
  /** As of wait(2) (exit code << 8 | signal), or {@link UNKNOWN_EXIT_STATUS}. */
  readonly status: number;
  /** Why the containerizer itself ended it, such as a limit that was exceeded. */
  readonly reason?: TaskStatusReason | undefined;
  readonly message?: string | undefined;
  /** The resources whose limit was exceeded. */
  readonly limitation?: Resources | undefined;
}

/** Where the input and the output of a container are, on this host. */
export interface ContainerStreams {
  /** A FIFO; `undefined` when the container takes no input. */
  readonly stdin: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Holds the name of the container's terminal, when it has one. */
  readonly tty: string | undefined;
}

/** A container that runs, or has run. */
export interface Container {
  readonly identity: ContainerIdentity;
  /** Resolves when all processes of the container are gone. Never rejects. */
  readonly exited: Promise<ContainerEnd>;
  /** Ends all processes of the container with SIGKILL; harmless when they are gone. */
  kill(): Promise<void>;
  /** Sends a signal to the command and its process group; harmless when they are gone. */
  signal(signal: NodeJS.Signals): Promise<void>;
  readonly streams: ContainerStreams;
  /** What it uses now, and what it may use. */
  usage(): Promise<ResourceStatistics>;
  status(): ContainerStatus;
  /** Gives the running container other resources and limits. */
  update(resources: Resources, limits?: Readonly<Record<string, number>>): Promise<void>;
  /** Its end is durable elsewhere: nothing need be kept of it any more. */
  forget(): Promise<void>;
}

/** The status of a container whose supervisor was killed too: nobody knows how it ended. */
export const UNKNOWN_EXIT_STATUS = -1;

/** How containers are started, found again and ended: as processes, or simulated. */
export interface Containerizer {
  /**
   * Starts a container. Its command begins to run only after `beforeRun`, which makes its identity
   * durable, has resolved; when that rejects or the agent dies first, the command never runs.
   * @throws LaunchError when it can't be started.
   */
  launch(
    request: LaunchRequest,
    beforeRun: (identity: ContainerIdentity) => Promise<void>,
  ): Promise<Container>;
  /** Takes up a container that an earlier agent started; it may be gone already. */
  recover(identity: ContainerIdentity): Promise<Container>;
  /**
   * A container that lives, or has ended and was not forgotten: of this agent or an earlier one.
   * @param key ids of the containers that it is nested in, from the outermost, and its own: `a.b`.
   */
  find(key: string): Promise<Container | undefined>;
  /** The keys of the containers that are nested in this one, at any depth; of all without one. */
  list(parentKey?: string): readonly string[];
  /** Ends and removes all that was neither recovered nor launched since this agent's start. */
  removeOrphans(): Promise<void>;
  /** Removes images that no container uses, but for these names. */
  pruneImages(keep: readonly string[]): Promise<void>;
  /** Stops watching; containers go on. */
  close(): Promise<void>;
}

/** The container could not be started; the message says why, for the framework to read. */
export class LaunchError extends Error {
  readonly code = 'MESOS_ERR_LAUNCH';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LaunchError';
  }
}
