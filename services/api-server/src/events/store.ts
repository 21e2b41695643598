import type { EventType, ProjectId } from '@factory/contracts';

/** Something that has changed, with its place in the order of its project. */
export interface EventRecord {
  readonly seq: number;
  readonly atMs: number;
  readonly type: EventType;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Events after one of them. */
export interface EventSlice {
  readonly events: readonly EventRecord[];
  /** The number of the oldest that is kept; one more than `lastSeq` when none is. */
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface EventLimits {
  readonly keptMs: number;
  /** Of one project. */
  readonly keptMax: number;
}

/**
 * The events of projects. The store writes them itself, with the change and in its transaction;
 * they can be read as soon as they have their numbers.
 */
export interface EventStore {
  /**
   * Numbers all events whose changes were there when it was called; those of a project in the order
   * in which they happened, behind all that have numbers.
   */
  number(nowMs: number): Promise<void>;
  /** The newest numbers of these projects; none has 0. */
  heads(projectIds: readonly ProjectId[]): Promise<ReadonlyMap<ProjectId, number>>;
  /** At most `limit` events after number `after`; `undefined`: from the oldest on. */
  after(projectId: ProjectId, after: number | undefined, limit: number): Promise<EventSlice>;
  /** Says that a cluster is silent or back to the projects that have machines there. */
  tellOfClusters(silentBeforeMs: number): Promise<void>;
  /** Forgets the oldest; gives how many. */
  forget(nowMs: number, limits: EventLimits): Promise<number>;
  /** Calls `onWake` when there may be new ones without a number, by whichever process. */
  subscribe(onWake: () => void): () => void;
}
