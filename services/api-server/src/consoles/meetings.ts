import { type ClusterId, CONSOLE_ENDS, type OperationId } from '@factory/contracts';
import {
  type ByteChannel,
  type ChannelEnd,
  type Clock,
  type JoinLimits,
  joinChannels,
} from '@factory/runtime';

/** How long a console may last. */
export interface ConsoleLimits {
  /** Without a byte in either direction. */
  readonly idleMs: number;
  readonly totalMs: number;
}

/** A cluster's side of a console that is waited for. */
export interface Meeting {
  /** Who may come. */
  readonly cluster: PromiseWithResolvers<ClusterId | undefined>;
  readonly arrival: PromiseWithResolvers<ByteChannel>;
}

/** This api-server is being restarted. */
const RESTARTING: ChannelEnd = { code: 1012, reason: 'The API server is restarting; try again.' };

/** Where users' sockets wait for those of clusters, and are joined with them. */
export class ConsoleMeetings {
  readonly #clock: Clock;
  readonly #limits: JoinLimits;
  readonly #expected = new Map<OperationId, Meeting>();
  readonly #users = new Set<ByteChannel>();

  constructor(clock: Clock, limits: ConsoleLimits) {
    this.#clock = clock;
    this.#limits = { ...limits, onIdle: CONSOLE_ENDS.idle, onTotal: CONSOLE_ENDS.tooLong };
  }

  /**
   * While `work` lasts, the user's socket is told when this api-server ends, and a socket for the
   * operation is let in.
   */
  async expect(
    user: ByteChannel,
    operationId: OperationId,
    work: (meeting: Meeting) => Promise<void>,
  ): Promise<void> {
    const meeting: Meeting = {
      cluster: Promise.withResolvers(),
      arrival: Promise.withResolvers(),
    };
    this.#expected.set(operationId, meeting);
    this.#users.add(user);
    try {
      await work(meeting);
    } finally {
      // Nobody is to wait for what will not come.
      meeting.cluster.resolve(undefined);
      // One that was let in just now would find nobody, and stay.
      meeting.arrival.promise.then((late) => late.close(CONSOLE_ENDS.notOpened));
      this.#expected.delete(operationId);
      this.#users.delete(user);
    }
  }

  /** Takes the place of the one that is expected; false when this cluster is not, or no more. */
  async claim(operationId: OperationId, clusterId: ClusterId): Promise<Meeting | undefined> {
    const meeting = this.#expected.get(operationId);
    if (meeting === undefined || (await meeting.cluster.promise) !== clusterId) return undefined;
    // The first one counts.
    return this.#expected.delete(operationId) ? meeting : undefined;
  }

  /** Passes bytes on between both, until either ends or it has lasted too long. */
  async join(user: ByteChannel, cluster: ByteChannel): Promise<void> {
    await joinChannels(user, cluster, { clock: this.#clock, limits: this.#limits });
  }

  /** Tells all users that this api-server ends. */
  close(): void {
    for (const user of this.#users) user.close(RESTARTING);
  }
}
