/** Mesos' names of flags from when agents were called slaves. */
export const MASTER_FLAG_ALIASES: Readonly<Record<string, string>> = {
  authenticate_slaves: 'authenticate_agents',
  max_slave_ping_timeouts: 'max_agent_ping_timeouts',
  recovery_slave_removal_limit: 'recovery_agent_removal_limit',
  slave_ping_timeout: 'agent_ping_timeout',
  slave_removal_rate_limit: 'agent_removal_rate_limit',
  slave_reregister_timeout: 'agent_reregister_timeout',
};

/**
 * Flags of Mesos that can't be set here, with the value that says how this master behaves, or, of what
 * it does not have, Mesos' default: tools expect all of them.
 */
export const FIXED_MASTER_FLAGS: Readonly<Record<string, string>> = {
  allocator: 'hierarchical',
  authenticate_frameworks: 'false',
  authentication_v0_timeout: '15secs',
  authenticators: 'crammd5',
  authorizers: 'local',
  help: 'false',
  hostname_lookup: 'false',
  http_authenticators: 'basic',
  initialize_driver_logging: 'true',
  log_auto_initialize: 'true',
  logbufsecs: '0',
  memory_profiling: 'false',
  offer_constraints_re2_max_mem: '4KB',
  offer_constraints_re2_max_program_size: '100',
  publish_per_framework_metrics: 'true',
  quiet: 'false',
  registry_gc_interval: '15mins',
  registry_strict: 'false',
  require_agent_domain: 'false',
  root_submissions: 'true',
  version: 'false',
  webui_dir: '',
};
