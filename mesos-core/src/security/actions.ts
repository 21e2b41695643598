/**
 * What can be allowed or forbidden: Mesos' names of the lists in `--acls`, each with the name of the
 * field that says on what. The last two are ours: Mesos can't change an agent while it runs.
 */
export const ACTIONS = {
  register_frameworks: 'roles',
  run_tasks: 'users',
  teardown_frameworks: 'framework_principals',
  reserve_resources: 'roles',
  unreserve_resources: 'reserver_principals',
  create_volumes: 'roles',
  destroy_volumes: 'creator_principals',
  resize_volumes: 'roles',
  create_block_disks: 'roles',
  destroy_block_disks: 'roles',
  create_mount_disks: 'roles',
  destroy_mount_disks: 'roles',
  destroy_raw_disks: 'roles',
  get_quotas: 'roles',
  update_quotas: 'roles',
  update_weights: 'roles',
  view_roles: 'roles',
  view_frameworks: 'users',
  view_tasks: 'users',
  view_executors: 'users',
  view_containers: 'users',
  view_flags: 'flags',
  view_resource_providers: 'resource_providers',
  get_endpoints: 'paths',
  access_sandboxes: 'users',
  access_mesos_logs: 'logs',
  set_log_level: 'level',
  register_agents: 'agents',
  mark_agents_gone: 'agents',
  drain_agents: 'agents',
  deactivate_agents: 'agents',
  reactivate_agents: 'agents',
  update_maintenance_schedules: 'machines',
  get_maintenance_schedules: 'machines',
  start_maintenances: 'machines',
  stop_maintenances: 'machines',
  get_maintenance_statuses: 'machines',
  launch_nested_containers_as_user: 'users',
  launch_nested_containers_under_parent_with_user: 'users',
  launch_nested_container_sessions_as_user: 'users',
  launch_nested_container_sessions_under_parent_with_user: 'users',
  wait_nested_containers: 'users',
  kill_nested_containers: 'users',
  remove_nested_containers: 'users',
  attach_containers_input: 'users',
  attach_containers_output: 'users',
  launch_standalone_containers: 'users',
  wait_standalone_containers: 'users',
  kill_standalone_containers: 'users',
  remove_standalone_containers: 'users',
  view_standalone_containers: 'users',
  modify_resource_provider_configs: 'resource_providers',
  mark_resource_providers_gone: 'resource_providers',
  prune_images: 'images',
  view_agents: 'agents',
  update_agents: 'agents',
} as const;

/** The paths that `get_endpoints` speaks of; all others have actions of their own, or none. */
export const AUTHORIZABLE_PATHS = [
  '/containers',
  '/files/debug',
  '/files/debug.json',
  '/logging/toggle',
  '/metrics/snapshot',
  '/monitor/statistics',
  '/monitor/statistics.json',
] as const;

/** One of {@link ACTIONS}. */
export type Action = keyof typeof ACTIONS;

/** Whether a text is the name of an action. */
export function isAction(name: string): name is Action {
  return Object.hasOwn(ACTIONS, name);
}
