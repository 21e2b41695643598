/** The peer answered a call or a subscription with something other than success. */
export class CallRefusedError extends Error {
  readonly code = 'MESOS_ERR_CALL_REFUSED';
  /** HTTP status of the answer. */
  readonly status: number;
  /** Where the answer points to, of a redirect. */
  readonly location: string | undefined;
  constructor(
    what: string,
    answer: { readonly status: number; readonly text: string; readonly location?: string },
  ) {
    super(`${what} was answered with ${answer.status}: ${answer.text || '(no text)'}`);
    this.name = 'CallRefusedError';
    this.status = answer.status;
    this.location = answer.location;
  }
}

/** A call that needs a subscription was made without one. Make it again after `subscribed`. */
export class NotSubscribedError extends Error {
  readonly code = 'MESOS_ERR_NOT_SUBSCRIBED';
  constructor(what: string) {
    super(`${what} needs a subscription, and there is none at the moment`);
    this.name = 'NotSubscribedError';
  }
}

/** The event stream stayed silent for longer than its heartbeats allow: the peer counts as dead. */
export class SilentStreamError extends Error {
  readonly code = 'MESOS_ERR_SILENT_STREAM';
  readonly silenceMs: number;
  constructor(silenceMs: number) {
    super(`No event and no heartbeat for ${silenceMs} ms`);
    this.name = 'SilentStreamError';
    this.silenceMs = silenceMs;
  }
}

/** Why a master or an agent will not have this client again. */
export type RejectionReason =
  /** The framework was torn down, or its failover timeout passed: its id is of no use any more. */
  | 'removed'
  /** Another scheduler subscribed with the same framework id. */
  | 'failed-over'
  /** The subscription itself is not acceptable; the message says why. */
  | 'refused';

/** The subscription is over for good: trying again would end the same way. */
export class SubscriptionRejectedError extends Error {
  readonly code = 'MESOS_ERR_SUBSCRIPTION_REJECTED';
  readonly reason: RejectionReason;
  constructor(reason: RejectionReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SubscriptionRejectedError';
    this.reason = reason;
  }
}

/** The agent did not come back in time, or must not be waited for (no checkpointing). */
export class AgentLostError extends Error {
  readonly code = 'MESOS_ERR_AGENT_LOST';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AgentLostError';
  }
}

/** The environment is not that of a Mesos executor. */
export class ExecutorEnvironmentError extends Error {
  readonly code = 'MESOS_ERR_EXECUTOR_ENVIRONMENT';
  constructor(message: string) {
    super(message);
    this.name = 'ExecutorEnvironmentError';
  }
}
