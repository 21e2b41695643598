import type { SchedulerCall, SchedulerEvent } from 'mesos-core/protocol';

/** The connection to a Mesos master, as the scheduler needs it. */
export interface Framework {
  /** Connects and stays connected; `frameworkId` is that of earlier runs. */
  start(frameworkId: string | undefined, handler: FrameworkHandler): void;
  /**
   * Sends one call.
   * @throws when it was not accepted, or nobody knows whether it was.
   */
  call(call: SchedulerCall): Promise<void>;
  close(): Promise<void>;
}

export interface FrameworkHandler {
  onEvent(event: SchedulerEvent): void;
  /** All offers are void from here on; the next event is SUBSCRIBED. */
  onDisconnected(): void;
}
