import type { ExecutorInfo, FrameworkInfo, Resources, Task } from '../../protocol/index.ts';

/** What somebody may see of the cluster. Asked for every part of an answer, so it has to be cheap. */
export interface Visibility {
  framework(info: FrameworkInfo): boolean;
  task(task: Task, info: FrameworkInfo | undefined): boolean;
  executor(executor: ExecutorInfo, info: FrameworkInfo | undefined): boolean;
  role(name: string): boolean;
  /** Those of roles that may be seen; of no role: all. */
  resources(all: Resources): Resources;
}

/** Everything. */
export const seesAll: Visibility = {
  framework: () => true,
  task: () => true,
  executor: () => true,
  role: () => true,
  resources: (all) => all,
};
