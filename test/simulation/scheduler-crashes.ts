import type { VmId } from '@factory/contracts';
import { sleep } from '@factory/runtime';
import { SCHEDULER_STEPS, type SchedulerFaults, type SchedulerStep } from '@factory/vm-scheduler';
import { checkNothingLeft } from './invariants.ts';
import { Run } from './scenario.ts';

const VMS = 3;
const DOWN_MS = 1_000;
/** Longer than the scheduler keeps what is deleted, for whoever asks about it again. */
const FORGOTTEN_AFTER_MS = 11 * 60_000;

export type Point = readonly [step: SchedulerStep, when: 'before' | 'after'];

/** Makes machines, stops, starts and restarts some, deletes all, one while it is being launched. */
export async function liveAndDie(
  step: SchedulerStep,
  faults: SchedulerFaults,
  onRun: (run: Run) => void,
): Promise<void> {
  const run = new Run({ seed: 1, agents: 2, schedulerFaults: faults });
  onRun(run);
  await run.play(async () => {
    const { user } = run.factory;
    const unwanted = await run.createBatch('unwanted', 1);
    await sleep(run.clock, 15);
    await run.deleteBatch(unwanted.id, 1);
    const { id } = await run.createBatch('all', VMS);
    const vms = await run.reach(id, { running: VMS });
    const [stopped, rebooted] = vms.map((vm) => vm.id);
    if (stopped === undefined || rebooted === undefined) throw new Error('two are needed');
    await user.wish(stopped, 'stop');
    await run.reach(id, { running: VMS - 1, stopped: 1 });
    await user.wish(stopped, 'start');
    await run.reach(id, { running: VMS });
    run.factory.restartScheduler(DOWN_MS);
    await run.reach(id, { running: VMS });
    const { state, message } = await user.reboot(rebooted);
    const isDone = state === 'succeeded';
    run.require('restarting', isDone ? [] : [`the operation ${state}: ${message}`]);
    const wrong = vms
      .map(({ id: vmId }) => ({ vmId, boots: bootsOf(run, vmId) }))
      .filter(({ vmId, boots }) => boots !== (vmId === stopped || vmId === rebooted ? 2 : 1));
    run.require(
      'living',
      wrong.map(({ vmId, boots }) => `${vmId} was powered on ${boots} times`),
    );
    await run.deleteBatch(id, VMS);
    if (step === 'store forgetting') await sleep(run.clock, FORGOTTEN_AFTER_MS);
    run.require('at the end', checkNothingLeft(run.factory));
  });
}

function bootsOf({ factory }: Run, vmId: VmId): number {
  return factory.hosts.reduce((sum, host) => sum + host.bootsOf(vmId), 0);
}

/** Ends the scheduler whenever it comes by the point, so many times. */
function killingAt([step, when]: Point, times: number) {
  let left = times;
  let run: Run | undefined;
  let killedAtMs = Number.NEGATIVE_INFINITY;
  const faults: SchedulerFaults = {
    async at(...where) {
      const nowMs = run?.clock.monotonicMs() ?? 0;
      const isDead = nowMs < killedAtMs + DOWN_MS;
      if (!isDead && (left === 0 || where[0] !== step || where[1] !== when)) return;
      if (!isDead) {
        left -= 1;
        killedAtMs = nowMs;
        run?.factory.restartScheduler(DOWN_MS);
      }
      await new Promise(() => undefined);
    },
  };
  const onRun = (given: Run): void => {
    run = given;
  };
  return { faults, onRun, killed: () => times - left };
}

/** Of these the story has none: simulated hosts have no tunnels, and no machine's size is changed. */
const NOT_TAKEN: readonly SchedulerStep[] = [
  ...(['tell peers', 'tell release'] as const),
  ...(['tell stageImages', 'tell pullTickets'] as const),
];

/** Those that the story takes. */
export const STEPS = SCHEDULER_STEPS.filter((step) => !NOT_TAKEN.includes(step));

/** Before and after each step. */
export const POINTS: readonly Point[] = STEPS.flatMap((step) => [
  [step, 'before'] as const,
  [step, 'after'] as const,
]);

/** Ends the scheduler at the point, so many times in a row; gives how often it came by. */
export async function dieAt(point: Point, times: number): Promise<number> {
  const { faults, onRun, killed } = killingAt(point, times);
  await liveAndDie(point[0], faults, onRun);
  return killed();
}
