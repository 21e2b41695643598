import type { EventType, ProjectId, WebhookId } from '@factory/contracts';

/** A webhook as it is kept. */
export interface WebhookRecord {
  readonly id: WebhookId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly url: string;
  /** None: all. */
  readonly types: readonly EventType[];
  readonly sealedSecret: string;
  readonly state: 'active' | 'disabled';
  /** Why it is switched off. */
  readonly reason: string | null;
  /** All events up to this one are dealt with. */
  readonly cursorSeq: number;
  readonly failingSinceMs: number | null;
  /** That failed in a row. */
  readonly attempts: number;
  readonly dueAtMs: number;
  /** Until then an api-server works on it. */
  readonly leaseUntilMs: number;
  readonly createdAtMs: number;
}

export type WebhookPatch = Partial<
  Pick<WebhookRecord, 'url' | 'types' | 'sealedSecret'> & WebhookStanding
>;

/** How it stands with deliveries. */
export type WebhookStanding = Pick<
  WebhookRecord,
  'state' | 'reason' | 'cursorSeq' | 'failingSinceMs' | 'attempts' | 'dueAtMs'
>;

/** A call that was made. */
export interface DeliveryRecord {
  readonly webhookId: WebhookId;
  readonly atMs: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly events: number;
  /** Null: there was no answer. */
  readonly status: number | null;
  readonly error: string | null;
  readonly durationMs: number;
}

export interface KeptDelivery extends DeliveryRecord {
  readonly id: number;
}

/** Webhooks. Every method is one transaction. */
export interface WebhookStore {
  create(record: WebhookRecord, max: number): Promise<'created' | 'nameTaken' | 'tooMany'>;
  /** By their ids, which is the order of their birth. */
  list(projectId: ProjectId): Promise<readonly WebhookRecord[]>;
  find(projectId: ProjectId, id: WebhookId): Promise<WebhookRecord | undefined>;
  /** Gives it as it is then; `undefined` when there is none. */
  change(
    projectId: ProjectId,
    id: WebhookId,
    patch: WebhookPatch,
  ): Promise<WebhookRecord | undefined>;
  delete(projectId: ProjectId, id: WebhookId): Promise<boolean>;
  /** Leases one that has events to send, and is due, to the caller until `untilMs`. */
  claim(nowMs: number, untilMs: number): Promise<WebhookRecord | undefined>;
  /** Writes down what came of it and ends the lease, if the caller still has it. */
  settle(
    webhook: Pick<WebhookRecord, 'id' | 'leaseUntilMs'>,
    standing: WebhookStanding,
    delivery: DeliveryRecord | undefined,
  ): Promise<void>;
  /** The newest first, those before `before`. */
  deliveries(
    id: WebhookId,
    before: number | undefined,
    limit: number,
  ): Promise<readonly KeptDelivery[]>;
  /** Gives how many. */
  forgetDeliveries(beforeMs: number): Promise<number>;
}
