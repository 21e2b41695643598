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
  close(): void;
}

/** Sandboxes of an agent whose containers are simulated. */
export const noSandboxes: Sandboxes = {
  linkTask: async () => undefined,
  retire: () => undefined,
  start: async () => undefined,
  close: () => undefined,
};

/** The sandbox of a task of the default executor: `containers/<id>` in that of the executor. */
export function nestedSandbox(run: { readonly directory: string }, containerId: string): string {
  return join(run.directory, 'containers', containerId);
}
