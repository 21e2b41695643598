import {
  type AttributeRule,
  BATCH_LIMITS,
  type BatchRequest,
  compileRule,
  HUGEPAGE_MIB,
  type NicRequest,
  reachableTotals,
  type Shape,
  TextPatternError,
  VM_LIMITS,
} from '@factory/contracts';
import { DEFAULT_SUBNET } from '../subnets/cards.ts';
import { ruleSecurityRules } from '../subnets/rules.ts';
import type { BatchRecord, BatchSize, BatchWishes } from './store.ts';

/** What a machine gets when the request does not say. */
const BATCH_DEFAULTS = { vcpus: 1, memoryMiB: 512, diskGiB: 1 } as const;

/** For `totalVcpus` without `shapes`: powers of two and 48, with 512 MiB a core. */
export const DEFAULT_SHAPES: readonly Shape[] = [48, 32, 16, 8, 4, 2, 1].map((vcpus) => ({
  vcpus,
  memoryMiB: vcpus * BATCH_DEFAULTS.memoryMiB,
}));

/** The part of a batch that its request decides. */
type BatchWish = Pick<
  BatchRecord,
  | 'name'
  | 'image'
  | 'size'
  | 'diskGiB'
  | 'sshPublicKeys'
  | 'userData'
  | 'labels'
  | 'wishes'
  | 'securityRules'
  | 'priority'
  | 'preemptible'
  | 'clusters'
>;

export type BatchRuling =
  | {
      readonly kind: 'sound';
      readonly wish: BatchWish;
      /** The cards of its machines, the first one first. */
      readonly cards: readonly NicRequest[];
    }
  | { readonly kind: 'invalid'; readonly field: string; readonly detail: string };

/** The rules between the fields of a request whose fields are each valid, and the defaults. */
export function ruleBatch(request: BatchRequest): BatchRuling {
  const size = request.totalVcpus === undefined ? ruleCount(request) : ruleCores(request);
  if (size.kind === 'invalid') return size;
  const problem =
    ruleName(request, size) ??
    ruleTexts(request) ??
    ruleWishes(request, size) ??
    ruleHardware(request, size) ??
    ruleNetworks(request, size);
  if (problem !== undefined) return problem;
  const tooMuch = ruleFill(request, size);
  if (tooMuch !== undefined) return tooMuch;
  const { name, image, diskGiB, sshPublicKeys, userData, labels, securityRules } = request;
  const { network = { subnet: DEFAULT_SUBNET }, nics = [] } = request;
  return {
    kind: 'sound',
    wish: {
      name,
      image,
      size,
      diskGiB: diskGiB ?? BATCH_DEFAULTS.diskGiB,
      sshPublicKeys: sshPublicKeys ?? [],
      userData: userData ?? '',
      labels: labels ?? {},
      wishes: wishesOf(request),
      securityRules: securityRules ?? [],
      priority: request.priority ?? 0,
      preemptible: request.preemptible ?? false,
      clusters: request.clusters ?? {},
    },
    cards: [network, ...nics],
  };
}

type Invalid = Extract<BatchRuling, { readonly kind: 'invalid' }>;

function invalid(field: string, detail: string): Invalid {
  return { kind: 'invalid', field, detail };
}

/** More than was asked for can't be there at least. */
function ruleFill({ fill }: BatchRequest, size: BatchSize): Invalid | undefined {
  const most = size.kind === 'count' ? size.count : size.totalVcpus;
  if (typeof fill !== 'object' || fill.atLeast <= most) return undefined;
  return invalid('fill.atLeast', `fill.atLeast must be at most ${most}, which is all of it`);
}

function ruleCount(request: BatchRequest): BatchSize | Invalid {
  const { count, vcpus, memoryMiB, shapes } = request;
  if (count === undefined) return invalid('count', 'give either count or totalVcpus');
  if (shapes !== undefined) {
    return invalid('shapes', 'shapes goes with totalVcpus; with count, give vcpus and memoryMiB');
  }
  const shape = {
    vcpus: vcpus ?? BATCH_DEFAULTS.vcpus,
    memoryMiB: memoryMiB ?? BATCH_DEFAULTS.memoryMiB,
  };
  return { kind: 'count', count, shape };
}

function ruleCores(request: BatchRequest): BatchSize | Invalid {
  const { count, vcpus, memoryMiB, totalVcpus = 0, shapes = DEFAULT_SHAPES } = request;
  if (count !== undefined) return invalid('count', 'give either count or totalVcpus, not both');
  if (vcpus !== undefined) return invalid('vcpus', 'with totalVcpus, give shapes, not vcpus');
  if (memoryMiB !== undefined) {
    return invalid('memoryMiB', 'with totalVcpus, give shapes, not memoryMiB');
  }
  if (new Set(shapes.map((shape) => shape.vcpus)).size < shapes.length) {
    return invalid('shapes', 'shapes must differ in vcpus');
  }
  const reachable = reachableTotals(totalVcpus, shapes);
  if (reachable[totalVcpus] !== true) {
    const sizes = shapes.map((shape) => shape.vcpus).join(', ');
    const below = reachable.lastIndexOf(true);
    const instead = below > 0 ? `; ${below} would do` : '';
    const detail = `no machines with ${sizes} vCPUs add up to ${totalVcpus}${instead}`;
    return invalid('totalVcpus', detail);
  }
  const fewest = Math.ceil(totalVcpus / Math.max(...shapes.map((shape) => shape.vcpus)));
  if (fewest > BATCH_LIMITS.countMax) {
    const detail = `this takes at least ${fewest} machines; ${BATCH_LIMITS.countMax} are allowed`;
    return invalid('totalVcpus', `${detail}: allow larger shapes`);
  }
  return { kind: 'cores', totalVcpus, shapes };
}

/** Machines are called `<name>-<number>`, which must still be a host name. */
function ruleName({ name }: BatchRequest, size: BatchSize): Invalid | undefined {
  const last = size.kind === 'count' ? size.count : size.totalVcpus;
  const longest = 63 - `-${last}`.length;
  if (name.length <= longest) return undefined;
  const detail = `name may have ${longest} characters here: its machines are called ${name}-1 …`;
  return invalid('name', detail);
}

/** All that a rule says, as one text. */
function wordsOf(rule: AttributeRule): string {
  switch (rule.op) {
    case 'eq':
      return rule.value;
    case 'in':
      return rule.values.join();
    case 'range':
      return '';
    case 'regex':
      return rule.pattern;
  }
}

/** Neither PostgreSQL nor a config drive can hold other texts. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Labels that can't be kept. */
export function ruleLabels(labels: Readonly<Record<string, string>>): Invalid | undefined {
  const bad = Object.entries(labels).find(([, text]) => !isStorable(text));
  if (bad === undefined) return undefined;
  const field = `labels.${bad[0]}`;
  return invalid(field, `${field} must be text without NUL characters`);
}

/** All texts must be ones that can be kept. */
function ruleTexts(request: BatchRequest): Invalid | undefined {
  const texts = [
    ['userData', request.userData ?? ''] as const,
    ...(request.sshPublicKeys ?? []).map((key, i) => [`sshPublicKeys[${i}]`, key] as const),
    ...(request.requirements ?? []).map(
      (rule, i) => [`requirements[${i}]`, wordsOf(rule)] as const,
    ),
  ];
  const bad = texts.find(([, text]) => !isStorable(text));
  const ofLabels = ruleLabels(request.labels ?? {});
  if (ofLabels !== undefined) return ofLabels;
  if (bad !== undefined) return invalid(bad[0], `${bad[0]} must be text without NUL characters`);
  if (Buffer.byteLength(request.userData ?? '') <= VM_LIMITS.userDataBytesMax) return undefined;
  return invalid('userData', `userData may have ${VM_LIMITS.userDataBytesMax} bytes`);
}

function wishesOf(request: BatchRequest): BatchWishes {
  const { requirements, group, placement, resources, externalAddress } = request;
  const { hardware, autostart } = request;
  return {
    ...(requirements === undefined ? {} : { requirements }),
    ...(group === undefined ? {} : { group }),
    ...(placement === undefined ? {} : { placement }),
    ...(resources === undefined ? {} : { resources }),
    ...(externalAddress === undefined ? {} : { externalAddress }),
    ...(hardware === undefined ? {} : { hardware }),
    ...(autostart === undefined ? {} : { autostart }),
  };
}

function isUpsideDown({ min, max }: { readonly min?: number; readonly max?: number }): boolean {
  return min !== undefined && max !== undefined && min > max;
}

/** Patterns must be ones, ranges must have a number, and a group on one host has a size. */
function ruleWishes({ requirements = [], group }: BatchRequest, size: BatchSize) {
  for (const [index, rule] of requirements.entries()) {
    const field = `requirements[${index}]`;
    if (rule.op === 'range' && isUpsideDown(rule)) {
      return invalid(`${field}.min`, 'min must not be above max');
    }
    try {
      compileRule(rule);
    } catch (error) {
      if (!(error instanceof TextPatternError)) throw error;
      return invalid(`${field}.pattern`, `this pattern can't be used: ${error.message}`);
    }
  }
  if (group?.rule === 'affinity' && size.kind === 'cores') {
    return invalid('group', 'machines that share a host are asked for with count, not totalVcpus');
  }
  return undefined;
}

/** What no machine could be made of is said here, not by the host hours later. */
function ruleHardware({ hardware }: BatchRequest, size: BatchSize): Invalid | undefined {
  const { gpus = 0, gpuModel, cpu: { numaNodes = 1, hugepages } = {} } = hardware ?? {};
  if (gpuModel !== undefined && gpus === 0) {
    return invalid('hardware.gpuModel', 'a model of graphics cards needs some: give gpus, too');
  }
  const shapes = size.kind === 'count' ? [size.shape] : size.shapes;
  const unequal = shapes.find(
    ({ vcpus, memoryMiB }) => vcpus % numaNodes !== 0 || memoryMiB % numaNodes !== 0,
  );
  if (unequal !== undefined) {
    const { vcpus, memoryMiB } = unequal;
    const detail = `${vcpus} vCPUs and ${memoryMiB} MiB can't be shared by ${numaNodes} nodes equally`;
    return invalid('hardware.cpu.numaNodes', `${detail}: ask for fewer, or for multiples`);
  }
  if (hugepages === undefined) return undefined;
  const partMiB = HUGEPAGE_MIB[hugepages] * numaNodes;
  const broken = shapes.find(({ memoryMiB }) => memoryMiB % partMiB !== 0);
  if (broken === undefined) return undefined;
  const detail = `${broken.memoryMiB} MiB are not whole pages of ${hugepages}`;
  return invalid('hardware.cpu.hugepages', `${detail}: ask for a multiple of ${partMiB} MiB`);
}

/** A fixed address is one machine's; which subnets there are is not known here. */
function ruleNetworks({ network, nics = [], securityRules = [] }: BatchRequest, size: BatchSize) {
  const hasOne = size.kind === 'count' && size.count === 1;
  const detail = 'an address can be chosen for a batch of one machine: count must be 1';
  if (network?.ipAddress !== undefined && !hasOne) return invalid('network.ipAddress', detail);
  const index = nics.findIndex((nic) => nic.ipAddress !== undefined);
  if (index >= 0 && !hasOne) return invalid(`nics[${index}].ipAddress`, detail);
  const problem = ruleSecurityRules(securityRules);
  return problem === undefined ? undefined : invalid(problem.field, problem.detail);
}
