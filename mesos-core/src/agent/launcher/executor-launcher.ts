import type { ProcessIdentity } from '@factory/runtime';
import type { CommandInfo } from '../../protocol/index.ts';

/** An executor to be started. */
export interface LaunchRequest {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly containerId: string;
  readonly command: CommandInfo;
  /** The whole environment; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** The sandbox, absolute; the launcher makes it. */
  readonly directory: string;
  /** Who the executor runs as; `undefined`: as the agent itself. */
  readonly user: string | undefined;
}

/** An executor that runs, or has run. */
export interface ExecutorProcess {
  readonly identity: ProcessIdentity;
  /**
   * Resolves when the executor is gone, with its status as of wait(2) (exit code << 8 | signal), or
   * {@link UNKNOWN_EXIT_STATUS}. Never rejects.
   */
  readonly exited: Promise<number>;
  /** Ends the executor and all it started with SIGKILL; harmless when they are gone. */
  kill(): Promise<void>;
  /** Sends a signal to the executor and all it started; harmless when they are gone. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Only the parent learns how a process ended; after a restart the agent is not the parent. */
export const UNKNOWN_EXIT_STATUS = -1;

/** How executors are started, found again and ended: as processes, or simulated. */
export interface ExecutorLauncher {
  /**
   * Starts an executor. It begins to run only after `beforeRun`, which makes its identity durable,
   * has resolved; when that rejects or the agent dies first, the executor never runs.
   * @throws LaunchError when it can't be started.
   */
  launch(
    request: LaunchRequest,
    beforeRun: (identity: ProcessIdentity) => Promise<void>,
  ): Promise<ExecutorProcess>;
  /** Takes up an executor that an earlier agent started; it may be gone already. */
  recover(identity: ProcessIdentity): Promise<ExecutorProcess>;
  /** Stops watching; executors go on. */
  close(): Promise<void>;
}

/** The executor could not be started; the message says why, for the framework to read. */
export class LaunchError extends Error {
  readonly code = 'MESOS_ERR_LAUNCH';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LaunchError';
  }
}
