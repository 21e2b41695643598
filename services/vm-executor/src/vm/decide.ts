import type { VmState } from '@factory/contracts';
import type { DomainSeen, OffCause } from '../hypervisor/port.ts';
import type { Change } from './observe.ts';
import type { VmRecord } from './record.ts';
import { hasOtherCards, hasOtherExternal, nextChange, type SpecChange } from './spec-change.ts';

/** Everything that the next move of a VM depends on. */
export interface Situation {
  readonly record: VmRecord;
  /** What the hypervisor shows; undefined when it knows no such domain. */
  readonly domain: DomainSeen | undefined;
  readonly hasDisk: boolean;
  /** The VM's task is to end, and nobody wished the VM deleted: it is switched off and kept. */
  readonly isReleased: boolean;
  /** The scheduler lets its task go, for another one: it is kept as it is, if it is off. */
  readonly isLetGo: boolean;
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
  /** Its cards follow other rules from now on. */
  | { readonly move: 'setNetworks' }
  /** On: plug its volumes in and out. */
  | { readonly move: 'hotPlug' }
  /** A hot-plug was overtaken: what its guest has is looked at. */
  | { readonly move: 'keepPlugged' }
  /** It can't be what it is to be, and stays what it is. */
  | { readonly move: 'refuseSpec'; readonly change: Change }
  /** Its CPUs stand still since its disk gave an error: say so, and let it try again. */
  | { readonly move: 'retryDisk'; readonly detail: string }
  /** Write its memory to the host, and stop it. */
  | { readonly move: 'suspend' }
  /** Power it on with the memory that was kept. */
  | { readonly move: 'resume' }
  /** Somebody paused it: let it go on. */
  | { readonly move: 'unpause' }
  /** It is to be off: throw away the memory that was kept. */
  | { readonly move: 'forgetMemory' }
  /** Off: grow its disk and define its domain anew. */
  | { readonly move: 'resize' }
  /** Make a disk of the wished image, power it off, and put the new disk in the old one's place. */
  | { readonly move: 'rebuild' }
  /** Throw away a new disk that is not to be used. */
  | { readonly move: 'dropNewDisk' }
  /** Ask the guest to power off, and force it after a while. */
  | { readonly move: 'powerOff' }
  /** Off and kept: the task ends. */
  | { readonly move: 'release'; readonly change: Change }
  /** Its task is not let go after all. */
  | { readonly move: 'stay' }
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
  if (situation.isLetGo) return decideLettingGo(situation);
  if (!record.isMade) return decideMaking(situation);
  const change = nextChange(record);
  if (record.hasNewDisk && change !== 'image') return { move: 'dropNewDisk' };
  if (record.plugging.length > 0 && change !== 'volumes') return { move: 'keepPlugged' };
  if (change !== undefined) return decideChange(situation, change);
  switch (record.desired) {
    case 'running':
      return decideRunning(situation);
    case 'stopped':
      return decideStopped(situation);
    case 'suspended':
      return decideSuspended(situation);
  }
}

/** What is wished of a machine that is to be another than it is; the power comes after. */
function decideChange({ record, domain }: Situation, change: SpecChange): Decision {
  switch (change) {
    case 'image':
      return { move: 'rebuild' };
    case 'size':
      return domain?.power.kind === 'on' ? { move: 'powerOff' } : { move: 'resize' };
    case 'volumes':
      if (domain?.power.kind === 'on') {
        return { move: record.desired === 'stopped' ? 'powerOff' : 'hotPlug' };
      }
      if (!isSaved(domain)) return { move: 'takeSpec', change };
      // Memory that is kept is of a machine with the volumes that it had.
      return { move: 'refuseSpec', change: { ...VOLUMES_IN_USE, ...settled(record) } };
    case 'networks':
      // Its taps are there while it is off, and with them its external address.
      if (domain?.power.kind !== 'on') {
        if (hasOtherExternal(record) && !hasOtherCards(record)) return { move: 'setNetworks' };
        return { move: 'takeSpec', change };
      }
      if (!hasOtherCards(record)) return { move: 'setNetworks' };
      return { move: 'refuseSpec', change: { ...CARDS_IN_USE, ...settled(record) } };
    case 'others':
      return { move: 'takeSpec', change };
  }
}

/** A guest that is on keeps its task: the scheduler asks again when it is off. */
function decideLettingGo({ record, domain }: Situation): Decision {
  const isOff = record.isMade && domain?.power.kind !== 'on';
  return isOff ? { move: 'release', change: {} } : { move: 'stay' };
}

/** Whoever ends a task (an operator, an agent that is drained) may stop its guest, and no more. */
function decideRelease({ record, domain }: Situation): Decision {
  if (domain?.power.kind === 'on') {
    // Cut off between its power-on and the word that it is made.
    return record.isMade ? { move: 'powerOff' } : rest(adopted(record));
  }
  const saysEnough = !record.isMade || ENOUGH.has(record.state);
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
    if (applied && record.state !== 'stopping') return rest(standing(domain));
    return { move: 'powerOff' };
  }
  if (applied && record.state !== 'stopping') return restOff(situation);
  if (domain?.power.isSaved === true) return { move: 'forgetMemory' };
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
    const { hasDiskError, isPaused } = domain.power;
    if (hasDiskError === true) return { move: 'retryDisk', detail: domain.detail };
    if (isPaused === true && !isApplied(record)) return { move: 'unpause' };
    return rest({ ...standing(domain), appliedGeneration: record.generation });
  }
  const isComing = record.state === 'starting' || record.state === 'resuming';
  if (!isApplied(record) || isComing) return powerOn(situation);
  if (record.state === 'running' && wentDownWithItsHost(situation)) {
    const isToCome = record.spec.autostart !== false || isSaved(domain);
    return isToCome ? powerOn(situation) : rest(HOST_RESTARTED);
  }
  return restOff(situation);
}

function decideSuspended(situation: Situation): Decision {
  const { record, domain } = situation;
  const applied = isApplied(record);
  if (domain?.power.kind === 'on') {
    if (!applied || record.state === 'suspending') return { move: 'suspend' };
    return rest(standing(domain));
  }
  const appliedGeneration = record.generation;
  if (isSaved(domain)) {
    return rest({ state: 'suspended', reason: null, message: null, appliedGeneration });
  }
  const isLost = record.state === 'suspending' || record.state === 'suspended';
  if (isLost || (!applied && wentDownWithItsHost(situation))) {
    return rest({ ...MEMORY_LOST, appliedGeneration });
  }
  // It was off before it could be suspended: it is what it has become.
  const { change } = restOff(situation);
  return rest({ ...change, appliedGeneration });
}

function isSaved(domain: DomainSeen | undefined): boolean {
  return domain?.power.kind === 'off' && domain.power.isSaved === true;
}

/** How a machine stands that is on. */
function standing({ power, detail }: DomainSeen): Change {
  if (power.kind !== 'on' || power.isPaused !== true) return { state: 'running' };
  return {
    state: 'suspended',
    reason: 'PAUSED_FROM_OUTSIDE',
    message: `Somebody paused it on its host, past the factory (${detail}). Start it to let it go on.`,
  };
}

function powerOn({ hasDisk, record, domain }: Situation): Decision {
  if (hasDisk) return { move: isSaved(domain) ? 'resume' : 'powerOn' };
  // A new, empty disk in place of a lost one would look like success.
  return rest({ ...DISK_LOST, appliedGeneration: record.generation });
}

/** How an off machine stands that nobody wants on any more. */
function restOff({ record, domain }: Situation): Rest {
  if (isSaved(domain) && record.state !== 'failed') return rest(SAVED_FROM_OUTSIDE);
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

/** What these say holds for one whose task ends as well. */
const ENOUGH: ReadonlySet<VmState> = new Set(['failed', 'stopped', 'suspended']);

const RELEASED: Change = {
  state: 'stopped',
  reason: 'KILLED_FROM_OUTSIDE',
  message: 'Its Mesos task was ended by someone other than the factory; its disk is kept.',
};

const HOST_RESTARTED: Change = {
  state: 'stopped',
  reason: 'HOST_RESTARTED',
  message: 'Its host restarted, and it is not to come back by itself (autostart is off).',
};

const SAVED_FROM_OUTSIDE: Change = {
  state: 'suspended',
  reason: 'PAUSED_FROM_OUTSIDE',
  message: 'Its memory was written to its host, past the factory. Start it to let it go on.',
};

const MEMORY_LOST: Change = {
  state: 'failed',
  reason: 'MEMORY_LOST',
  message:
    'It is off, and its memory was not kept, or is gone from its host. Start it: it boots from its disk.',
};

const DISK_LOST: Change = {
  state: 'failed',
  reason: 'STORAGE_UNAVAILABLE',
  message: 'Its disk is missing on its host.',
};

const VOLUMES_IN_USE: Change = {
  reason: 'COMMAND_REFUSED',
  message: "Its volumes can't be changed while it is suspended. Resume or stop it first.",
};

const CARDS_IN_USE: Change = {
  state: 'running',
  reason: 'COMMAND_REFUSED',
  message: "Its network cards can't be changed while it runs. Stop it first.",
};

function settled({ generation }: VmRecord): { readonly appliedGeneration: number } {
  return { appliedGeneration: generation };
}

function isApplied(record: VmRecord): boolean {
  return record.appliedGeneration >= record.generation;
}

type Rest = Extract<Decision, { readonly move: 'rest' }>;

function rest(change: Change): Rest {
  return { move: 'rest', change };
}
