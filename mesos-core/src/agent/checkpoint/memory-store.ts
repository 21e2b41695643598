import { type Change, CheckpointClosedError, type CheckpointStore } from './checkpoint-store.ts';

/** A disk for simulated agents: it outlives the stores opened on it. */
export interface MemoryDisk {
  /** A store on this disk; the one opened before it can commit no longer, as after a crash. */
  open(): CheckpointStore;
}

/** A disk in memory. Values go through JSON, so nothing survives here that a file would lose. */
export function createMemoryDisk(): MemoryDisk {
  const values = new Map<string, string>();
  let current: object | undefined;
  return {
    open() {
      const owner = {};
      current = owner;
      return {
        async load() {
          return new Map(Array.from(values, ([key, text]) => [key, JSON.parse(text)]));
        },
        async commit(changes: readonly Change[]) {
          if (current !== owner) throw new CheckpointClosedError();
          for (const [key, value] of changes) {
            if (value === undefined) values.delete(key);
            else values.set(key, JSON.stringify(value));
          }
        },
        async close() {
          if (current === owner) current = undefined;
        },
      };
    },
  };
}
