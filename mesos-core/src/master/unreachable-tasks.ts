import type { Task } from '../protocol/index.ts';

/** Of all frameworks together. */
const TOTAL_MAX = 100_000;

/** Tasks of agents that are unreachable, until these are back, by key; the newest of each framework. */
export class UnreachableTasks extends Map<string, Task> {
  readonly #perFrameworkMax: number;
  readonly #keysByFramework = new Map<string, Set<string>>();

  constructor(perFrameworkMax: number) {
    super();
    this.#perFrameworkMax = perFrameworkMax;
  }

  override set(key: string, task: Task): this {
    const frameworkId = task.framework_id.value;
    const keys = this.#keysByFramework.get(frameworkId) ?? new Set();
    this.#keysByFramework.set(frameworkId, keys.add(key));
    super.set(key, task);
    if (keys.size > this.#perFrameworkMax) this.#deleteFirst(keys);
    if (this.size > TOTAL_MAX) this.#deleteFirst(this.keys());
    return this;
  }

  override delete(key: string): boolean {
    const task = this.get(key);
    if (task === undefined) return false;
    const frameworkId = task.framework_id.value;
    const keys = this.#keysByFramework.get(frameworkId);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysByFramework.delete(frameworkId);
    return super.delete(key);
  }

  /** Its tasks are of no more interest. */
  forgetFramework(frameworkId: string): void {
    for (const key of this.#keysByFramework.get(frameworkId) ?? []) this.delete(key);
  }

  #deleteFirst(keys: Iterable<string>): void {
    const [first] = keys;
    if (first !== undefined) this.delete(first);
  }
}
