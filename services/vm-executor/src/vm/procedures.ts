import type { Clock, Limiter } from '@factory/runtime';
import type { Bell } from '../bell.ts';
import { isFullDisk } from '../failures.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import { cardsOf } from '../network/cards.ts';
import type { HostNetworkPort } from '../network/port.ts';
import type { VmStorage } from '../storage/port.ts';
import { inTurn } from '../turns.ts';
import type { VolumePort } from '../volumes/port.ts';
import type { Change } from './observe.ts';
import { domainPlan, type HostParts, seedOf } from './planned.ts';
import { type PowerOffLimits, powerOffGuest } from './power-off.ts';
import { type Procedure, type Step, undoing } from './procedure.ts';
import { leaseOf, type VmRecord } from './record.ts';

/** What the steps of a VM's procedures work with. */
export interface VmSteps {
  readonly clock: Clock;
  readonly storage: VmStorage;
  readonly hypervisor: Hypervisor;
  readonly network: HostNetworkPort;
  readonly volumes: VolumePort;
  /** What the steps of this run have made ready for the guest. */
  readonly parts: () => HostParts;
  /** Adds to it. */
  readonly provide: (parts: HostParts) => void;
  /** Bounds how many guests are powered on at a time. */
  readonly limitPowerOn: Limiter;
  readonly powerOff: PowerOffLimits;
  /** Rung when the domain or the wish changes. */
  readonly bell: Bell;
  /** The VM's record as it is now. */
  readonly record: () => VmRecord;
  readonly observe: (change: Change) => void;
  /** Changes what is kept in the record and not told to anybody. */
  readonly amend: (change: (record: VmRecord) => VmRecord) => void;
  /** The record, on the disk when this resolves. */
  readonly save: (signal: AbortSignal) => Promise<void>;
}

type VmStep<Name extends string> = Step<VmSteps, Name>;

const inFolder = { none: "it lies in the VM's folder, which goes with the record" };
const restated = { none: 'the record always says what is wished and what is so' };

const lease: VmStep<'lease'> = {
  name: 'lease',
  waitsFor: 'its lease to be written',
  do: ({ storage, record }, signal) => storage.writeLease(leaseOf(record()), signal),
  undo: ({ storage, record }, signal) => storage.removeLease(record().vmId, signal),
};

const seed: VmStep<'seed'> = {
  name: 'seed',
  waitsFor: 'its seed to be written',
  do: ({ storage, record }, signal) => storage.writeSeed(record().vmId, seedOf(record()), signal),
  undo: inFolder,
};

/** Before the domain, which is told of the taps. */
const network: VmStep<'network'> = {
  name: 'network',
  waitsFor: 'its network',
  do: async ({ network, record, provide }, signal) => {
    const cards = cardsOf(record());
    const taps = await Promise.all(
      cards.map(async ({ subnet, nic }) => {
        const tapName = await network.plug(subnet, nic, signal);
        return [nic.macAddress, { tapName, mtuBytes: network.mtuBytes }] as const;
      }),
    );
    provide({ taps: Object.fromEntries(taps) });
  },
  undo: ({ network, record }, signal) => {
    const nics = cardsOf(record()).map(({ nic }) => nic);
    return network.unplugVm(record().vmId, nics, signal);
  },
};

const volumes: VmStep<'volumes'> = {
  name: 'volumes',
  waitsFor: 'the storage of its volumes',
  do: async ({ volumes, record, provide }, signal) => {
    const { vmId, spec } = record();
    const mounts = spec.volumes ?? [];
    for (const mount of mounts) await volumes.prepare(vmId, mount, signal);
    const paths = mounts.map((mount) => [mount.volumeId, volumes.pathOf(mount)] as const);
    provide({ volumePaths: Object.fromEntries(paths) });
  },
  // After its domain: nothing has a disk open any more whose lease is given back.
  undo: ({ volumes, record }, signal) => volumes.release(record().vmId, undefined, signal),
};

const domain: VmStep<'domain'> = {
  name: 'domain',
  waitsFor: 'the hypervisor to define or forget its domain',
  do: async ({ storage, hypervisor, record, parts, observe }, signal) => {
    const plan = domainPlan(record(), storage.paths(record().vmId), parts());
    await hypervisor.define(plan, signal);
    observe({ stage: 'defined' });
  },
  undo: ({ hypervisor, record }, signal) => hypervisor.undefine(record().vmId, signal),
};

const power: VmStep<'power'> = {
  name: 'power',
  waitsFor: 'the hypervisor to power it on or off',
  do: ({ hypervisor, limitPowerOn, observe, record }, signal) =>
    inTurn(limitPowerOn, signal, async () => {
      if (record().state === 'preparing') observe({ state: 'starting' });
      await hypervisor.powerOn(record().vmId, signal);
      observe({ stage: 'started' });
    }),
  undo: ({ hypervisor, record }, signal) => hypervisor.powerOff(record().vmId, signal),
};

/**
 * How a VM is made. Unmaking is the same list, from the end, undone: what is made last is removed
 * first, and the record, which says that there is something to remove, goes last.
 */
export const CREATE: Procedure<VmSteps> = {
  name: 'create',
  steps: [
    {
      name: 'record',
      waitsFor: 'its record and folder to be written or removed',
      do: ({ save }, signal) => save(signal),
      undo: ({ storage, record }, signal) => storage.removeVm(record().vmId, signal),
    },
    lease,
    {
      name: 'disk',
      waitsFor: 'its disk, made on top of the image',
      do: async ({ storage, record, observe }, signal) => {
        const { vmId, spec } = record();
        await storage.createDisk(vmId, spec.image, spec.diskGiB, signal);
        observe({ stage: 'image' });
      },
      undo: inFolder,
    },
    seed,
    network,
    volumes,
    domain,
    power,
    {
      // From now on only its user's wish removes the disk. On the disk before anybody hears of it:
      // after a power failure, a record that says "not made" would let a failed making remove it.
      name: 'made',
      waitsFor: 'its record to be written',
      do: ({ amend, save }, signal) => {
        amend((record) => ({ ...record, isMade: true }));
        return save(signal);
      },
      undo: restated,
    },
  ],
};

/** How a VM is made that is wished off. */
export const CREATE_OFF: Procedure<VmSteps> = {
  name: 'create',
  steps: CREATE.steps.filter((step) => step.name !== 'power'),
};

/** How whatever was made of a VM is removed: as wished, or after its making failed. */
export const DELETE: Procedure<VmSteps> = undoing(
  'delete',
  [
    {
      // Whoever comes after us knows that what is missing was removed on purpose.
      name: 'wish',
      waitsFor: 'its record to be written',
      do: async ({ save }, signal) => {
        await save(signal).catch((error: unknown) => {
          // Removing is what helps a full disk; the wish is kept by those who told it, too.
          if (!isFullDisk(error)) throw error;
        });
      },
      undo: restated,
    },
  ],
  CREATE,
);

/** How a stopped VM gets its domain back and is powered on; its disk and record are there. */
export const POWER_ON: Procedure<VmSteps> = {
  name: 'powerOn',
  steps: [
    {
      name: 'intent',
      waitsFor: 'its console log and record',
      do: async ({ storage, record, amend, save }, signal) => {
        const consoleStartByte = await storage.consoleSize(record().vmId);
        signal.throwIfAborted();
        amend((before) => ({
          ...before,
          consoleStartByte,
          reboot: before.reboot === null ? null : { ...before.reboot, phase: 'on' },
        }));
        await save(signal);
      },
      undo: restated,
    },
    lease,
    seed,
    network,
    volumes,
    domain,
    power,
  ],
};

/** How a guest is powered off; its domain stays. */
export const POWER_OFF: Procedure<VmSteps> = {
  name: 'powerOff',
  steps: [
    {
      name: 'intent',
      waitsFor: 'its record to be written',
      do: ({ save }, signal) => save(signal),
      undo: restated,
    },
    {
      name: 'off',
      waitsFor: 'its guest to power off',
      do: ({ clock, hypervisor, bell, record, powerOff }, signal) =>
        powerOffGuest({ clock, hypervisor, bell, vmId: record().vmId, limits: powerOff, signal }),
      undo: { none: 'a guest that is off is powered on by a procedure of its own' },
    },
  ],
};

/** All of them: what a crash at every step has to be tried with. */
export const PROCEDURES: readonly Procedure<VmSteps>[] = [CREATE, DELETE, POWER_ON, POWER_OFF];
