import type { SessionId, UserId } from '@factory/contracts';
import type { UserRecord } from '../users/store.ts';
import type { Attempts } from './attempts.ts';

/** A session as it is kept: whoever reads it can't use it. */
export interface SessionRecord {
  readonly id: SessionId;
  /** SHA-256 in hexadecimal; the token has 256 random bits. */
  readonly tokenHash: string;
  readonly userId: UserId;
  readonly createdAtMs: number;
  /** Within about a minute. */
  readonly lastUsedAtMs: number;
  readonly expiresAtMs: number;
}

/** Sessions of users, and failed attempts to begin one. Every method is one transaction. */
export interface SessionStore {
  create(session: SessionRecord): Promise<void>;
  find(tokenHash: string): Promise<{ session: SessionRecord; user: UserRecord } | undefined>;
  end(id: SessionId): Promise<void>;
  noteUse(uses: ReadonlyMap<string, number>): Promise<void>;
  /** Forgets sessions that are over, and attempts of long ago. */
  forget(query: {
    readonly nowMs: number;
    readonly usedBeforeMs: number;
    readonly attemptsBeforeMs: number;
  }): Promise<void>;
  /**
   * Changes what is known of attempts for these subjects, in one step: nobody else sees it in between.
   * `change` gives `undefined` where nothing changes.
   */
  changeAttempts<T>(
    subjects: readonly string[],
    change: (known: readonly Attempts[]) => {
      readonly attempts: readonly Attempts[] | undefined;
      readonly result: T;
    },
  ): Promise<T>;
}
