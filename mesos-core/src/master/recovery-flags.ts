import { integerSetting, type Setting } from '@factory/runtime';
import { durationFlag, namesOf } from '../command-line.ts';
import type { AbsenceLimits } from './registry.ts';

/** How a new master deals with agents that the last one knew. Durations in milliseconds. */
export interface RecoverySettings extends AbsenceLimits {
  /** `--recovery_agent_removal_limit`: if a larger part of them stays away, the master ends; 1: never. */
  readonly recoveryAgentRemovalLimit: number;
  /** `--allocator_agent_recovery_factor`: with quota, nothing is offered before so many are back. */
  readonly allocatorAgentRecoveryFactor: number;
  /** `--allocator_recovery_timeout`: that waits no longer than this. */
  readonly allocatorRecoveryTimeoutMs: number;
}

/** Mesos' defaults, but for the number of absent agents: the registry has to fit into a znode. */
export const DEFAULT_RECOVERY_SETTINGS: RecoverySettings = {
  recoveryAgentRemovalLimit: 1,
  registryMaxAgentAgeMs: 14 * 24 * 3600 * 1000,
  registryMaxAgentCount: 10_000,
  allocatorAgentRecoveryFactor: 0.8,
  allocatorRecoveryTimeoutMs: 600_000,
};

const DEFAULTS = DEFAULT_RECOVERY_SETTINGS;

/** The master's flags about agents that the last master knew. */
export const RECOVERY_FLAGS = {
  recoveryAgentRemovalLimit: partFlag({
    name: 'recovery_agent_removal_limit',
    describe:
      'when a larger part of the agents is not back --agent_reregister_timeout after a failover, ' +
      'the master ends instead of declaring them unreachable',
    expects: 'a part such as 50%',
    fallback: DEFAULTS.recoveryAgentRemovalLimit,
    fallbackText: '100%',
    pattern: /^(\d+(?:\.\d+)?)%$/,
    whole: 100,
  }),
  registryMaxAgentAgeMs: durationFlag(
    'registry_max_agent_age',
    DEFAULTS.registryMaxAgentAgeMs,
    'agents that are unreachable or gone for longer are forgotten',
  ),
  registryMaxAgentCount: integerSetting({
    ...namesOf('registry_max_agent_count'),
    describe: 'so many agents that are unreachable or gone are remembered, the newest',
    default: DEFAULTS.registryMaxAgentCount,
    min: 0,
  }),
  allocatorAgentRecoveryFactor: partFlag({
    name: 'allocator_agent_recovery_factor',
    describe:
      'where quota is set, a new master offers nothing until this part of the agents is back',
    expects: 'a number from 0 to 1',
    fallback: DEFAULTS.allocatorAgentRecoveryFactor,
    fallbackText: '0.8',
    pattern: /^(\d(?:\.\d+)?)$/,
    whole: 1,
  }),
  allocatorRecoveryTimeoutMs: durationFlag(
    'allocator_recovery_timeout',
    DEFAULTS.allocatorRecoveryTimeoutMs,
    'it waits no longer than this',
  ),
};

function partFlag(options: {
  readonly name: string;
  readonly describe: string;
  readonly expects: string;
  readonly fallback: number;
  readonly fallbackText: string;
  /** Its first group is the number. */
  readonly pattern: RegExp;
  /** The number that stands for all. */
  readonly whole: number;
}): Setting<number> {
  const { name, fallback, pattern, whole, ...rest } = options;
  return {
    ...namesOf(name),
    ...rest,
    fallback: { kind: 'value', value: fallback },
    secret: false,
    parse: (text) => {
      const [, number] = pattern.exec(text) ?? [];
      const part = number === undefined ? 2 : Number(number) / whole;
      return part <= 1 ? part : undefined;
    },
  };
}
