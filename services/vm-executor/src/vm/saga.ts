import type { Limiter } from '@factory/runtime';
import type { DomainPlan, Hypervisor } from '../hypervisor/port.ts';
import type { Seed, VmStorage } from '../storage/port.ts';
import type { Change } from './observe.ts';
import { leaseOf, type VmRecord } from './record.ts';

/** What the steps work with. */
export interface SagaContext {
  readonly storage: VmStorage;
  readonly hypervisor: Hypervisor;
  /** The VM's record as it is now. */
  readonly record: () => VmRecord;
  readonly observe: (change: Change) => void;
  /** Bounds how many guests are powered on at a time. */
  readonly limitPowerOn: Limiter;
}

export const SAGA_STEP_NAMES = [
  'record',
  'lease',
  'disk',
  'seed',
  'network',
  'domain',
  'power',
] as const;
export type SagaStepName = (typeof SAGA_STEP_NAMES)[number];

/**
 * One step of making a VM. Both ways are idempotent: a step that was begun and cut off at any point
 * is simply taken again, in either direction.
 */
export interface SagaStep {
  readonly name: SagaStepName;
  readonly do: (context: SagaContext) => Promise<void>;
  /** Or why there is nothing to undo. */
  readonly undo: ((context: SagaContext) => Promise<void>) | { readonly none: string };
}

/**
 * How a VM is made, step by step; unmaking is the same list, from the end, undone. So what is made
 * last is removed first, and the record, which says that there is something to remove, goes last.
 */
export const SAGA: readonly SagaStep[] = [
  {
    name: 'record',
    do: ({ storage, record }) => storage.writeRecord(record(), { durable: true }),
    undo: ({ storage, record }) => storage.removeVm(record().vmId),
  },
  {
    name: 'lease',
    do: ({ storage, record }) => storage.writeLease(leaseOf(record())),
    undo: ({ storage, record }) => storage.removeLease(record().vmId),
  },
  {
    name: 'disk',
    do: makeDisk,
    undo: { none: "it lies in the VM's folder, which goes with the record" },
  },
  {
    name: 'seed',
    do: ({ storage, record }) => storage.writeSeed(record().vmId, seedOf(record())),
    undo: { none: "it lies in the VM's folder, which goes with the record" },
  },
  {
    name: 'network',
    do: ({ hypervisor, record }) => hypervisor.joinNetwork(leaseOf(record())),
    undo: ({ hypervisor, record }) => hypervisor.leaveNetwork(leaseOf(record())),
  },
  {
    name: 'domain',
    do: defineDomain,
    undo: ({ hypervisor, record }) => hypervisor.undefine(record().vmId),
  },
  {
    name: 'power',
    do: powerOn,
    undo: ({ hypervisor, record }) => hypervisor.powerOff(record().vmId),
  },
];

/** Steps that give a stopped VM its domain back; its disk and record are there. */
const POWER_ON_STEPS: ReadonlySet<SagaStepName> = new Set([
  'lease',
  'seed',
  'network',
  'domain',
  'power',
]);

/** The steps that make a VM. */
export function makingSteps(isToBeOn: boolean): readonly SagaStep[] {
  return isToBeOn ? SAGA : SAGA.filter((step) => step.name !== 'power');
}

/** The steps that power a VM on which was made before. */
export function powerOnSteps(): readonly SagaStep[] {
  return SAGA.filter((step) => POWER_ON_STEPS.has(step.name));
}

/** Takes the steps in order. @throws whatever the first failing step throws. */
export async function runSteps(steps: readonly SagaStep[], context: SagaContext): Promise<void> {
  for (const step of steps) await step.do(context);
}

/** Undoes everything that may have been made, from the end. @throws at the first that fails. */
export async function undoAll(context: SagaContext): Promise<void> {
  for (const { undo } of SAGA.toReversed()) {
    if (typeof undo === 'function') await undo(context);
  }
}

async function makeDisk({ storage, record, observe }: SagaContext): Promise<void> {
  const { vmId, spec } = record();
  await storage.createDisk(vmId, spec.image.name, spec.diskGiB);
  observe({ stage: 'image' });
}

async function defineDomain({ storage, hypervisor, record, observe }: SagaContext): Promise<void> {
  await hypervisor.define(domainPlan(record(), storage));
  observe({ stage: 'defined' });
}

async function powerOn(context: SagaContext): Promise<void> {
  const { hypervisor, limitPowerOn, observe, record } = context;
  await limitPowerOn(async () => {
    if (record().state === 'preparing') observe({ state: 'starting' });
    await hypervisor.powerOn(record().vmId);
  });
  observe({ stage: 'started' });
}

function seedOf({ vmId, spec }: VmRecord): Seed {
  const { hostname, sshPublicKeys, userData } = spec;
  return { instanceId: vmId, hostname, sshPublicKeys, userData };
}

function domainPlan({ vmId, generation, spec }: VmRecord, storage: VmStorage): DomainPlan {
  return {
    vmId,
    generation,
    vcpus: spec.vcpus,
    memoryMiB: spec.memoryMiB,
    subnetId: spec.network.subnetId,
    macAddress: spec.network.macAddress,
    ...storage.paths(vmId),
  };
}
