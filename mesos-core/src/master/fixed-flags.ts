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
  logging_level: 'INFO',
  max_operator_event_stream_subscribers: '1000',
  max_unreachable_tasks_per_framework: '1000',
  memory_profiling: 'false',
  offer_constraints_re2_max_mem: '4KB',
  offer_constraints_re2_max_program_size: '100',
  publish_per_framework_metrics: 'true',
  quiet: 'false',
  registry_fetch_timeout: '1mins',
  registry_gc_interval: '15mins',
  registry_store_timeout: '20secs',
  registry_strict: 'false',
  require_agent_domain: 'false',
  root_submissions: 'true',
  version: 'false',
  webui_dir: '',
};
