import type { Task } from '../protocol/index.ts';

/** Of all frameworks together. */
const TOTAL_MAX = 100_000;

/** Tasks of agents that are unreachable, until these are back, by key; the newest of each framework. */
export class UnreachableTasks extends Map<string, Task> {
  readonly #perFrameworkMax: number;
  readonly #keysByFramework = new Map<string, Set<string>>();
  readonly #keysByAgent = new Map<string, Set<string>>();

  constructor(perFrameworkMax: number) {
    super();
    this.#perFrameworkMax = perFrameworkMax;
  }

  override set(key: string, task: Task): this {
    this.delete(key);
    const keys = addTo(this.#keysByFramework, task.framework_id.value, key);
    addTo(this.#keysByAgent, task.agent_id.value, key);
    super.set(key, task);
    if (keys.size > this.#perFrameworkMax) this.#deleteFirst(keys);
    if (this.size > TOTAL_MAX) this.#deleteFirst(this.keys());
    return this;
  }

  override delete(key: string): boolean {
    const task = this.get(key);
    if (task === undefined) return false;
    removeFrom(this.#keysByFramework, task.framework_id.value, key);
    removeFrom(this.#keysByAgent, task.agent_id.value, key);
    return super.delete(key);
  }

  /** Those of an agent, with their keys. */
  ofAgent(agentId: string): readonly (readonly [key: string, task: Task])[] {
    return [...(this.#keysByAgent.get(agentId) ?? [])].flatMap((key) => {
      const task = this.get(key);
      return task === undefined ? [] : [[key, task] as const];
    });
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

function addTo(index: Map<string, Set<string>>, of: string, key: string): Set<string> {
  const keys = index.get(of) ?? new Set();
  index.set(of, keys.add(key));
  return keys;
}

function removeFrom(index: Map<string, Set<string>>, of: string, key: string): void {
  const keys = index.get(of);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(of);
}
