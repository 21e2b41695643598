import {
  booleanSetting,
  choiceSetting,
  defineSettings,
  integerSetting,
  optional,
  type Setting,
  SettingsError,
  type SettingsOf,
  textSetting,
  urlSetting,
} from '@factory/runtime';
import { bytesFlag, domainFlag, durationFlag, namesOf, textOrFile } from '../command-line.ts';
import { type FlagSet, flagTexts, readFlags } from '../flag-set.ts';
import { LOGGING_FLAGS } from '../logging-level.ts';
import { formatDurationMs } from '../protocol/index.ts';
import { addressFlags, LIBPROCESS_VARIABLES } from '../reachable-address.ts';
import { AGENT_SECURITY_FLAGS } from '../security/index.ts';
import { CONTAINERIZER_FLAGS } from './containerizer/flags.ts';
import { FIXED_AGENT_FLAGS } from './fixed-flags.ts';
import { OVERSUBSCRIPTION_FLAGS } from './oversubscription.ts';
import { DEFAULT_AGENT_SETTINGS as DEFAULTS } from './settings.ts';

/** The flags of the agent: Mesos' names, and MESOS_<NAME> in the environment. */
export const AGENT_FLAGS = defineSettings({
  ...AGENT_SECURITY_FLAGS,
  ...CONTAINERIZER_FLAGS,
  ...LOGGING_FLAGS,
  master: textSetting({
    ...namesOf('master'),
    describe:
      'masters as host:port or http://host:port, separated by commas; or zk://host:port,host:port/path, ' +
      'or file:///path of a file that holds either',
  }),
  zkSessionTimeoutMs: durationFlag(
    'zk_session_timeout',
    10_000,
    "of the agent's session with ZooKeeper; with --master=zk://…",
  ),
  workDir: textSetting({
    ...namesOf('work_dir'),
    describe: 'where sandboxes and the checkpoint are kept',
    default: DEFAULTS.workDir,
    pattern: /^\//,
    patternHint: 'an absolute path',
  }),
  ...addressFlags(5051),
  hostname: optional(
    textSetting({ ...namesOf('hostname'), describe: 'name in offers; default: that of the host' }),
  ),
  resources: textSetting({
    ...namesOf('resources'),
    describe: 'such as cpus:8;mem:16384, or JSON, or file:///path; the rest is detected',
    default: '',
  }),
  defaultRole: textSetting({
    ...namesOf('default_role'),
    describe: 'whom resources are reserved for that name no role; *: nobody',
    default: DEFAULTS.defaultRole,
  }),
  attributes: textSetting({
    ...namesOf('attributes'),
    describe: 'such as rack:r1;ssd:true, or file:///path',
    default: '',
  }),
  ...OVERSUBSCRIPTION_FLAGS,
  domain: domainFlag('agent'),
  attributesEtcd: optional(
    urlSetting({
      ...namesOf('attributes_etcd'),
      describe:
        'etcd and a prefix, http://host:2379/prefix, below which each key is an attribute; they ' +
        'are followed while the agent runs',
    }),
  ),
  executorEnvironment: optional(
    textSetting({
      ...namesOf('executor_environment_variables'),
      describe:
        'JSON object, or file:///path, of what executors get; default: the environment of the ' +
        'agent without secrets',
    }),
  ),
  executorRegistrationTimeoutMs: durationFlag(
    'executor_registration_timeout',
    DEFAULTS.executorRegistrationTimeoutMs,
    'an executor that has not subscribed after this is killed',
  ),
  executorReregistrationTimeoutMs: durationFlag(
    'executor_reregistration_timeout',
    DEFAULTS.executorReregistrationTimeoutMs,
    'after a restart of the agent, the time for executors to subscribe again',
  ),
  executorShutdownGracePeriodMs: durationFlag(
    'executor_shutdown_grace_period',
    DEFAULTS.executorShutdownGracePeriodMs,
    'from SHUTDOWN to SIGKILL',
  ),
  recoveryTimeoutMs: durationFlag(
    'recovery_timeout',
    DEFAULTS.recoveryTimeoutMs,
    'how long executors wait for an agent that is down',
  ),
  executorHeartbeatIntervalMs: durationFlag(
    'http_heartbeat_interval',
    DEFAULTS.executorHeartbeatIntervalMs,
    'between the heartbeats to executors',
  ),
  frameworksHome: textSetting({
    ...namesOf('frameworks_home'),
    describe: 'folder that relative URIs of executors and tasks start from',
    default: '',
  }),
  fetcherCacheDir: optional(
    textSetting({
      ...namesOf('fetcher_cache_dir'),
      describe: 'emptied at start; default: fetch in the work_dir',
      pattern: /^\//,
      patternHint: 'an absolute path',
    }),
  ),
  fetcherCacheBytes: bytesFlag('fetcher_cache_size', 2 * 1024 ** 3, 'of all cached files'),
  fetcherStallTimeoutMs: durationFlag(
    'fetcher_stall_timeout',
    60_000,
    'a download that brings nothing for so long has failed',
  ),
  gcDelayMs: durationFlag(
    'gc_delay',
    7 * 86_400_000,
    'how long sandboxes are kept; less when the disk is full',
  ),
  gcDiskHeadroom: {
    ...namesOf('gc_disk_headroom'),
    describe: 'share of the disk that removing sandboxes keeps free',
    expects: 'a number from 0 to 1',
    fallback: { kind: 'value', value: 0.1 },
    secret: false,
    parse: parseShare,
  },
  diskWatchIntervalMs: durationFlag(
    'disk_watch_interval',
    60_000,
    'between two looks for sandboxes to remove',
  ),
  containerLogger: choiceSetting({
    ...namesOf('container_logger'),
    describe: 'logrotate bounds stdout and stderr of containers, sandbox lets them grow',
    choices: ['logrotate', 'sandbox'],
    default: 'logrotate',
  }),
  maxStdoutBytes: bytesFlag('max_stdout_size', 10 * 1024 ** 2, 'rotated above this'),
  maxStderrBytes: bytesFlag('max_stderr_size', 10 * 1024 ** 2, 'rotated above this'),
  maxOldLogs: integerSetting({
    ...namesOf('max_old_logs'),
    describe: 'how many rotated files of each are kept (stdout.1, ...)',
    default: 1,
    min: 0,
    max: 100,
  }),
  completedExecutorsPerFrameworkMax: integerSetting({
    ...namesOf('max_completed_executors_per_framework'),
    describe: 'so many executors that are over are shown',
    default: DEFAULTS.completedExecutorsPerFrameworkMax,
    min: 0,
  }),
  reconnectBaseMs: backoffFlag(
    'registration_backoff_factor',
    DEFAULTS.reconnectBaseMs,
    'most that the agent waits before it tries again to reach a master; doubles up to ' +
      formatDurationMs(DEFAULTS.reconnectMaxMs),
  ),
  authenticationBackoffFactorMs: durationFlag(
    'authentication_backoff_factor',
    1000,
    'accepted, and of no effect: each call carries its credential',
  ),
  reconfigurationPolicy: choiceSetting({
    ...namesOf('reconfiguration_policy'),
    describe:
      'what may be different from the start before: nothing (equal), more resources and attributes ' +
      '(additive), all (any; not in Mesos, where equal is the default)',
    choices: ['equal', 'additive', 'any'],
    default: DEFAULTS.reconfigurationPolicy,
  }),
  recover: choiceSetting({
    ...namesOf('recover'),
    describe: 'reconnect to executors that are alive, or clean up: end them and exit',
    choices: ['reconnect', 'cleanup'],
    default: 'reconnect',
  }),
  strict: booleanSetting({
    ...namesOf('strict'),
    describe: 'refuse to start on a damaged checkpoint',
    default: true,
  }),
  switchUser: booleanSetting({
    ...namesOf('switch_user'),
    describe: "run executors as the framework's user",
    default: DEFAULTS.switchUser,
  }),
});

/** All that the command line of the agent may have. */
export const AGENT_FLAG_SET: FlagSet<typeof AGENT_FLAGS> = {
  program: 'agent',
  settings: AGENT_FLAGS,
  aliases: {},
  variables: LIBPROCESS_VARIABLES,
  fixed: FIXED_AGENT_FLAGS,
};

/** Values of {@link AGENT_FLAGS}. */
export type AgentFlags = SettingsOf<typeof AGENT_FLAGS>;

/**
 * The agent's flags from a command line (without node and script) and the environment.
 * @throws SettingsError that lists all that is wrong.
 */
export function readAgentFlags(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AgentFlags {
  return readFlags(AGENT_FLAG_SET, argv, env);
}

/** The flags in effect as operators see them (`GET_FLAGS`), Mesos' own that can't be set included. */
export function agentFlagTexts(
  argv: readonly string[] = [],
  env: Readonly<Record<string, string | undefined>> = {},
): Readonly<Record<string, string>> {
  return flagTexts(AGENT_FLAG_SET, argv, env);
}

/**
 * The value of `--executor_environment_variables`.
 * @throws SettingsError when it is not a JSON object of texts.
 */
export function parseEnvironment(text: string): Readonly<Record<string, string>> {
  const flag = 'executor_environment_variables';
  const wrong = new SettingsError([`--${flag} must be a JSON object whose values are texts`]);
  let value: unknown;
  try {
    value = JSON.parse(textOrFile(`--${flag}`, text));
  } catch {
    throw wrong;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong;
  const entries = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  if (entries.length !== Object.keys(value).length) throw wrong;
  return Object.fromEntries(entries);
}

/** A wait of nothing would besiege the master. */
function backoffFlag(name: string, defaultMs: number, describe: string): Setting<number> {
  const flag = durationFlag(name, defaultMs, describe);
  const parse = (text: string): number | undefined => {
    const valueMs = flag.parse(text) ?? 0;
    return valueMs >= 1 ? valueMs : undefined;
  };
  return { ...flag, expects: `${flag.expects}, at least 1ms`, parse };
}

function parseShare(text: string): number | undefined {
  const share = Number(text);
  return text.trim() !== '' && share >= 0 && share <= 1 ? share : undefined;
}
