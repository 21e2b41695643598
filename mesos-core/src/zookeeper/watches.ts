/**
 * Who waits for a change of which node. A watcher is called once, at any change of the node or of
 * its children, or because a change may have been missed; it then looks again.
 */
export class Watches {
  readonly #byPath = new Map<string, Set<() => void>>();

  add(path: string, watcher: () => void): void {
    const watchers = this.#byPath.get(path) ?? new Set();
    watchers.add(watcher);
    this.#byPath.set(path, watchers);
  }

  remove(path: string, watcher: () => void): void {
    const watchers = this.#byPath.get(path);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#byPath.delete(path);
  }

  fire(path: string): void {
    const watchers = this.#byPath.get(path);
    this.#byPath.delete(path);
    for (const watcher of watchers ?? []) watcher();
  }

  fireAll(): void {
    for (const path of [...this.#byPath.keys()]) this.fire(path);
  }

  clear(): void {
    this.#byPath.clear();
  }
}
