import {
  choiceSetting,
  defineSettings,
  integerSetting,
  optional,
  type SettingsOf,
  textSetting,
} from '@factory/runtime';
import { domainFlag, durationFlag, namesOf } from '../command-line.ts';
import { type FlagSet, flagTexts, readFlags } from '../flag-set.ts';
import { LOGGING_FLAGS } from '../logging-level.ts';
import { addressFlags, LIBPROCESS_VARIABLES } from '../reachable-address.ts';
import { MASTER_SECURITY_FLAGS } from '../security/index.ts';
import { ALLOCATOR_FLAGS } from './allocator-flags.ts';
import { FIXED_MASTER_FLAGS, MASTER_FLAG_ALIASES } from './fixed-flags.ts';
import { HISTORY_FLAGS } from './history-flags.ts';
import { RECOVERY_FLAGS } from './recovery-flags.ts';
import { parseRemovalRate } from './removal-limit.ts';
import { DEFAULT_SETTINGS as DEFAULTS } from './settings.ts';

/** The flags of the master: Mesos' names, and MESOS_<NAME> in the environment. */
export const MASTER_FLAGS = defineSettings({
  ...MASTER_SECURITY_FLAGS,
  ...LOGGING_FLAGS,
  ...addressFlags(5050),
  hostname: optional(
    textSetting({
      ...namesOf('hostname'),
      describe: 'name under which others reach this master; default: the address',
    }),
  ),
  workDir: textSetting({
    ...namesOf('work_dir'),
    describe: 'where the registry is kept',
    default: '/var/lib/mesos/master',
    pattern: /^\//,
    patternHint: 'an absolute path',
  }),
  cluster: textSetting({
    ...namesOf('cluster'),
    describe: 'name of the cluster, for the log',
    default: 'mesos',
  }),
  agentPingTimeoutMs: durationFlag(
    'agent_ping_timeout',
    DEFAULTS.agentPingTimeoutMs,
    'agents are asked to speak this often',
  ),
  maxAgentPingTimeouts: integerSetting({
    ...namesOf('max_agent_ping_timeouts'),
    describe: 'after so many of these without a word an agent is unreachable',
    default: DEFAULTS.maxAgentPingTimeouts,
    min: 1,
    max: 1000,
  }),
  agentReregisterTimeoutMs: durationFlag(
    'agent_reregister_timeout',
    DEFAULTS.agentReregisterTimeoutMs,
    'after a restart of the master, the time for known agents to come back',
  ),
  agentRemovalRate: optional({
    ...namesOf('agent_removal_rate_limit'),
    describe: 'so many silent agents are declared unreachable in so much time; default: no limit',
    expects: 'a number of agents and a duration such as 1/10mins',
    fallback: { kind: 'required' },
    secret: false,
    parse: parseRemovalRate,
  }),
  allocationIntervalMs: durationFlag(
    'allocation_interval',
    DEFAULTS.allocationIntervalMs,
    'how often refusals that have expired, and what was declined, are offered; all else is at once',
  ),
  zk: optional(
    textSetting({
      ...namesOf('zk'),
      describe:
        'ensemble in which masters elect the one that leads, zk://user:pass@host:port,host:port/path ' +
        'or file:///path of a file that holds it; default: this is the only master',
    }),
  ),
  zkSessionTimeoutMs: durationFlag(
    'zk_session_timeout',
    6000,
    'a leader that has no word from ZooKeeper for so long exits, and another leads',
  ),
  quorum: optional(
    integerSetting({
      ...namesOf('quorum'),
      describe: "of Mesos' replicated log; accepted, and of no effect: ZooKeeper has its own",
      min: 1,
    }),
  ),
  registry: choiceSetting({
    ...namesOf('registry'),
    describe:
      'where the registry is kept: in ZooKeeper, shared by all masters, or in a file of the work ' +
      'directory; replicated_log: in ZooKeeper with --zk, else in a file',
    choices: ['replicated_log', 'zookeeper', 'file', 'in_memory'],
    default: 'replicated_log',
  }),
  registryFetchTimeoutMs: durationFlag(
    'registry_fetch_timeout',
    60_000,
    'a master that can not read the registry in this time ends',
  ),
  registryStoreTimeoutMs: durationFlag(
    'registry_store_timeout',
    20_000,
    'a master that can not write the registry in this time ends',
  ),
  operatorSubscribersMax: integerSetting({
    ...namesOf('max_operator_event_stream_subscribers'),
    describe: 'so many listen to the event stream; when one more comes, the oldest is cut off',
    default: DEFAULTS.operatorSubscribersMax,
    min: 1,
  }),
  domain: domainFlag('master; agents in other regions are for frameworks with REGION_AWARE'),
  ...ALLOCATOR_FLAGS,
  ...RECOVERY_FLAGS,
  ...HISTORY_FLAGS,
  offerTimeoutMs: optional(
    durationFlag('offer_timeout', 0, 'offers without an answer are rescinded; default: never'),
  ),
});

/** All that the command line of the master may have. */
export const MASTER_FLAG_SET: FlagSet<typeof MASTER_FLAGS> = {
  program: 'master',
  settings: MASTER_FLAGS,
  aliases: MASTER_FLAG_ALIASES,
  variables: LIBPROCESS_VARIABLES,
  fixed: FIXED_MASTER_FLAGS,
};

/** Values of {@link MASTER_FLAGS}. */
export type MasterFlags = SettingsOf<typeof MASTER_FLAGS>;

/**
 * The master's flags from a command line (without node and script) and the environment.
 * @throws SettingsError that lists all that is wrong.
 */
export function readMasterFlags(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): MasterFlags {
  return readFlags(MASTER_FLAG_SET, argv, env);
}

/** The flags in effect as operators see them (`GET_FLAGS`), Mesos' own that can't be set included. */
export function masterFlagTexts(
  argv: readonly string[] = [],
  env: Readonly<Record<string, string | undefined>> = {},
): Readonly<Record<string, string>> {
  return flagTexts(MASTER_FLAG_SET, argv, env);
}
