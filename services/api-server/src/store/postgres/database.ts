import {
  type BatchId,
  type ClusterId,
  type LinkCommand,
  type OperationId,
  PROBLEMS,
} from '@factory/contracts';
import { hasErrorCode, type Logger, ProblemError } from '@factory/runtime';
import { notify } from '@factory/runtime/postgres';
import type { Knex } from 'knex';
import type { Wake } from '../../clusters/store.ts';

/** PostgreSQL's channel for wakes between api-servers. */
export const WAKE_CHANNEL = 'factory_api_wake';
/** PostgreSQL takes payloads below 8000 bytes; a longer wake becomes "look at everything". */
const PAYLOAD_BYTES_MAX = 7_500;
const ATTEMPTS_MAX = 4;
/** A deadlock or a conflict of serialisation: the transaction did nothing and may be run again. */
const RETRYABLE = ['40P01', '40001'];

/** Nothing was begun: no connection of the pool came free in time. */
const BUSY = 'The database has too much to do at present; try again shortly.';

function isBusy(error: unknown): boolean {
  return error instanceof Error && error.name === 'KnexTimeoutError';
}

/** Collects, during a transaction, whom to wake after its commit. */
export class WakeSet {
  readonly #clusters = new Set<ClusterId>();
  readonly #batches = new Set<BatchId>();
  readonly #operations = new Set<OperationId>();

  add(wake: Partial<Wake>): void {
    for (const id of wake.clusters ?? []) this.#clusters.add(id);
    for (const id of wake.batches ?? []) this.#batches.add(id);
    for (const id of wake.operations ?? []) this.#operations.add(id);
  }

  get isEmpty(): boolean {
    return this.#clusters.size + this.#batches.size + this.#operations.size === 0;
  }

  toWake(): Wake {
    return {
      clusters: [...this.#clusters],
      batches: [...this.#batches],
      operations: [...this.#operations],
    };
  }
}

/** Undoes a transaction without being an error: `result` is what the caller gets. */
export class RolledBack<T> extends Error {
  readonly result: T;
  constructor(result: T) {
    super('rolled back');
    this.name = 'RolledBack';
    this.result = result;
  }
}

/** The database of one api-server process, with its wakes. */
export class PostgresDatabase {
  readonly knex: Knex;
  readonly #instance: string;
  readonly #logger: Logger;
  readonly #listeners = new Set<(wake: Wake | undefined) => void>();

  /** `instance` tells this process's own notifications from others'. */
  constructor(knex: Knex, instance: string, logger: Logger) {
    this.knex = knex;
    this.#instance = instance;
    this.#logger = logger;
  }

  /**
   * Runs `work` in a transaction (again, when PostgreSQL broke a deadlock by ending it) and wakes
   * whoever waits for what it changed: here at once, elsewhere by one notification.
   */
  async transaction<T>(work: (trx: Knex.Transaction, wakes: WakeSet) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(work);
      } catch (error) {
        const isRetryable = RETRYABLE.some((code) => hasErrorCode(error, code));
        if (isBusy(error)) throw new ProblemError(PROBLEMS.notReady, BUSY);
        if (!isRetryable || attempt === ATTEMPTS_MAX) throw error;
        this.#logger.warn({ err: error, attempt }, 'a transaction was broken off; again');
      }
    }
  }

  async #attempt<T>(work: (trx: Knex.Transaction, wakes: WakeSet) => Promise<T>): Promise<T> {
    const wakes = new WakeSet();
    const result = await this.knex.transaction(async (trx) => {
      const value = await work(trx, wakes);
      if (!wakes.isEmpty) await notify(trx, WAKE_CHANNEL, this.#payload(wakes.toWake()));
      return value;
    });
    if (!wakes.isEmpty) this.#emit(wakes.toWake());
    return result;
  }

  subscribe(onWake: (wake: Wake | undefined) => void): () => void {
    this.#listeners.add(onWake);
    return () => this.#listeners.delete(onWake);
  }

  /** Takes a notification of another process; an empty one means that some may be lost. */
  receive(payload: string): void {
    const [instance = '', ...rest] = payload.split(' ');
    if (instance === this.#instance) return;
    const body = rest.join(' ');
    this.#emit(body === '' ? undefined : decodeWake(JSON.parse(body)));
  }

  #payload(wake: Wake): string {
    const body = JSON.stringify(wake);
    return `${this.#instance} ${body.length > PAYLOAD_BYTES_MAX ? '' : body}`;
  }

  #emit(wake: Wake | undefined): void {
    for (const listener of this.#listeners) listener(wake);
  }
}

/** Only our own processes write here: the shape is taken as given, as that of the tables is. */
function decodeWake(value: unknown): Wake {
  return value as Wake;
}

/**
 * Appends commands to a cluster's log, numbered without gaps: the log's row is locked until the
 * transaction ends. Gives the number of the last.
 */
export async function appendCommands(
  trx: Knex.Transaction,
  clusterId: ClusterId,
  commands: readonly LinkCommand[],
): Promise<number> {
  const texts = commands.map((command) => JSON.stringify(command));
  const { rows } = await trx.raw<{ rows: readonly { last_seq: number }[] }>(
    `with log as (
       update command_logs set last_seq = last_seq + :count where cluster_id = :clusterId
       returning last_seq
     ), added as (
       insert into commands (cluster_id, seq, command, bytes)
       select :clusterId, log.last_seq - :count + each.position, each.text::jsonb,
         length(each.text)
       from log, unnest(:texts::text[]) with ordinality as each(text, position)
     )
     select last_seq from log`,
    { clusterId, count: commands.length, texts },
  );
  const lastSeq = rows[0]?.last_seq;
  if (lastSeq === undefined) throw new Error(`cluster ${clusterId} has no command log`);
  return lastSeq;
}
