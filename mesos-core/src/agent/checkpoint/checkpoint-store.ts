/** One key's new value (anything that JSON can hold); `undefined` removes the key. */
export type Change = readonly [key: string, value: unknown];

/**
 * What the agent must remember across its own death, as keys and values. A store is used by one
 * agent at a time: `load` once, then commits.
 */
export interface CheckpointStore {
  /**
   * Everything committed so far, by key. Call it before the first commit.
   * @throws CheckpointCorruptError when what is stored can't be trusted.
   */
  load(): Promise<ReadonlyMap<string, unknown>>;
  /**
   * Makes all changes or none; they are durable when this resolves. Commits take effect in the
   * order of the calls, and calls made close together share the cost of one write to the disk.
   * @throws CheckpointClosedError after `close`, and the system's error when the disk fails; from
   * then on every commit fails, because nobody knows what the disk holds.
   */
  commit(changes: readonly Change[]): Promise<void>;
  /** Waits for the commits under way. */
  close(): Promise<void>;
}

/** What is stored is damaged in a way that no crash explains. */
export class CheckpointCorruptError extends Error {
  readonly code = 'MESOS_ERR_CHECKPOINT_CORRUPT';
  readonly path: string;
  constructor(path: string, what: string) {
    super(`${path}: ${what}; restore it, or start with --no-strict to keep what precedes it`);
    this.name = 'CheckpointCorruptError';
    this.path = path;
  }
}

/** Another agent that is alive uses the same directory. */
export class CheckpointInUseError extends Error {
  readonly code = 'MESOS_ERR_CHECKPOINT_IN_USE';
  constructor(directory: string, pid: number) {
    super(
      `${directory} is in use by the agent with pid ${pid}; give each agent its own --work_dir`,
    );
    this.name = 'CheckpointInUseError';
  }
}

/** The store was closed (or taken over by a newer agent). */
export class CheckpointClosedError extends Error {
  readonly code = 'MESOS_ERR_CHECKPOINT_CLOSED';
  constructor() {
    super('the checkpoint store is closed');
    this.name = 'CheckpointClosedError';
  }
}
