import { booleanSetting, choiceSetting, optional, type Setting } from '@factory/runtime';
import type { AllocatorOptions } from '../allocator/index.ts';
import { namesOf } from '../command-line.ts';
import { type Quantities, toUnits } from '../protocol/index.ts';

/** What the allocator is told when nothing is said: Mesos' defaults. */
export const DEFAULT_ALLOCATOR_OPTIONS: Omit<AllocatorOptions, 'random'> = {
  roleSorter: 'drf',
  frameworkSorter: 'drf',
  fairSharingExcludedNames: [],
  filterGpuResources: true,
  minAllocatable: [{ cpus: 0.01 }, { mem: 32 }],
  minAllocatableByRole: new Map(),
  offersDeclinedAtOnce: false,
  isolateGroups: false,
};

const DEFAULTS = DEFAULT_ALLOCATOR_OPTIONS;
const SORTERS = ['drf', 'random'] as const;

/** The master's flags that are about the allocator: Mesos' own, and our own after them. */
export const ALLOCATOR_FLAGS = {
  allocator: choiceSetting({
    ...namesOf('allocator'),
    describe: 'how resources are allocated',
    default: 'hierarchical',
    // Mesos' own name for it, from when there were modules.
    choices: ['hierarchical', 'HierarchicalDRF'],
  }),
  roleSorter: choiceSetting({
    ...namesOf('role_sorter'),
    describe: 'whose turn it is among roles: the smallest dominant share, or by lot',
    default: DEFAULTS.roleSorter,
    choices: SORTERS,
  }),
  frameworkSorter: choiceSetting({
    ...namesOf('framework_sorter'),
    describe: 'whose turn it is among the frameworks of a role',
    default: DEFAULTS.frameworkSorter,
    choices: SORTERS,
  }),
  fairSharingExcludedNames: parsedFlag({
    name: 'fair_sharing_excluded_resource_names',
    describe: 'scalars that do not count for shares',
    expects: 'names with commas between them',
    fallback: DEFAULTS.fairSharingExcludedNames,
    parse: (text) => text.split(',').map((name) => name.trim()),
  }),
  filterGpuResources: booleanSetting({
    ...namesOf('filter_gpu_resources'),
    describe: 'agents with GPUs are only for frameworks with GPU_RESOURCES',
    default: DEFAULTS.filterGpuResources,
  }),
  minAllocatable: parsedFlag({
    name: 'min_allocatable_resources',
    describe: 'offers have at least one of these',
    expects: 'scalars such as cpus:0.01|mem:32;disk:10',
    fallback: DEFAULTS.minAllocatable,
    fallbackText: 'cpus:0.01|mem:32',
    parse: parseMinimums,
  }),
  minAllocatableByRole: parsedFlag({
    name: 'min_allocatable_resources_by_role',
    describe: 'the same for some roles, in place of that',
    expects: 'JSON such as {"eng": "cpus:1|mem:512"}',
    fallback: DEFAULTS.minAllocatableByRole,
    fallbackText: '{}',
    parse: parseMinimumsByRole,
  }),
  offersDeclinedAtOnce: booleanSetting({
    ...namesOf('offer_declined_at_once'),
    describe:
      'what a framework declines is offered to the next at once, not after --allocation_interval',
    default: DEFAULTS.offersDeclinedAtOnce,
  }),
  frameworkGroupLabel: optional(
    parsedFlag<string>({
      name: 'framework_group_label',
      describe:
        'label of frameworks that names their group: an agent is shared within a group only',
      expects: 'the key of a label',
      fallback: '',
      parse: (text) => text,
    }),
  ),
};

function parsedFlag<T>(options: {
  readonly name: string;
  readonly describe: string;
  readonly expects: string;
  readonly fallback: T;
  readonly fallbackText?: string;
  readonly parse: (text: string) => T | undefined;
}): Setting<T> {
  const { name, fallback, ...rest } = options;
  return {
    ...namesOf(name),
    ...rest,
    fallback: { kind: 'value', value: fallback },
    secret: false,
  };
}

/** `cpus:1;mem:64|disk:100`: the one or the other. An empty text: anything will do. */
function parseMinimums(text: string): readonly Quantities[] | undefined {
  if (text.trim() === '') return [];
  const minimums = text.split('|').map(parseQuantities);
  return minimums.every((each) => each !== undefined) ? minimums : undefined;
}

function parseQuantities(text: string): Quantities | undefined {
  const entries: [string, number][] = [];
  for (const part of text.split(';')) {
    const [, name, amount] = /^\s*([a-z_]+)\s*:\s*(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
    if (name === undefined || toUnits(Number(amount)) <= 0) return undefined;
    entries.push([name, Number(amount)]);
  }
  return Object.fromEntries(entries);
}

function parseMinimumsByRole(text: string): ReadonlyMap<string, readonly Quantities[]> | undefined {
  const minimums = new Map<string, readonly Quantities[]>();
  for (const [role, value] of Object.entries(objectIn(text) ?? { '': undefined })) {
    const ofRole = typeof value === 'string' ? parseMinimums(value) : undefined;
    if (ofRole === undefined) return undefined;
    minimums.set(role, ofRole);
  }
  return minimums;
}

function objectIn(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
