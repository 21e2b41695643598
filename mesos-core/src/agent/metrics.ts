/** What happened since the agent started; shown by `GET /metrics/snapshot` in Mesos' names. */
export interface AgentMetrics {
  containerLaunchErrors: number;
  executorsTerminated: number;
  validStatusUpdates: number;
  invalidStatusUpdates: number;
  validFrameworkMessages: number;
  invalidFrameworkMessages: number;
  /** Updates sent to the master more than once. */
  statusUpdateRetries: number;
  recoveryTimeSecs: number;
  /** Ended tasks by state, such as `TASK_FAILED`. */
  readonly endedTasks: Map<string, number>;
}

/** All zero. */
export function newMetrics(): AgentMetrics {
  return {
    containerLaunchErrors: 0,
    executorsTerminated: 0,
    validStatusUpdates: 0,
    invalidStatusUpdates: 0,
    validFrameworkMessages: 0,
    invalidFrameworkMessages: 0,
    statusUpdateRetries: 0,
    recoveryTimeSecs: 0,
    endedTasks: new Map(),
  };
}
