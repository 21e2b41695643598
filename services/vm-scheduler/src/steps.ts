import type { SchedulerCall } from 'mesos-core/protocol';
import { decodeSchedulerMessage } from './executor-messages.ts';
import type { Framework } from './framework.ts';
import type { SchedulerStore, StoreChanges } from './store/store.ts';
import { type VmRecord, vmIdOf } from './vm-record.ts';

/**
 * Everything that the scheduler does outside of its own memory. A crash before and after each of
 * these is what has to be tried: between two of them nothing is lost that is not read or asked again.
 */
export const SCHEDULER_STEPS = [
  /** Stored: under which id the framework is known. */
  'store frameworkId',
  /** Stored: a VM that was given to this cluster. */
  'store assignment',
  'store wish',
  /** Stored before the ACCEPT: the intent to launch. */
  'store launch',
  /** Stored before the acknowledgement: what follows from a task's status. */
  'store status',
  /** Stored: what an executor said of a VM. */
  'store observation',
  'store operation',
  /** Stored before the executor may forget it. */
  'store result',
  /** Stored: VMs and operations that nobody will ask for again. */
  'store forgetting',
  'accept',
  'decline',
  'revive',
  'suppress',
  'acknowledge',
  'reconcile',
  'kill',
  'tell setDesired',
  'tell operate',
  'tell operationsSeen',
  'tell report',
  'tell peers',
  'tell release',
  'tell stageImages',
  'tell pullTickets',
] as const;
export type SchedulerStep = (typeof SCHEDULER_STEPS)[number];

/** Before and after each step a test may end the scheduler. */
export interface SchedulerFaults {
  at(step: SchedulerStep, when: 'before' | 'after'): Promise<void>;
}

interface Ports {
  readonly store: SchedulerStore;
  readonly framework: Framework;
}

/** The ports, with fault points around all that is done through them. */
export function withFaultPoints({ store, framework }: Ports, faults: SchedulerFaults): Ports {
  const stored = new Map<string, VmRecord>();
  const around = async (steps: readonly SchedulerStep[], work: () => Promise<void>) => {
    for (const step of steps) await faults.at(step, 'before');
    await work();
    for (const step of steps) await faults.at(step, 'after');
  };
  return {
    store: {
      async load() {
        const state = await store.load();
        for (const record of state.vms) stored.set(vmIdOf(record), record);
        return state;
      },
      saveFrameworkId: (id) => around(['store frameworkId'], () => store.saveFrameworkId(id)),
      save: (changes) =>
        around(storeSteps(changes, stored), async () => {
          await store.save(changes);
          for (const record of changes.vms) stored.set(vmIdOf(record), record);
        }),
    },
    framework: {
      start: (frameworkId, handler) => framework.start(frameworkId, handler),
      call: (call) => around(callSteps(call), () => framework.call(call)),
      close: () => framework.close(),
    },
  };
}

/** What one write stores; changes that come together are stored together. */
function storeSteps(
  { vms, operations, removedVmIds, removedOperationIds }: StoreChanges,
  stored: ReadonlyMap<string, VmRecord>,
): readonly SchedulerStep[] {
  const ofVms = vms.map((record) => changeOf(stored.get(vmIdOf(record)), record));
  const ofOperations = operations.map(({ result }) =>
    result === null ? ('store operation' as const) : ('store result' as const),
  );
  const isForgetting = removedVmIds.length + removedOperationIds.length > 0;
  const forgetting = isForgetting ? (['store forgetting'] as const) : [];
  return [...new Set([...ofVms, ...ofOperations, ...forgetting])];
}

function changeOf(before: VmRecord | undefined, after: VmRecord): SchedulerStep {
  if (before === undefined) return 'store assignment';
  if (after.assignment.generation !== before.assignment.generation) return 'store wish';
  if (after.attempts !== before.attempts) return 'store launch';
  return after.observation?.seq === before.observation?.seq ? 'store status' : 'store observation';
}

function callSteps(call: SchedulerCall): readonly SchedulerStep[] {
  switch (call.type) {
    case 'ACCEPT':
      return ['accept'];
    case 'DECLINE':
      return ['decline'];
    case 'REVIVE':
      return ['revive'];
    case 'SUPPRESS':
      return ['suppress'];
    case 'ACKNOWLEDGE':
      return ['acknowledge'];
    case 'RECONCILE':
      return ['reconcile'];
    case 'KILL':
      return ['kill'];
    case 'MESSAGE': {
      const { type } = decodeSchedulerMessage(call.message.data);
      return [type === 'peersChange' ? 'tell peers' : `tell ${type}`];
    }
    default:
      throw new Error(`a call of the scheduler that is no step: ${call.type}`);
  }
}
