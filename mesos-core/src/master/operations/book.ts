import type { Operation, OperationStatus } from '../../protocol/index.ts';
import { entryOf } from '../state.ts';

/** States after which an operation changes nothing any more. */
const TERMINAL: ReadonlySet<OperationStatus['state']> = new Set([
  'OPERATION_FINISHED',
  'OPERATION_FAILED',
  'OPERATION_ERROR',
  'OPERATION_DROPPED',
  'OPERATION_GONE_BY_OPERATOR',
]);

/** Told of every change of an operation: `undefined` before it came, after it went. */
type OperationListener = (before: Operation | undefined, after: Operation | undefined) => void;

/** Whether an operation in this state is over. */
export function isTerminalOperation(state: OperationStatus['state']): boolean {
  return TERMINAL.has(state);
}

/** Statuses of an operation that are kept: the newest. */
const STATUSES_MAX = 10;

/**
 * Offer operations that agents carry out, or whose end their framework has not acknowledged yet; by
 * uuid (base64), by agent, and by the id that the framework gave.
 */
export class OperationBook {
  /** Called when an agent has an operation less. */
  onLessOnAgent: (agentId: string) => void = () => undefined;
  readonly #onChange: OperationListener;
  readonly #operations = new Map<string, Operation>();
  readonly #byAgent = new Map<string, Set<string>>();
  readonly #byFramework = new Map<string, Map<string, string>>();

  constructor(onChange: OperationListener = () => undefined) {
    this.#onChange = onChange;
  }

  get(uuid: string): Operation | undefined {
    return this.#operations.get(uuid);
  }

  /** The operation to which the framework gave this id. */
  find(frameworkId: string, operationId: string): Operation | undefined {
    return this.#operations.get(this.#byFramework.get(frameworkId)?.get(operationId) ?? '');
  }

  all(): readonly Operation[] {
    return [...this.#operations.values()];
  }

  /** Those of one agent, oldest first. */
  ofAgent(agentId: string): readonly Operation[] {
    return [...(this.#byAgent.get(agentId) ?? [])].flatMap((uuid) => this.get(uuid) ?? []);
  }

  /** Those to which the framework gave ids. */
  ofFramework(frameworkId: string): readonly Operation[] {
    const uuids = this.#byFramework.get(frameworkId)?.values() ?? [];
    return [...uuids].flatMap((uuid) => this.get(uuid) ?? []);
  }

  put(operation: Operation): void {
    const { uuid, framework_id, agent_id, info } = operation;
    this.#onChange(this.#operations.get(uuid.value), operation);
    this.#operations.set(uuid.value, operation);
    entryOf(this.#byAgent, agent_id?.value ?? '', () => new Set<string>()).add(uuid.value);
    if (framework_id === undefined || info.id === undefined) return;
    entryOf(this.#byFramework, framework_id.value, () => new Map<string, string>()).set(
      info.id.value,
      uuid.value,
    );
  }

  /** Takes a newer status; once over, an operation stays so. @returns the operation as it is now. */
  update(operation: Operation, status: OperationStatus): Operation {
    const before = operation.latest_status;
    if (isTerminalOperation(before.state) && before.uuid?.value === status.uuid?.value) {
      return operation;
    }
    const latest = isTerminalOperation(before.state) ? before : status;
    const statuses = [...(operation.statuses ?? []), status].slice(-STATUSES_MAX);
    const updated = { ...operation, latest_status: latest, statuses };
    this.put(updated);
    return updated;
  }

  remove({ uuid, framework_id, agent_id, info }: Operation): void {
    this.#onChange(this.#operations.get(uuid.value), undefined);
    this.#operations.delete(uuid.value);
    const ofAgent = this.#byAgent.get(agent_id?.value ?? '');
    ofAgent?.delete(uuid.value);
    if (ofAgent?.size === 0) this.#byAgent.delete(agent_id?.value ?? '');
    this.onLessOnAgent(agent_id?.value ?? '');
    if (framework_id === undefined || info.id === undefined) return;
    const ofFramework = this.#byFramework.get(framework_id.value);
    if (ofFramework?.get(info.id.value) === uuid.value) ofFramework.delete(info.id.value);
    if (ofFramework?.size === 0) this.#byFramework.delete(framework_id.value);
  }
}
