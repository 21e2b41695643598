import type {
  ConsoleKind,
  ConsoleTicketId,
  OperationId,
  ProjectId,
  VmId,
} from '@factory/contracts';

/** A one-time ticket for a console of a machine. */
export interface ConsoleTicketRecord {
  readonly id: ConsoleTicketId;
  /** SHA-256 of its secret, in hexadecimal. */
  readonly secretHash: string;
  readonly projectId: ProjectId;
  readonly vmId: VmId;
  readonly kind: ConsoleKind;
  readonly expiresAtMs: number;
  /** By which it was used; null before. */
  readonly operationId: OperationId | null;
  /** URL of the api-server that has the user's socket; null before it was used. */
  readonly heldAt: string | null;
}

/** Tickets for consoles. Every method is one transaction. */
export interface ConsoleStore {
  put(ticket: ConsoleTicketRecord): Promise<void>;
  find(id: ConsoleTicketId): Promise<ConsoleTicketRecord | undefined>;
  /** Uses a ticket; `false` when it was used before. */
  use(id: ConsoleTicketId, operationId: OperationId, heldAt: string): Promise<boolean>;
  /** The api-server at which the operation's socket waits. */
  holderOf(operationId: OperationId): Promise<string | undefined>;
}
