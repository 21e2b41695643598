import {
  type Capacity,
  LINK_LIMITS,
  type LinkReports,
  type OperationProgress,
  type OperationResult,
  type Refusal,
  type SharePlan,
  type VmReport,
} from '@factory/contracts';

/** Console logs in one exchange, in characters: the whole must stay below the limit of bodies. */
const OUTPUT_LENGTH_MAX = 4 * 1024 * 1024;

/**
 * What is still to be reported upward. Bounded by itself: of each VM only the newest report is
 * kept, however long the link is cut. Nothing leaves before an exchange has acknowledged it.
 */
export class Outbox {
  #vms = new Map<string, VmReport>();
  #operations = new Map<string, OperationResult>();
  /** By operation; one that is lost with this process is followed by the next. */
  #progress = new Map<string, OperationProgress>();
  #plans = new Map<string, SharePlan>();
  /** By machine, with the number of the command that was refused. */
  #refusals = new Map<string, { readonly refusal: Refusal; readonly seq: number }>();
  #capacity: Capacity | undefined;
  /** The api-server knows what there is here: before, it knows of no image. */
  hasToldCapacity = false;
  /** The vm-scheduler's revision up to which everything is in here or was acknowledged. */
  #readRevision = 0;

  get isEmpty(): boolean {
    const kept = this.#vms.size + this.#operations.size + this.#plans.size;
    return kept + this.#refusals.size + this.#progress.size === 0 && this.#capacity === undefined;
  }

  addChanges(changes: {
    readonly revision: number;
    readonly vms: readonly VmReport[];
    readonly operations: readonly OperationResult[];
    readonly progress?: readonly OperationProgress[] | undefined;
  }): void {
    for (const report of changes.vms) this.#vms.set(report.vmId, report);
    for (const result of changes.operations) this.#operations.set(result.operationId, result);
    for (const each of changes.progress ?? []) this.#progress.set(each.operationId, each);
    for (const { operationId } of changes.operations) this.#progress.delete(operationId);
    this.#readRevision = Math.max(this.#readRevision, changes.revision);
  }

  /** The newest refusal of a machine counts: the api-server cares for its last wish alone. */
  addRefusals(seq: number, refusals: readonly Refusal[]): void {
    for (const refusal of refusals) this.#refusals.set(refusal.vmId, { refusal, seq });
  }

  /** Results of operations that the vm-scheduler does not know of. */
  addResults(operations: readonly OperationResult[]): void {
    for (const result of operations) this.#operations.set(result.operationId, result);
  }

  addPlan(plan: SharePlan): void {
    this.#plans.set(plan.batchId, plan);
  }

  /** The newest capacity; `undefined` takes back one that is no longer true. */
  setCapacity(capacity: Capacity | undefined): void {
    this.#capacity = capacity;
  }

  /**
   * The next reports to send, oldest VMs first. `reportedRevision` is the revision up to which the
   * api-server has everything once they are acknowledged, or `undefined` while more is waiting;
   * commands from `heldSeq` on are not to be acknowledged yet: their refusals come later.
   */
  take(): {
    readonly reports: LinkReports;
    readonly reportedRevision: number | undefined;
    readonly heldSeq: number;
  } {
    const vms = [...this.#vms.values()].slice(0, LINK_LIMITS.vmReportsPerExchangeMax);
    const operations = firstOf([...this.#operations.values()]);
    const refusals = [...this.#refusals.values()];
    const refusalsNow = refusals.splice(0, LINK_LIMITS.vmReportsPerExchangeMax);
    const progress = [...this.#progress.values()].slice(0, LINK_LIMITS.vmReportsPerExchangeMax);
    const isAll = vms.length === this.#vms.size && operations.length === this.#operations.size;
    return {
      reports: {
        vms,
        operations,
        plans: [...this.#plans.values()],
        ...(progress.length === 0 ? {} : { progress }),
        ...(refusalsNow.length === 0 ? {} : { refusals: refusalsNow.map((each) => each.refusal) }),
        ...(this.#capacity === undefined ? {} : { capacity: this.#capacity }),
      },
      reportedRevision: isAll ? this.#readRevision : undefined,
      heldSeq: Math.min(Number.POSITIVE_INFINITY, ...refusals.map((each) => each.seq)),
    };
  }

  /** Drops what was acknowledged, unless something newer has taken its place meanwhile. */
  acknowledge(reports: LinkReports): void {
    for (const report of reports.vms) {
      if (this.#vms.get(report.vmId)?.revision === report.revision) this.#vms.delete(report.vmId);
    }
    for (const { operationId } of reports.operations) this.#operations.delete(operationId);
    for (const each of reports.progress ?? []) {
      if (this.#progress.get(each.operationId) === each) this.#progress.delete(each.operationId);
    }
    for (const plan of reports.plans) {
      if (this.#plans.get(plan.batchId) === plan) this.#plans.delete(plan.batchId);
    }
    for (const refusal of reports.refusals ?? []) {
      if (this.#refusals.get(refusal.vmId)?.refusal === refusal) {
        this.#refusals.delete(refusal.vmId);
      }
    }
    if (reports.capacity !== undefined) this.hasToldCapacity = true;
    if (this.#capacity === reports.capacity) this.#capacity = undefined;
  }
}

/** As many results as go into one exchange, at least one. */
function firstOf(results: readonly OperationResult[]): OperationResult[] {
  let length = 0;
  return results.filter(({ output }, index) => {
    length += output.length;
    return index === 0 || length <= OUTPUT_LENGTH_MAX;
  });
}
