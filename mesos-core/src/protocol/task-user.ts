import type { TaskInfo } from './messages.ts';

/** As whom a task is to run; `undefined`: as its framework's user. */
export function taskUser({ command, executor }: TaskInfo): string | undefined {
  return command?.user ?? executor?.command?.user;
}
