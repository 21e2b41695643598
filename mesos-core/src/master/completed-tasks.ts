import type { Task } from '../protocol/index.ts';

/** Tasks that are over, which operators can still look at: the newest of each framework. */
export class CompletedTasks implements Iterable<Task> {
  readonly #perFrameworkMax: number;
  readonly #byFramework = new Map<string, Task[]>();

  constructor(perFrameworkMax: number) {
    this.#perFrameworkMax = perFrameworkMax;
  }

  /** One framework's tasks never push out another's. */
  add(task: Task): void {
    const { value: frameworkId } = task.framework_id;
    const tasks = this.#byFramework.get(frameworkId) ?? [];
    tasks.push(task);
    if (tasks.length > this.#perFrameworkMax) tasks.shift();
    this.#byFramework.set(frameworkId, tasks);
  }

  forgetFramework(frameworkId: string): void {
    this.#byFramework.delete(frameworkId);
  }

  *[Symbol.iterator](): Generator<Task> {
    for (const tasks of this.#byFramework.values()) yield* tasks;
  }
}
