import type { InProcessExecutor, LaunchRequest } from '../containerizer/index.ts';

/** The process of a command task, for tests: it ends when the test says so, or by SIGTERM. */
export interface ScriptedCommand extends InProcessExecutor {
  readonly request: LaunchRequest;
  exit(status: number): void;
  /** What it does at SIGTERM; by default it ends. */
  terminate(): void;
}

const SIGTERM = 15;

/** Starts one. */
export function startScriptedCommand(request: LaunchRequest): ScriptedCommand {
  const { promise: exited, resolve: exit } = Promise.withResolvers<number>();
  return { request, exited, exit, terminate: () => exit(SIGTERM), kill: () => undefined };
}
