import type { Clock, Logger } from '@factory/runtime';
import { CardIndex } from './card-index.ts';
import { ChangeLog } from './change-log.ts';
import { ExternalCounts } from './external-addresses.ts';
import { GroupCommit } from './group-commit.ts';
import { Inventories } from './inventory.ts';
import { type Amounts, minus, NOTHING, needOf, plus } from './placement-amounts.ts';
import { GroupIndex } from './placement-groups.ts';
import { assignmentOfTask } from './resize.ts';
import type { OperationRecord, SchedulerStore } from './store/store.ts';
import { isLegalChange, shownState, type VmRecord, vmIdOf } from './vm-record.ts';

/** How far revisions of one process may run ahead of the clock, when many change at once. */
const NOTED_AHEAD_MS = 30_000;

/**
 * The scheduler's memory: records by id with the indexes that decisions need, every change stamped
 * with a revision, made durable in groups and only then published.
 */
export class SchedulerState {
  readonly changes: ChangeLog;
  /** VMs without a task that are not deleted: all that a placement round has to look at. */
  readonly withoutTask = new Set<string>();
  /** Where the members of each group are. */
  readonly groups = new GroupIndex();
  /** What each agent's executor is known to have. */
  readonly inventories = new Inventories();
  /** Which network cards are on which hosts. */
  readonly cards = new CardIndex();
  /** How many external addresses of agents are spoken for. */
  readonly externals = new ExternalCounts();
  /** VMs whose tasks are to be let go for others of another size. */
  readonly resizing = new Set<string>();
  /** Changes that the state table does not know: each one is a fault of ours. */
  illegalChangeCount = 0;
  readonly #vms = new Map<string, VmRecord>();
  readonly #operations = new Map<string, OperationRecord>();
  /** Those without a result, by their VM. */
  readonly #openOperations = new Map<string, Set<string>>();
  readonly #vmsByAgent = new Map<string, Set<string>>();
  readonly #usedByAgent = new Map<string, Amounts>();
  readonly #dirty = new Set<string>();
  readonly #removed = new Set<string>();
  /** Changes that readers are shown and nobody stores: see {@link note}. */
  readonly #noted = new Set<string>();
  readonly #watchers: ((before: VmRecord, after: VmRecord) => void)[] = [];
  readonly #store: SchedulerStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #commits: GroupCommit;
  #lastRevision = 0;

  constructor(store: SchedulerStore, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.changes = new ChangeLog(clock);
    this.#commits = new GroupCommit(() => this.#write());
  }

  /** Reads everything from the store; gives the framework id of earlier runs. */
  async load(): Promise<string | undefined> {
    const stored = await this.#store.load();
    for (const vm of stored.vms) this.#index(vm);
    for (const operation of stored.operations) {
      this.#operations.set(operation.request.operationId, operation);
      this.#indexOperation(operation);
    }
    const published = [...stored.vms.map(changeOfVm), ...stored.operations.map(changeOfOperation)];
    published.sort((a, b) => a.revision - b.revision);
    this.changes.publish(published);
    // Readers may have seen revisions that were never stored: new ones must lie beyond.
    const isNew = stored.vms.length + stored.operations.length === 0;
    const seenMax = isNew ? 0 : Math.floor(this.#clock.nowMs()) + NOTED_AHEAD_MS;
    this.#lastRevision = Math.max(this.changes.revision, seenMax);
    return stored.frameworkId;
  }

  vm(vmId: string): VmRecord | undefined {
    return this.#vms.get(vmId);
  }

  vms(): IterableIterator<VmRecord> {
    return this.#vms.values();
  }

  vmsOfAgent(agentId: string): readonly VmRecord[] {
    const ids = this.#vmsByAgent.get(agentId) ?? [];
    return [...ids].flatMap((id) => this.#vms.get(id) ?? []);
  }

  /** What the tasks of VMs take at an agent. */
  usedAt(agentId: string): Amounts {
    return this.#usedByAgent.get(agentId) ?? NOTHING;
  }

  /** Agents that have a VM with a task. */
  agentIds(): readonly string[] {
    return [...this.#vmsByAgent.keys()];
  }

  operation(id: string): OperationRecord | undefined {
    return this.#operations.get(id);
  }

  operations(): IterableIterator<OperationRecord> {
    return this.#operations.values();
  }

  /** What its executor has not answered yet, as it was asked. */
  openOperationsOf(vmId: string): readonly OperationRecord[] {
    const ids = this.#openOperations.get(vmId) ?? [];
    return [...ids].flatMap((id) => this.#operations.get(id) ?? []);
  }

  /** Takes a changed record (the same object means: no change) and gives it its revision. */
  putVm(record: VmRecord): void {
    const before = this.#vms.get(vmIdOf(record));
    if (before === record) return;
    if (before !== undefined && !isLegalChange(before, record)) {
      this.illegalChangeCount += 1;
      const change = { vmId: vmIdOf(record), from: shownState(before), to: shownState(record) };
      this.#logger.warn(change, 'a change that the state table does not know');
    }
    this.#index({ ...record, revision: this.#nextRevision() }, before);
    this.#dirty.add(vmIdOf(record));
    if (before === undefined) return;
    for (const watcher of this.#watchers) watcher(before, record);
  }

  /** Calls back at each change of a VM that was known before. */
  watch(watcher: (before: VmRecord, after: VmRecord) => void): void {
    this.#watchers.push(watcher);
  }

  /**
   * Takes a change that need not survive this process, as it is found out again: readers are shown
   * it after the next {@link commit}, but it causes no write.
   */
  note(record: VmRecord): void {
    const before = this.#vms.get(vmIdOf(record));
    if (before === undefined || before === record) return;
    this.#index({ ...record, revision: this.#nextRevision() }, before);
    this.#noted.add(vmIdOf(record));
  }

  putOperation(record: OperationRecord): void {
    const { operationId } = record.request;
    this.#operations.set(operationId, { ...record, revision: this.#nextRevision() });
    this.#indexOperation(record);
    this.#dirty.add(operationId);
  }

  /** Forgets VMs and operations that nobody will ask for again. */
  remove(ids: readonly string[]): void {
    for (const id of ids) {
      const vm = this.#vms.get(id);
      if (vm !== undefined) {
        this.#unindex(vm);
        this.inventories.change(vm, undefined);
        this.cards.change(vm, undefined);
      }
      this.#vms.delete(id);
      const operation = this.#operations.get(id);
      if (operation !== undefined) this.#closeOperation(operation);
      this.#operations.delete(id);
      this.#dirty.delete(id);
      this.#noted.delete(id);
      this.#removed.add(id);
      this.changes.remove(id);
    }
  }

  /**
   * Resolves when all changes up to now are durable and published, those of others included: what
   * somebody repeats may still be on its way.
   */
  commit(): Promise<void> {
    const isClean = this.#dirty.size + this.#removed.size + this.#noted.size === 0;
    return isClean ? this.#commits.pending() : this.#commits.commit();
  }

  /** A reader has read up to here: further revisions lie beyond, even if the clock went back. */
  seenUpTo(revision: number): void {
    this.#lastRevision = Math.max(this.#lastRevision, revision);
  }

  async #write(): Promise<void> {
    const dirty = [...this.#dirty];
    const removed = [...this.#removed];
    const noted = [...this.#noted];
    this.#dirty.clear();
    this.#removed.clear();
    this.#noted.clear();
    const isDirty = new Set(dirty);
    const vms = dirty.flatMap((id) => this.#vms.get(id) ?? []);
    const shown = noted.flatMap((id) => (isDirty.has(id) ? [] : (this.#vms.get(id) ?? [])));
    const operations = dirty.flatMap((id) => this.#operations.get(id) ?? []);
    try {
      if (dirty.length + removed.length > 0) {
        await this.#store.save({
          vms,
          operations,
          removedVmIds: removed.filter((id) => id.startsWith('vm_')),
          removedOperationIds: removed.filter((id) => !id.startsWith('vm_')),
        });
      }
    } catch (error) {
      for (const id of dirty) this.#dirty.add(id);
      for (const id of removed) this.#removed.add(id);
      for (const id of noted) this.#noted.add(id);
      throw error;
    }
    const published = [...vms, ...shown].map(changeOfVm).concat(operations.map(changeOfOperation));
    this.changes.publish(published.sort((a, b) => a.revision - b.revision));
  }

  /** Grows across restarts too, because it follows the wall clock while that does not go back. */
  #nextRevision(): number {
    this.#lastRevision = Math.max(this.#lastRevision + 1, Math.floor(this.#clock.nowMs()));
    return this.#lastRevision;
  }

  #index(record: VmRecord, before?: VmRecord): void {
    if (before !== undefined) this.#unindex(before);
    const vmId = vmIdOf(record);
    this.#vms.set(vmId, record);
    this.inventories.change(before, record);
    this.cards.change(before, record);
    this.groups.add(record);
    this.externals.add(record);
    if (record.task?.size !== undefined) this.resizing.add(vmId);
    if (record.task === null) {
      if (record.phase !== 'deleted') this.withoutTask.add(vmId);
      return;
    }
    const ofAgent = this.#vmsByAgent.get(record.task.agentId) ?? new Set<string>();
    this.#vmsByAgent.set(record.task.agentId, ofAgent.add(vmId));
    const used = plus(this.usedAt(record.task.agentId), needOf(assignmentOfTask(record)));
    this.#usedByAgent.set(record.task.agentId, used);
  }

  #indexOperation(record: OperationRecord): void {
    if (record.result !== null) {
      this.#closeOperation(record);
      return;
    }
    const { vmId, operationId } = record.request;
    const open = this.#openOperations.get(vmId) ?? new Set<string>();
    this.#openOperations.set(vmId, open.add(operationId));
  }

  #closeOperation({ request: { vmId, operationId } }: OperationRecord): void {
    const open = this.#openOperations.get(vmId);
    open?.delete(operationId);
    if (open?.size === 0) this.#openOperations.delete(vmId);
  }

  #unindex(record: VmRecord): void {
    const vmId = vmIdOf(record);
    this.withoutTask.delete(vmId);
    this.groups.remove(record);
    this.externals.remove(record);
    this.resizing.delete(vmId);
    if (record.task === null) return;
    const used = minus(this.usedAt(record.task.agentId), needOf(assignmentOfTask(record)));
    this.#usedByAgent.set(record.task.agentId, used);
    const ofAgent = this.#vmsByAgent.get(record.task.agentId);
    ofAgent?.delete(vmId);
    if (ofAgent?.size !== 0) return;
    this.#vmsByAgent.delete(record.task.agentId);
    this.#usedByAgent.delete(record.task.agentId);
  }
}

function changeOfVm(vm: VmRecord): { id: string; revision: number } {
  return { id: vmIdOf(vm), revision: vm.revision };
}

function changeOfOperation(operation: OperationRecord): { id: string; revision: number } {
  return { id: operation.request.operationId, revision: operation.revision };
}
