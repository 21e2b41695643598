import {
  type ClusterId,
  type DesiredChange,
  LINK_LIMITS,
  type LinkCommand,
  type SubnetId,
  type VmAssignment,
  type VmSpec,
} from '@factory/contracts';
import type { BatchRecord } from '../batches/store.ts';
import { networksOf } from '../subnets/cards.ts';
import type { SubnetRecord } from '../subnets/store.ts';
import type { VmRecord } from '../vms/store.ts';

/** A command may be about this long as JSON; user-data is in it once a machine. */
const COMMAND_BYTES_MAX = 2 * 1024 * 1024;
/** Of an assignment without user-data and keys, generously. */
const ASSIGNMENT_BYTES = 1024;
const RULE_BYTES = 128;

/** What a batch gives to all its machines. */
export type VmTemplate = Pick<
  BatchRecord,
  'sshPublicKeys' | 'userData' | 'wishes' | 'nics' | 'securityRules' | 'volumes'
>;

/** The subnets that machines are in, by id. */
export type SubnetsById = ReadonlyMap<SubnetId, SubnetRecord>;

/** A machine as its cluster is told of it. */
export function assignmentOf(
  vm: VmRecord,
  template: VmTemplate,
  subnets: SubnetsById,
): VmAssignment {
  return {
    vmId: vm.id,
    batchId: vm.batchId,
    projectId: vm.projectId,
    assignmentEpoch: vm.assignmentEpoch,
    generation: vm.generation,
    desired: vm.desired,
    timeline: vm.timeline,
    spec: specOf(vm, template, subnets),
  };
}

/** What its host is to make of a machine. */
export function specOf(vm: VmRecord, template: VmTemplate, subnets: SubnetsById): VmSpec {
  const rules = vm.securityRules ?? template.securityRules;
  const [network, ...nics] = networksOf(vm, rules, subnets);
  return {
    hostname: vm.name,
    image: {
      name: vm.image,
      ...(vm.imageVersion === null ? {} : { version: vm.imageVersion }),
      ...(vm.imageGeneration === 0 ? {} : { generation: vm.imageGeneration }),
    },
    vcpus: vm.vcpus,
    memoryMiB: vm.memoryMiB,
    diskGiB: vm.diskGiB,
    network,
    ...(nics.length === 0 ? {} : { nics }),
    sshPublicKeys: [...template.sshPublicKeys],
    userData: template.userData,
    ...(vm.volumes.length === 0 ? {} : { volumes: [...vm.volumes] }),
    ...template.wishes,
    ...(vm.wantsExternal === null ? {} : { externalAddress: vm.wantsExternal }),
  };
}

/** How many machines of a batch go into one command. */
export function vmsPerCommand(template: VmTemplate, subnets: SubnetsById): number {
  const keyBytes = template.sshPublicKeys.reduce((sum, key) => sum + key.length, 0);
  const { wishes, volumes } = template;
  const wishBytes = Buffer.byteLength(JSON.stringify([wishes, volumes])) * 2;
  const rulesOfSubnets = [...subnets.values()].flatMap((subnet) => subnet.securityRules);
  const ruleCount = template.securityRules.length * subnets.size + rulesOfSubnets.length;
  const networkBytes = ruleCount * RULE_BYTES + subnets.size * ASSIGNMENT_BYTES;
  const userDataBytes = Buffer.byteLength(template.userData) * 2;
  const bytes = ASSIGNMENT_BYTES + networkBytes + userDataBytes + keyBytes + wishBytes;
  const byBytes = Math.floor(COMMAND_BYTES_MAX / bytes);
  return Math.max(1, Math.min(LINK_LIMITS.vmsPerCommandMax, byBytes));
}

/** New wishes by cluster, as commands of bounded size; machines without a cluster need none. */
export function wishCommands(
  vms: readonly (Pick<VmRecord, 'id' | 'clusterId' | 'generation' | 'desired'> & {
    /** What it is to be from now on, when that is new. */
    readonly spec?: VmSpec;
  })[],
): ReadonlyMap<ClusterId, readonly LinkCommand[]> {
  const byCluster = new Map<ClusterId, DesiredChange[]>();
  for (const { id: vmId, clusterId, generation, desired, spec } of vms) {
    if (clusterId === null) continue;
    const changes = byCluster.get(clusterId) ?? [];
    changes.push({ vmId, generation, desired, ...(spec === undefined ? {} : { spec }) });
    byCluster.set(clusterId, changes);
  }
  const commands = new Map<ClusterId, LinkCommand[]>();
  for (const [clusterId, changes] of byCluster) {
    const pieces = chunk(changes, LINK_LIMITS.vmsPerCommandMax);
    commands.set(
      clusterId,
      pieces.map((piece) => ({ kind: 'setDesired', changes: piece })),
    );
  }
  return commands;
}

/** Pieces of at most `size`, in order. */
export function chunk<T>(items: readonly T[], size: number): T[][] {
  const pieces: T[][] = [];
  for (let start = 0; start < items.length; start += size) {
    pieces.push(items.slice(start, start + size));
  }
  return pieces;
}

/** A machine that its cluster has lost, or may have: see `VmAssignment.lastHost`. */
export function assignmentAgain(
  vm: VmRecord,
  template: VmTemplate,
  subnets: SubnetsById,
): VmAssignment {
  return { ...assignmentOf(vm, template, subnets), lastHost: vm.hostName };
}
