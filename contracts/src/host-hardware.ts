import type { AttributeRule, HostAttribute } from './requirements.ts';
import { compileRule } from './requirements.ts';
import type { VmHardware } from './vm-hardware.ts';
import type { VmReason } from './vm-states.ts';

/**
 * How a host offers what it has only few of. A Mesos resource counts it, so that it is offered and
 * taken like cores are; an attribute of the agent says which ones they are.
 */
export const HOST_RESOURCES = {
  /** Graphics cards; Mesos' own name. */
  gpus: 'gpus',
  /** Cores that are one machine's alone. */
  pinnedCpus: 'pinned_cpus',
  /** Huge pages, by their number. */
  hugepages: { '2M': 'hugepages_2m', '1G': 'hugepages_1g' },
} as const;

export const HOST_ATTRIBUTES = {
  /** A set of PCI addresses: `{0000:3b:00.0,0000:af:00.0}`. */
  gpuDevices: 'gpu_devices',
  /** A text: what the cards are, all of them. */
  gpuModel: 'gpu_model',
  /** Ranges of the host's CPUs: `[4-15]`. */
  pinnedCpus: 'pinned_cpus',
  /** A set of the CPU models that guests can have; absent: not told, so any may do. */
  cpuModels: 'cpu_models',
} as const;

/** What a huge page of each size holds. */
export const HUGEPAGE_MIB = { '2M': 2, '1G': 1024 } as const;

/** What decides which hardware of its host a machine takes. */
interface HardwareWish {
  readonly hardware?: VmHardware | undefined;
  readonly vcpus: number;
  readonly memoryMiB: number;
}

/** The scarce resources that a machine takes of its host, by Mesos' names; none are left out. */
export function hardwareResources(wish: HardwareWish): Readonly<Record<string, number>> {
  const { hardware = {}, vcpus, memoryMiB } = wish;
  const { gpus = 0, cpu = {} } = hardware;
  const { pinned = false, hugepages } = cpu;
  return {
    ...(gpus > 0 ? { [HOST_RESOURCES.gpus]: gpus } : {}),
    ...(pinned ? { [HOST_RESOURCES.pinnedCpus]: vcpus } : {}),
    ...(hugepages === undefined
      ? {}
      : { [HOST_RESOURCES.hugepages[hugepages]]: Math.ceil(memoryMiB / HUGEPAGE_MIB[hugepages]) }),
  };
}

/** What of a host's memory is in huge pages: it serves nobody who does not ask for these. */
export function hugepagesMiB(resources: Readonly<Record<string, number>>): number {
  const { hugepages } = HOST_RESOURCES;
  const ofSize = (size: keyof typeof hugepages): number =>
    (resources[hugepages[size]] ?? 0) * HUGEPAGE_MIB[size];
  return ofSize('2M') + ofSize('1G');
}

/** CPU models by which the guest follows its host, whatever that has. */
export const HOST_CPU_MODELS = ['host', 'host-passthrough', 'host-model'] as const;

function isNamedModel(model: string | undefined): model is string {
  return model !== undefined && !HOST_CPU_MODELS.some((each) => each === model);
}

/**
 * What of its hardware stands against a host with these attributes, as a rule that is not met. A
 * host says which cards it has; of one that does not say which CPU models it can do, any may be.
 */
export function unmetHardwareRule(
  hardware: VmHardware | undefined,
  attributes: readonly HostAttribute[],
): AttributeRule | undefined {
  // Asked for every host of every kind of machine, most of which wish for nothing.
  if (hardware === undefined) return undefined;
  const rules = hardwareRules(hardware, attributes);
  return rules.find((rule) => !compileRule(rule)(attributes));
}

function hardwareRules(
  { gpuModel, cpu }: VmHardware,
  attributes: readonly HostAttribute[],
): readonly AttributeRule[] {
  const { gpuModel: gpuAttribute, cpuModels } = HOST_ATTRIBUTES;
  const tellsModels = attributes.some(({ name }) => name === cpuModels);
  const model = cpu?.model;
  return [
    ...(gpuModel === undefined ? [] : [{ name: gpuAttribute, op: 'eq', value: gpuModel } as const]),
    ...(tellsModels && isNamedModel(model)
      ? [{ name: cpuModels, op: 'eq', value: model } as const]
      : []),
  ];
}

/** What decides about a host beside amounts, as one text: equal for what is wished equally. */
export function hardwareKey({ gpuModel = '', cpu }: VmHardware = {}): string {
  return `${gpuModel} ${cpu?.model ?? ''}`;
}

/**
 * Reasons by which a host says that it can't give a machine what it offers: it is out of order, or
 * somebody has it whom Mesos does not know of at present. A machine that was not made yet goes elsewhere.
 */
export const HANDOUT_REASONS: ReadonlySet<VmReason> = new Set([
  'GPU_UNAVAILABLE',
  'CPUS_UNAVAILABLE',
  'HUGEPAGES_UNAVAILABLE',
  // Of external addresses: another machine was to give one back, and has not come to it yet.
  'NO_CAPACITY',
] satisfies readonly VmReason[]);

const RESOURCE_WORDS: Readonly<Record<string, string>> = {
  [HOST_RESOURCES.gpus]: 'graphics cards',
  [HOST_RESOURCES.pinnedCpus]: 'CPUs to pin',
  [HOST_RESOURCES.hugepages['2M']]: '2 MiB huge pages',
  [HOST_RESOURCES.hugepages['1G']]: '1 GiB huge pages',
};

/** A resource in words, for reasons: `1 GiB huge pages`; one that has none by its name. */
export function resourceWords(name: string): string {
  return RESOURCE_WORDS[name] ?? name;
}
