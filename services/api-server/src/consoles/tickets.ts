import { createHash, timingSafeEqual } from 'node:crypto';
import {
  CONSOLE_PATHS,
  type ConsoleKind,
  type ConsoleTicket,
  type ConsoleTicketId,
  ID_PREFIXES,
  type OperationId,
  PROBLEMS,
  type ProjectId,
  type VmId,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError, type Random } from '@factory/runtime';
import { decideOperation } from '../operations/rules.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { ConsoleTicketRecord } from './store.ts';

/** From the ticket to its use. */
const TICKET_VALID_MS = 60_000;
const SECRET_BYTES = 32;
const TICKET = /^(con_[0-9a-f]{32})\.([A-Za-z0-9_-]{43})$/;

export interface ConsoleTicketParts {
  readonly store: Pick<ApiStore, 'consoles' | 'vms'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: IdGenerator;
}

/** Gives out tickets for consoles, and takes each once. */
export class ConsoleTickets {
  readonly #parts: ConsoleTicketParts;

  constructor(parts: ConsoleTicketParts) {
    this.#parts = parts;
  }

  /** @throws ProblemError 404, or 409 with what to do. */
  async issue(projectId: ProjectId, vmId: VmId, kind: ConsoleKind): Promise<ConsoleTicket> {
    const { store, clock, random, newId } = this.#parts;
    const vm = await store.vms.find(projectId, vmId);
    if (vm === undefined) {
      throw new ProblemError(PROBLEMS.notFound, `There is no machine ${vmId}.`);
    }
    const decision = decideOperation(vm, 'console');
    if (decision.kind === 'refused') throw new ProblemError(PROBLEMS.wrongState, decision.detail);
    const id = newId(ID_PREFIXES.consoleTicket) as ConsoleTicketId;
    const secret = Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url');
    const expiresAtMs = clock.nowMs() + TICKET_VALID_MS;
    const unused = { operationId: null, heldAt: null };
    const bound = { projectId, vmId, kind, expiresAtMs };
    await store.consoles.put({ id, secretHash: hashOf(secret), ...bound, ...unused });
    const ticket = `${id}.${secret}`;
    const expiresAt = new Date(expiresAtMs).toISOString();
    return { vmId, kind, ticket, path: `${CONSOLE_PATHS.user}${ticket}`, expiresAt };
  }

  /**
   * Takes a ticket for the operation that begins with it; undefined when it is not good: unknown,
   * wrong, too old, or used. A wrong secret does not use the ticket up.
   */
  async use(
    ticket: string,
    operationId: OperationId,
    heldAt: string,
  ): Promise<ConsoleTicketRecord | undefined> {
    const { store, clock } = this.#parts;
    const [, id, secret] = TICKET.exec(ticket) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const found = await store.consoles.find(id as ConsoleTicketId);
    if (found === undefined || !isEqual(found.secretHash, hashOf(secret))) return undefined;
    if (clock.nowMs() >= found.expiresAtMs) return undefined;
    return (await store.consoles.use(found.id, operationId, heldAt)) ? found : undefined;
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Takes as long for any two hashes. */
function isEqual(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'));
}
