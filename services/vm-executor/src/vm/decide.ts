import type { DomainSeen, OffCause } from '../hypervisor/port.ts';
import type { Change } from './observe.ts';
import type { VmRecord } from './record.ts';
import { nextChange, type SpecChange } from './spec-change.ts';

/** Everything that the next move of a VM depends on. */
export interface Situation {
  readonly record: VmRecord;
  /** What the hypervisor shows; undefined when it knows no such domain. */
  readonly domain: DomainSeen | undefined;
  readonly hasDisk: boolean;
  /** The VM's task is to end, and nobody wished the VM deleted: it is switched off and kept. */
  readonly isReleased: boolean;
  /** This executor has not seen the domain before: the host may have been down meanwhile. */
  readonly isFirstLook: boolean;
}

/** The next move. After each but `rest` the VM is looked at again. */
export type Decision =
  /** Nothing to do; `change` says how things stand. */
  | { readonly move: 'rest'; readonly change: Change }
  /** Make disk, seed, address and domain; power it on if so wished. */
  | { readonly move: 'make'; readonly powerOn: boolean }
  /** Remove whatever was made. */
  | { readonly move: 'unmake'; readonly end: 'deleted' | 'failed' }
  /** Define the domain anew on its old disk, and power it on. */
  | { readonly move: 'powerOn' }
  /** Nothing has to be done for this part of the wished spec: from now on it is so. */
  | { readonly move: 'takeSpec'; readonly change: SpecChange }
  /** It can't be what it is to be, and stays what it is. */
  | { readonly move: 'refuseSpec'; readonly change: Change }
  /** Its CPUs stand still since its disk gave an error: say so, and let it try again. */
  | { readonly move: 'resume'; readonly detail: string }
  /** Ask the guest to power off, and force it after a while. */
  | { readonly move: 'powerOff' }
  /** Off and kept: the task ends. */
  | { readonly move: 'release'; readonly change: Change }
  /** The restart that was asked for is done. */
  | { readonly move: 'finishReboot' }
  /** The restart that was asked for is overtaken by another wish. */
  | { readonly move: 'abandonReboot' };

/** The next move of a VM (DESIGN rule 2: level-triggered, from what is wished and what is seen). */
export function decide(situation: Situation): Decision {
  const { record, isReleased } = situation;
  const isOvertaken = record.desired !== 'running' || isReleased;
  if (record.reboot !== null && isOvertaken) return { move: 'abandonReboot' };
  if (record.desired === 'deleted') return { move: 'unmake', end: 'deleted' };
  if (record.makingFailure !== null) return { move: 'unmake', end: 'failed' };
  if (isReleased) return decideRelease(situation);
  if (!record.isMade) return decideMaking(situation);
  const change = nextChange(record);
  if (change !== undefined) return decideChange(situation, change);
  return record.desired === 'stopped' ? decideStopped(situation) : decideRunning(situation);
}

/** What is wished of a machine that is to be another than it is; the power comes after. */
function decideChange({ record, domain }: Situation, change: SpecChange): Decision {
  switch (change) {
    case 'volumes':
      if (domain?.power.kind !== 'on') return { move: 'takeSpec', change };
      return { move: 'refuseSpec', change: { ...VOLUMES_IN_USE, ...settled(record) } };
    case 'others':
      return { move: 'takeSpec', change };
  }
}

/** Whoever ends a task (an operator, an agent that is drained) may stop its guest, and no more. */
function decideRelease({ record, domain }: Situation): Decision {
  if (domain?.power.kind === 'on') {
    // Cut off between its power-on and the word that it is made.
    return record.isMade ? { move: 'powerOff' } : rest(adopted(record));
  }
  const saysEnough = !record.isMade || record.state === 'failed' || record.state === 'stopped';
  return { move: 'release', change: saysEnough ? {} : RELEASED };
}

function decideMaking({ record, domain }: Situation): Decision {
  if (domain?.power.kind === 'on') return rest(adopted(record));
  return { move: 'make', powerOn: record.desired === 'running' };
}

function decideStopped(situation: Situation): Decision {
  const { record, domain } = situation;
  const applied = isApplied(record);
  if (domain?.power.kind === 'on') {
    // It could not be stopped, and its user has been told why: that stays said.
    if (applied && record.state === 'failed') return rest({});
    // Already stopped once for this wish: somebody powered it on since, and it is left alone.
    if (applied && record.state !== 'stopping') return rest({ state: 'running' });
    return { move: 'powerOff' };
  }
  if (applied && record.state !== 'stopping') return restOff(situation);
  const forced = domain?.power.cause === 'destroyed' && record.state === 'stopping';
  return rest({
    state: 'stopped',
    reason: forced ? 'FORCED_OFF' : 'STOPPED_BY_USER',
    message: forced ? 'The guest did not obey the power button; it was forced off.' : null,
    appliedGeneration: record.generation,
  });
}

function decideRunning(situation: Situation): Decision {
  const { record, domain } = situation;
  const isOn = domain?.power.kind === 'on';
  if (record.reboot !== null) {
    if (!isOn) return powerOn(situation);
    return record.reboot.phase === 'off' ? { move: 'powerOff' } : { move: 'finishReboot' };
  }
  if (isOn) {
    // Pressed for a wish that is no longer: the guest is on its way down all the same.
    if (record.state === 'stopping') return { move: 'powerOff' };
    if (domain.power.kind === 'on' && domain.power.hasDiskError === true) {
      return { move: 'resume', detail: domain.detail };
    }
    return rest({ state: 'running', appliedGeneration: record.generation });
  }
  if (!isApplied(record) || record.state === 'starting') return powerOn(situation);
  if (record.state === 'running' && wentDownWithItsHost(situation)) return powerOn(situation);
  return restOff(situation);
}

function powerOn({ hasDisk, record }: Situation): Decision {
  if (hasDisk) return { move: 'powerOn' };
  // A new, empty disk in place of a lost one would look like success.
  return rest({ ...DISK_LOST, appliedGeneration: record.generation });
}

/** How an off machine stands that nobody wants on any more. */
function restOff({ record, domain }: Situation): Decision {
  if (record.state === 'stopped' || record.state === 'failed') return rest({});
  const cause = domain?.power.kind === 'off' ? domain.power.cause : undefined;
  const detail = domain?.detail ?? 'its domain is gone';
  return rest({ ...offChange(cause, detail), appliedGeneration: record.generation });
}

/** What it means that a machine which should be on is off. */
function offChange(cause: OffCause | undefined, detail: string): Change {
  switch (cause) {
    case 'guestShutdown':
      return { state: 'stopped', reason: 'GUEST_POWERED_OFF', message: null };
    case 'crashed':
      return {
        state: 'failed',
        reason: 'GUEST_CRASHED',
        message: `The guest's kernel crashed (${detail})`,
      };
    case 'killed':
      return {
        state: 'failed',
        reason: 'KILLED_FROM_OUTSIDE',
        message: `QEMU's process was killed on its host, or crashed (${detail})`,
      };
    case 'failedToStart':
      return {
        state: 'failed',
        reason: 'HYPERVISOR_ERROR',
        message: `It did not start (${detail})`,
      };
    case 'destroyed':
    case 'unknown':
    case undefined:
      return {
        state: 'failed',
        reason: 'KILLED_FROM_OUTSIDE',
        message: `Somebody powered it off on its host, past the factory (${detail})`,
      };
  }
}

/** The host's end leaves no cause behind; whoever ends a single domain does. */
function wentDownWithItsHost({ domain, isFirstLook }: Situation): boolean {
  if (!isFirstLook) return false;
  return domain === undefined || (domain.power.kind === 'off' && domain.power.cause === 'unknown');
}

function adopted(record: VmRecord): Change {
  return {
    state: 'running',
    reason: 'ADOPTED',
    message: 'Found running on its host.',
    isMade: true,
    appliedGeneration: record.desired === 'running' ? record.generation : record.appliedGeneration,
  };
}

const RELEASED: Change = {
  state: 'stopped',
  reason: 'KILLED_FROM_OUTSIDE',
  message: 'Its Mesos task was ended by someone other than the factory; its disk is kept.',
};

const DISK_LOST: Change = {
  state: 'failed',
  reason: 'STORAGE_UNAVAILABLE',
  message: 'Its disk is missing on its host.',
};

const VOLUMES_IN_USE: Change = {
  state: 'running',
  reason: 'COMMAND_REFUSED',
  message: "Its volumes can't be changed while it runs. Stop it first.",
};

function settled({ generation }: VmRecord): Change {
  return { appliedGeneration: generation };
}

function isApplied(record: VmRecord): boolean {
  return record.appliedGeneration >= record.generation;
}

function rest(change: Change): Decision {
  return { move: 'rest', change };
}
