/** Error codes of ZooKeeper's replies that callers tell apart (KeeperException.Code). */
const REASONS = {
  [-4]: 'CONNECTION_LOSS',
  [-6]: 'UNIMPLEMENTED',
  [-8]: 'BAD_ARGUMENTS',
  [-101]: 'NO_NODE',
  [-102]: 'NO_AUTH',
  [-103]: 'BAD_VERSION',
  [-110]: 'NODE_EXISTS',
  [-111]: 'NOT_EMPTY',
  [-112]: 'SESSION_EXPIRED',
  [-114]: 'INVALID_ACL',
  [-115]: 'AUTH_FAILED',
} as const;

/** What went wrong with a request or with the session. */
export type ZooKeeperErrorReason =
  | (typeof REASONS)[keyof typeof REASONS]
  /** Another answer that is no success; its number is in the message. */
  | 'REFUSED'
  /** What came is no record of ZooKeeper's. */
  | 'BAD_RECORD'
  /** No answer came in time; whether the request was carried out is not known. */
  | 'DEADLINE'
  /** The client was closed. */
  | 'CLOSED';

/** A request to ZooKeeper failed, or its session is over. */
export class ZooKeeperError extends Error {
  readonly code = 'MESOS_ERR_ZOOKEEPER';
  readonly reason: ZooKeeperErrorReason;
  constructor(reason: ZooKeeperErrorReason, message: string, options?: ErrorOptions) {
    super(`ZooKeeper: ${message}`, options);
    this.name = 'ZooKeeperError';
    this.reason = reason;
  }
}

/** The error for a reply's error number, which is not 0. */
export function replyError(status: number, what: string): ZooKeeperError {
  const reason = isKnown(status) ? REASONS[status] : 'REFUSED';
  return new ZooKeeperError(reason, `${what} was answered with ${reason} (${status})`);
}

/** The number that a reason has on the wire; for servers in tests. */
export function statusOf(reason: ZooKeeperErrorReason): number {
  const entry = Object.entries(REASONS).find(([, each]) => each === reason);
  return entry === undefined ? -1 : Number(entry[0]);
}

/** Whether `error` is ZooKeeper's, for one of these reasons. */
export function hasReason(error: unknown, ...reasons: readonly ZooKeeperErrorReason[]): boolean {
  return error instanceof ZooKeeperError && reasons.includes(error.reason);
}

function isKnown(status: number): status is keyof typeof REASONS {
  return status in REASONS;
}
