import type { EventType, ProjectId } from '@factory/contracts';
import type { EventRecord, EventSlice, EventStore } from '../../events/store.ts';
import type { MemoryDatabase } from './database.ts';
import type { Change } from './event-changes.ts';
import { NoticedMap } from './noticed-map.ts';

/** The events of all projects, in arrays. They have their numbers at once. */
export class EventLedger {
  readonly #byProject = new Map<ProjectId, EventRecord[]>();
  readonly #lastSeqs = new Map<ProjectId, number>();
  readonly #listeners = new Set<() => void>();

  /** Its time is set by the next numbering. */
  add(
    projectId: ProjectId,
    type: EventType,
    subject: string,
    data: Readonly<Record<string, unknown>>,
  ): void {
    const seq = this.lastSeq(projectId) + 1;
    const events = this.#byProject.get(projectId) ?? [];
    events.push({ seq, atMs: 0, type, subject, data });
    this.#byProject.set(projectId, events);
    this.#lastSeqs.set(projectId, seq);
    for (const listener of this.#listeners) listener();
  }

  lastSeq(projectId: ProjectId): number {
    return this.#lastSeqs.get(projectId) ?? 0;
  }

  stamp(nowMs: number): void {
    for (const events of this.#byProject.values()) {
      for (let at = events.length - 1; at >= 0; at -= 1) {
        const event = events[at];
        if (event === undefined || event.atMs > 0) break;
        events[at] = { ...event, atMs: nowMs };
      }
    }
  }

  slice(projectId: ProjectId, after: number | undefined, limit: number): EventSlice {
    const events = this.#byProject.get(projectId) ?? [];
    const lastSeq = this.lastSeq(projectId);
    const firstSeq = lastSeq - events.length + 1;
    const from = Math.max(0, (after ?? 0) + 1 - firstSeq);
    return { events: events.slice(from, from + limit), firstSeq, lastSeq };
  }

  forget(isOld: (event: EventRecord, lastSeq: number) => boolean): number {
    let forgotten = 0;
    for (const [projectId, events] of this.#byProject) {
      const kept = events.findIndex((event) => !isOld(event, this.lastSeq(projectId)));
      forgotten += events.splice(0, kept === -1 ? events.length : kept).length;
    }
    return forgotten;
  }

  subscribe(onWake: () => void): () => void {
    this.#listeners.add(onWake);
    return () => this.#listeners.delete(onWake);
  }
}

/** A map whose changes are events of the projects that its records belong to. */
export function noticed<
  Key extends string,
  Value extends { readonly id: string; readonly projectId: ProjectId },
>(
  ledger: EventLedger,
  changes: Change<Value>,
  alsoNotes: (before: Value | undefined, after: Value | undefined) => void = () => undefined,
): Map<Key, Value> {
  return new NoticedMap<Key, Value>((before, after) => {
    alsoNotes(before, after);
    const of = after ?? before;
    if (of === undefined) return;
    for (const [type, data] of changes(before, after)) ledger.add(of.projectId, type, of.id, data);
  });
}

/** See {@link EventStore}. */
export function createMemoryEvents(db: MemoryDatabase): EventStore {
  const { ledger } = db;
  return {
    number: async (nowMs) => ledger.stamp(nowMs),
    heads: async (ids) => new Map(ids.map((id) => [id, ledger.lastSeq(id)])),
    after: async (projectId, after, limit) => ledger.slice(projectId, after, limit),
    tellOfClusters: async (silentBeforeMs) => tellOfClusters(db, silentBeforeMs),
    forget: async (nowMs, { keptMs, keptMax }) =>
      ledger.forget(
        ({ atMs, seq }, lastSeq) => (atMs > 0 && atMs < nowMs - keptMs) || seq <= lastSeq - keptMax,
      ),
    subscribe: (onWake) => ledger.subscribe(onWake),
  };
}

function tellOfClusters(db: MemoryDatabase, silentBeforeMs: number): void {
  for (const { id, name, lastSeenAtMs } of db.clusters.values()) {
    if (lastSeenAtMs === null) continue;
    const since = db.silences.get(id);
    const isSilent = lastSeenAtMs < silentBeforeMs;
    if (isSilent === (since !== undefined)) continue;
    if (isSilent) db.silences.set(id, lastSeenAtMs);
    else db.silences.delete(id);
    const machines = new Map<ProjectId, number>();
    for (const vm of db.vms.values()) {
      if (vm.clusterId !== id || vm.state === 'deleted') continue;
      machines.set(vm.projectId, (machines.get(vm.projectId) ?? 0) + 1);
    }
    const lastSeenAt = new Date(since ?? lastSeenAtMs).toISOString();
    for (const [projectId, count] of machines) {
      const type = isSilent ? 'cluster.silent' : 'cluster.back';
      db.ledger.add(projectId, type, id, { name, machines: count, lastSeenAt });
    }
  }
}
