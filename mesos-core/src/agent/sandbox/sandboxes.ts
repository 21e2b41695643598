import { join } from 'node:path';

/** The folders that containers work in, while they run and after. */
export interface Sandboxes {
  /**
   * Makes `tasks/<task id>` in an executor's sandbox lead to the task's own: people look for a task
   * by its name.
   */
  linkTask(directory: string, taskId: string, containerId: string): Promise<void>;
  /** The run in this sandbox is over: it is removed in time. */
  retire(directory: string): void;
  /**
   * Begins to remove what is old, sandboxes of earlier agents too, and to rotate output files.
   * @param live the sandboxes in use, at the moment of the call.
   */
  start(live: () => readonly string[]): Promise<void>;
  /** What has been removed so far, and what waits for it. */
  figures(): SandboxFigures;
  close(): void;
}

export interface SandboxFigures {
  readonly pending: number;
  readonly removed: number;
  readonly failed: number;
  /** Older ones are removed, as full as the disk was when it was last looked at. */
  readonly maxAgeMs: number;
}

/** Sandboxes of an agent whose containers are simulated. */
export const noSandboxes: Sandboxes = {
  linkTask: async () => undefined,
  retire: () => undefined,
  start: async () => undefined,
  figures: () => ({ pending: 0, removed: 0, failed: 0, maxAgeMs: 0 }),
  close: () => undefined,
};

/** The sandbox of a task of the default executor: `containers/<id>` in that of the executor. */
export function nestedSandbox(run: { readonly directory: string }, containerId: string): string {
  return join(run.directory, 'containers', containerId);
}
