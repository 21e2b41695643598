import type { AgentCall, SchedulerCall } from '../../protocol/index.ts';

/** Calls of schedulers that have a counter of their own. */
export const MESSAGE_OF_CALL: Readonly<Partial<Record<SchedulerCall['type'], string>>> = {
  TEARDOWN: 'messages_unregister_framework',
  DECLINE: 'messages_decline_offers',
  REVIVE: 'messages_revive_offers',
  SUPPRESS: 'messages_suppress_offers',
  KILL: 'messages_kill_task',
  ACKNOWLEDGE: 'messages_status_update_acknowledgement',
  ACKNOWLEDGE_OPERATION_STATUS: 'messages_operation_status_update_acknowledgement',
  RECONCILE: 'messages_reconcile_tasks',
  RECONCILE_OPERATIONS: 'messages_reconcile_operations',
  MESSAGE: 'messages_framework_to_executor',
  REQUEST: 'messages_resource_request',
};

/** Calls of agents that have a counter of their own. */
export const MESSAGE_OF_AGENT_CALL: Readonly<Partial<Record<AgentCall['type'], string>>> = {
  UPDATE: 'messages_status_update',
  MESSAGE: 'messages_executor_to_framework',
  EXECUTOR_EXITED: 'messages_exited_executor',
  UPDATE_OPERATION: 'messages_operation_status_update',
  UPDATE_AGENT: 'messages_update_slave',
};

const MESSAGES = [
  ...Object.values(MESSAGE_OF_CALL),
  ...Object.values(MESSAGE_OF_AGENT_CALL),
  ...['messages_register_framework', 'messages_reregister_framework', 'messages_launch_tasks'],
  ...['messages_register_slave', 'messages_reregister_slave', 'messages_unregister_slave'],
  // Of Mesos' older driver protocol, which nobody speaks here.
  ...['messages_authenticate', 'messages_deactivate_framework'],
];

const ENDS = [
  'dropped',
  'error',
  'failed',
  'finished',
  'gone',
  'gone_by_operator',
  'killed',
  'lost',
];

const CHECKED = [
  ...['executor_to_framework_messages', 'framework_to_executor_messages'],
  ...['operation_status_update_acknowledgements', 'operation_status_updates'],
  ...['status_update_acknowledgements', 'status_updates'],
].flatMap((name) => [`valid_${name}`, `invalid_${name}`]);

const SLAVES = [
  ...['slave_registrations', 'slave_reregistrations', 'recovery_slave_removals'],
  ...['slave_removals', 'slave_removals/reason_registered', 'slave_removals/reason_unhealthy'],
  ...['slave_removals/reason_unregistered', 'slave_shutdowns_canceled'],
  ...['slave_shutdowns_completed', 'slave_shutdowns_scheduled', 'slave_unreachable_canceled'],
  ...['slave_unreachable_completed', 'slave_unreachable_scheduled'],
];

const OPERATION_STATES = [
  ...['dropped', 'error', 'failed', 'finished', 'gone_by_operator', 'pending', 'recovering'],
  ...['total', 'unreachable'],
];

const OPERATION_TYPES = [
  ...['create', 'create_disk', 'destroy', 'destroy_disk', 'grow_volume', 'reserve'],
  ...['shrink_volume', 'unreserve'],
];

const OPERATIONS = ['operations', ...OPERATION_TYPES.map((type) => `operations/${type}`)].flatMap(
  (prefix) => OPERATION_STATES.map((state) => `${prefix}/${state}`),
);

/** Counters that are shown from the start; all names without `master/`. */
export const MASTER_COUNTERS: readonly string[] = [
  ...MESSAGES,
  ...CHECKED,
  ...SLAVES,
  ...OPERATIONS,
  ...ENDS.map((name) => `tasks_${name}`),
  // There is no queue in front of this master, nor is an answer ever taken from a cache.
  ...['dropped_messages', 'event_queue_dispatches', 'event_queue_http_requests'],
  ...['event_queue_messages', 'http_cache_hits'],
];

const CALLS = [
  ...['accept', 'accept_inverse_offers', 'acknowledge', 'acknowledge_operation_status', 'decline'],
  ...['decline_inverse_offers', 'kill', 'message', 'reconcile', 'reconcile_operations', 'request'],
  ...['revive', 'shutdown', 'subscribe', 'suppress', 'teardown', 'update_framework'],
];

const EVENTS = [
  ...['error', 'failure', 'heartbeat', 'inverse_offers', 'message', 'offers', 'rescind'],
  ...['rescind_inverse_offer', 'subscribed', 'update', 'update_operation_status'],
];

const FRAMEWORK_STATES = {
  active: ['killing', 'running', 'staging', 'starting', 'unknown', 'unreachable'],
  terminal: ENDS,
};

/** Counters of each framework that are shown from the start. */
export const FRAMEWORK_COUNTERS: readonly string[] = [
  ...['calls', 'events', 'operations'],
  ...CALLS.map((type) => `calls/${type}`),
  ...EVENTS.map((type) => `events/${type}`),
  ...['accepted', 'declined', 'rescinded', 'sent'].map((name) => `offers/${name}`),
  ...[...OPERATION_TYPES, 'launch', 'launch_group'].map((type) => `operations/${type}`),
  ...FRAMEWORK_STATES.active.map((state) => `tasks/active/task_${state}`),
  ...FRAMEWORK_STATES.terminal.map((state) => `tasks/terminal/task_${state}`),
];
