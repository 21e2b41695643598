import {
  defineSettings,
  integerSetting,
  optional,
  readSettings,
  type SettingsOf,
  textSetting,
} from '@factory/runtime';
import { durationFlag, namesOf, parseCommandLine } from '../command-line.ts';
import { DEFAULT_SETTINGS as DEFAULTS } from './settings.ts';

/** The flags of the master: Mesos' names, and MESOS_<NAME> in the environment. */
export const MASTER_FLAGS = defineSettings({
  ip: textSetting({ ...namesOf('ip'), describe: 'address to listen on', default: '127.0.0.1' }),
  port: integerSetting({
    ...namesOf('port'),
    describe: 'port to listen on',
    default: 5050,
    min: 1,
    max: 65_535,
  }),
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
  allocationIntervalMs: durationFlag(
    'allocation_interval',
    DEFAULTS.allocationIntervalMs,
    'how often refusals that have expired are looked for; all else is offered at once',
  ),
  offerTimeoutMs: optional(
    durationFlag('offer_timeout', 0, 'offers without an answer are rescinded; default: never'),
  ),
});

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
  return readSettings(MASTER_FLAGS, env, parseCommandLine(MASTER_FLAGS, argv, 'master'));
}
