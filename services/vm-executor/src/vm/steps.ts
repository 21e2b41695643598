import type { Clock, SecretBox } from '@factory/runtime';
import type { Bell } from '../bell.ts';
import type { HostHardware } from '../hardware/port.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { ImagePublisher } from '../images/publisher.ts';
import { cardsOf } from '../network/cards.ts';
import type { ExternalBook } from '../network/external-book.ts';
import type { HostNetworkPort } from '../network/port.ts';
import type { VmStorage } from '../storage/port.ts';
import type { Turns } from '../turns.ts';
import type { VolumePort } from '../volumes/port.ts';
import { adminPasswordOf } from './admin-password.ts';
import type { Change } from './observe.ts';
import { domainPlan, type HostParts, seedOf } from './planned.ts';
import { type PowerOffLimits, powerOffGuest } from './power-off.ts';
import type { Step } from './procedure.ts';
import { leaseOf, type VmRecord } from './record.ts';

/** What the steps of a VM's procedures work with. */
export interface VmSteps {
  readonly clock: Clock;
  readonly storage: VmStorage;
  readonly hypervisor: Hypervisor;
  readonly network: HostNetworkPort;
  readonly externals: Pick<ExternalBook, 'choose'>;
  readonly volumes: VolumePort;
  readonly hardware: HostHardware;
  /** Opens what the scheduler has sealed; absent: nothing can be. */
  readonly secrets?: SecretBox | undefined;
  /** What the steps of this run have made ready for the guest. */
  readonly parts: () => HostParts;
  /** Adds to it. */
  readonly provide: (parts: HostParts) => void;
  /** Ends the turn that this run has among those that are made, if it has one. */
  readonly leaveTurn: () => void;
  /** Whose turn it is to be powered on. */
  readonly powerOns: Turns;
  readonly powerOff: PowerOffLimits;
  /** Rung when the domain or the wish changes. */
  readonly bell: Bell;
  /** The VM's record as it is now. */
  readonly record: () => VmRecord;
  readonly observe: (change: Change) => void;
  /** Changes what is kept in the record and not told to anybody. */
  readonly amend: (change: (record: VmRecord) => VmRecord) => void;
  /** Where images made here go. */
  readonly images: ImagePublisher;
  /** Says how far the operation under way is. */
  readonly tell: (stage: string, percent: number | null) => void;
  /** The record, on the disk when this resolves. */
  readonly save: (signal: AbortSignal) => Promise<void>;
}

export type VmStep<Name extends string> = Step<VmSteps, Name>;

/** Why there is nothing to take back. */
export const inFolder = { none: "it lies in the VM's folder, which goes with the record" };
export const restated = { none: 'the record always says what is wished and what is so' };

/** The address, as its DHCP server reads it. */
export const lease: VmStep<'lease'> = {
  name: 'lease',
  waitsFor: 'its lease to be written',
  do: ({ storage, record }, signal) => storage.writeLease(leaseOf(record()), signal),
  undo: ({ storage, record }, signal) => storage.removeLease(record().vmId, signal),
};

/** What the guest configures itself by. */
export const seed: VmStep<'seed'> = {
  name: 'seed',
  waitsFor: 'its seed to be written',
  do: ({ storage, record, secrets }, signal) => {
    const password = adminPasswordOf(record(), secrets);
    return storage.writeSeed(record().vmId, seedOf(record(), password), signal);
  },
  undo: inFolder,
};

/** Written down before its card has it, so that no other gets it; it goes with the record. */
export const externalAddress: VmStep<'externalAddress'> = {
  name: 'externalAddress',
  waitsFor: 'an external address of its host',
  do: async ({ externals, record, amend, save }, signal) => {
    const { spec, externalAddress: own } = record();
    if (spec.externalAddress !== true || own !== null) return;
    const keep = (address: string): Promise<void> => {
      amend((before) => ({ ...before, externalAddress: address }));
      return save(signal);
    };
    await externals.choose(keep, signal);
  },
  undo: restated,
};

/** Before the domain, which is told of the taps. */
export const network: VmStep<'network'> = {
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

/** The storage of its volumes, with the leases of its disks. */
export const volumes: VmStep<'volumes'> = {
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

/** What it has of its host for itself; held until after its domain has gone. */
export const hardware: VmStep<'hardware'> = {
  name: 'hardware',
  waitsFor: 'what it has of its host for itself',
  do: async ({ hardware, record, provide }, signal) => {
    const { vmId, spec } = record();
    provide(await hardware.assign(vmId, spec, signal));
  },
  undo: ({ hardware, record }, signal) => hardware.release(record().vmId, signal),
};

/** The definition, by the spec that holds. */
export const domain: VmStep<'domain'> = {
  name: 'domain',
  waitsFor: 'the hypervisor to define or forget its domain',
  do: async ({ storage, hypervisor, record, parts, observe }, signal) => {
    const plan = domainPlan(record(), storage.paths(record().vmId), parts());
    await hypervisor.define(plan, signal);
    observe({ stage: 'defined' });
  },
  undo: ({ hypervisor, record }, signal) => hypervisor.undefine(record().vmId, signal),
};

/** The guest on. */
export const power: VmStep<'power'> = {
  name: 'power',
  waitsFor: 'the hypervisor to power it on or off',
  do: ({ hypervisor, leaveTurn, powerOns, observe, record }, signal) => {
    leaveTurn();
    return powerOns(signal, async () => {
      if (record().state === 'preparing') observe({ state: 'starting' });
      await hypervisor.powerOn(record().vmId, signal);
      observe({ stage: 'started' });
    });
  },
  undo: ({ hypervisor, record }, signal) => hypervisor.powerOff(record().vmId, signal),
};

/** What is about to be done is on the disk before it is. */
export const intent: VmStep<'intent'> = {
  name: 'intent',
  waitsFor: 'its record to be written',
  do: ({ save }, signal) => save(signal),
  undo: restated,
};

/** The guest off, gently first; its domain stays. */
export const powerOff: VmStep<'off'> = {
  name: 'off',
  waitsFor: 'its guest to power off',
  do: ({ clock, hypervisor, bell, record, powerOff: limits }, signal) =>
    powerOffGuest({ clock, hypervisor, bell, vmId: record().vmId, limits, signal }),
  undo: { none: 'a guest that is off is powered on by a procedure of its own' },
};
