import { SettingsError } from '@factory/runtime';
import type {
  CapabilityInfo,
  CapabilityInfoCapability,
  RLimitInfoRLimit,
} from '../../../protocol/index.ts';
import { LaunchError } from '../containerizer.ts';
import type { ContainerRecord, Isolator } from './isolator.ts';

/** `posix/rlimits`: limits of the container's first process, which all that it starts inherit. */
export function createRlimitsIsolator(): Isolator {
  return {
    name: 'posix/rlimits',
    async prepare({ container }) {
      const rlimits = container?.rlimit_info?.rlimits ?? [];
      if (rlimits.length === 0) return {};
      return { wrappers: [['prlimit', ...rlimits.map(rlimitOption)]] };
    },
  };
}

/**
 * The option of prlimit(1) for a limit; one without values is lifted. Pure.
 * @throws LaunchError for one that can't be, as in Mesos.
 */
export function rlimitOption({ type = 'UNKNOWN', soft, hard }: RLimitInfoRLimit): string {
  const name = type.replace(/^RLMT_/, '').toLowerCase();
  if (type === 'UNKNOWN') throw new LaunchError('a resource limit has no type that is known');
  if (soft === undefined && hard === undefined) return `--${name}=unlimited:unlimited`;
  if (soft === undefined || hard === undefined) {
    throw new LaunchError(`the limits of ${type} must be both set, or none`);
  }
  if (Number(soft) > Number(hard)) {
    throw new LaunchError(`the soft limit of ${type} is above the hard one`);
  }
  return `--${name}=${soft}:${hard}`;
}

/** What the agent's flags say of capabilities; `undefined`: nothing. */
export interface CapabilitySettings {
  readonly effective: readonly CapabilityInfoCapability[] | undefined;
  readonly bounding: readonly CapabilityInfoCapability[] | undefined;
}

/** `linux/capabilities`: what a process may do although (or because) it is root. */
export function createCapabilitiesIsolator(settings: CapabilitySettings): Isolator {
  return {
    name: 'linux/capabilities',
    prepare: async (container) => ({ privileges: capabilityOptions(container, settings) }),
  };
}

/**
 * The options of setpriv(1) for the capabilities of a container. As in Mesos the effective ones are
 * also the bound when there is no other. Pure.
 * @throws LaunchError when it asks for more than it may have.
 */
export function capabilityOptions(
  { container }: Pick<ContainerRecord, 'container'>,
  settings: CapabilitySettings,
): readonly string[] {
  const linux = container?.linux_info;
  const effective =
    (linux?.effective_capabilities ?? linux?.capability_info)?.capabilities ?? settings.effective;
  const bounding = linux?.bounding_capabilities?.capabilities ?? settings.bounding ?? effective;
  if (bounding === undefined) return [];
  expectWithin('bounding', bounding, settings.bounding);
  expectWithin('effective', effective ?? [], bounding);
  // The ambient ones are what a user other than root keeps when a program starts.
  const kept = effective === undefined ? [] : [`--inh-caps=${setOf(effective)}`];
  const ambient = effective === undefined ? [] : [`--ambient-caps=${setOf(effective)}`];
  return [`--bounding-set=${setOf(bounding)}`, ...kept, ...ambient];
}

function expectWithin(
  what: string,
  wanted: readonly CapabilityInfoCapability[],
  allowed: readonly CapabilityInfoCapability[] | undefined,
): void {
  const beyond = wanted.filter((each) => allowed !== undefined && !allowed.includes(each));
  if (beyond.length === 0) return;
  throw new LaunchError(
    `the ${what} capabilities ${beyond.join(', ')} are not among ${allowed?.join(', ')}`,
  );
}

function setOf(capabilities: readonly CapabilityInfoCapability[]): string {
  return ['-all', ...capabilities.map((each) => `+${each.toLowerCase()}`)].join(',');
}

/** `linux/nnp`: no program makes its process more than what started it (set-user-ID and the like). */
export function createNoNewPrivilegesIsolator(): Isolator {
  return {
    name: 'linux/nnp',
    prepare: async () => ({ wrappers: [['setpriv', '--no-new-privs']] }),
  };
}

/** The value of `--effective_capabilities` and its like: JSON. @throws SettingsError */
export function parseCapabilities(
  flag: string,
  text: string | undefined,
): readonly CapabilityInfoCapability[] | undefined {
  if (text === undefined) return undefined;
  const wrong = `--${flag} must be JSON such as {"capabilities":["NET_RAW"]}`;
  let value: CapabilityInfo;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SettingsError([wrong]);
  }
  const { capabilities } = value;
  const isList = Array.isArray(capabilities);
  if (!isList || !capabilities.every((each) => /^[A-Z_]+$/.test(String(each)))) {
    throw new SettingsError([wrong]);
  }
  return capabilities;
}
