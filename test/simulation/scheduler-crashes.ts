import type { BatchId, VmId } from '@factory/contracts';
import { sleep, waitFor } from '@factory/runtime';
import { SCHEDULER_STEPS, type SchedulerFaults, type SchedulerStep } from '@factory/vm-scheduler';
import { TOOLS } from './factory.ts';
import { checkNothingLeft } from './invariants.ts';
import { Run } from './scenario.ts';
import type { User } from './user.ts';

const VMS = 3;
const DOWN_MS = 1_000;
const STAGE_TIMEOUT_MS = 5 * 60_000;
const LARGER = { vcpus: 2, memoryMiB: 256 };
/** More than any host has. */
const TOO_LARGE = { vcpus: 40, memoryMiB: 256 };
/** Longer than the scheduler keeps what is deleted, for whoever asks about it again. */
const FORGOTTEN_AFTER_MS = 11 * 60_000;

/** Parts of the story that are about one thing. */
const ACTS = ['resize', 'image'] as const;
type Act = (typeof ACTS)[number];

/** With an act: when the step is first taken in that one, not in the whole story. */
type Point = readonly [step: SchedulerStep, when: 'before' | 'after', during?: Act];

/**
 * Makes machines, stops one, gives it another size, starts it, restarts another, makes an image of
 * a third, brings an image to all hosts; deletes all, and one while it is being launched.
 */
export async function liveAndDie(
  step: SchedulerStep,
  faults: SchedulerFaults,
  onRun: (run: Run) => void,
  onAct: (act: Act | undefined) => void = () => undefined,
): Promise<void> {
  const run = new Run({ seed: 1, agents: 2, isWhole: true, schedulerFaults: faults });
  onRun(run);
  await run.play(async () => {
    const unwanted = await run.createBatch('unwanted', 1);
    await sleep(run.clock, 15);
    await run.deleteBatch(unwanted.id, 1);
    const { id } = await run.createBatch('all', VMS);
    const vms = await run.reach(id, { running: VMS });
    const [resized, rebooted, copied] = vms.map((vm) => vm.id);
    if (resized === undefined || rebooted === undefined || copied === undefined) {
      throw new Error('three are needed');
    }
    onAct('resize');
    await resize(run, id, resized);
    onAct(undefined);
    run.factory.restartScheduler(DOWN_MS);
    await run.reach(id, { running: VMS });
    await operate(run, rebooted, 'reboot');
    onAct('image');
    await makeImage(run, copied);
    await stage(run);
    onAct(undefined);
    const wrong = vms
      .map(({ id: vmId }) => ({ vmId, boots: bootsOf(run, vmId) }))
      .filter(({ vmId, boots }) => boots !== (vmId === copied ? 1 : 2));
    run.require(
      'living',
      wrong.map(({ vmId, boots }) => `${vmId} was powered on ${boots} times`),
    );
    await run.deleteBatch(id, VMS);
    if (step === 'store forgetting') await sleep(run.clock, FORGOTTEN_AFTER_MS);
    run.require('at the end', checkNothingLeft(run.factory));
  });
}

/** Stops it, makes it larger, finds that there is no room for even more, and starts it. */
async function resize(run: Run, id: BatchId, vmId: VmId): Promise<void> {
  const { user } = run.factory;
  const off = { running: VMS - 1, stopped: 1 };
  await user.wish(vmId, 'stop');
  await run.reach(id, off);
  for (const [wished, reason] of [
    [LARGER, 'STOPPED_BY_USER'],
    [TOO_LARGE, 'NO_CAPACITY'],
  ] as const) {
    const vm = await user.resize(vmId, wished);
    run.require('resizing', vm.reason === reason ? [] : [`it is ${vm.reason}: ${vm.message}`]);
    await run.reach(id, off);
    expectSize(run, vmId);
  }
  await user.wish(vmId, 'start');
  await run.reach(id, { running: VMS });
  expectSize(run, vmId);
}

/** What its host has of it is {@link LARGER}, and so is what its task takes. */
function expectSize(run: Run, vmId: VmId): void {
  const plans = run.factory.hosts.flatMap(({ machine }) => machine.domains.get(vmId)?.plan ?? []);
  const sizes = plans.map(({ vcpus, memoryMiB }) => ({ vcpus, memoryMiB }));
  const isRight = JSON.stringify(sizes) === JSON.stringify([LARGER]);
  run.require('resizing', isRight ? [] : [`${vmId} is ${JSON.stringify(sizes)}`]);
}

async function operate(run: Run, ...asked: Parameters<User['operate']>): Promise<void> {
  const { state, message } = await run.factory.user.operate(...asked);
  run.require(asked[1], state === 'succeeded' ? [] : [`the operation ${state}: ${message}`]);
}

async function makeImage(run: Run, vmId: VmId): Promise<void> {
  await operate(run, vmId, 'makeImage', { name: 'made' });
  const { hosts } = run.factory;
  const images = hosts.flatMap(({ machine }) => [...machine.published.keys()]);
  const copies = hosts.flatMap(({ machine }) => {
    const { drafts, liveCopies } = machine.folders.get(vmId) ?? {};
    return [...(drafts?.keys() ?? []), ...(liveCopies?.keys() ?? [])];
  });
  const frozen = hosts.filter(({ machine }) => machine.guests.get(vmId)?.isFrozen === true);
  run.require('making an image', [
    ...(images.length === 1 ? [] : [`there are ${images.length} images`]),
    ...copies.map((operationId) => `the copy of ${operationId} is left`),
    ...frozen.map(({ hostName }) => `the guest on ${hostName} is frozen`),
  ]);
}

/** Brings an image to all hosts that machines are on. */
async function stage({ clock, factory }: Run): Promise<void> {
  await factory.user.stage(TOOLS.name);
  const hosts = factory.hosts.filter(({ machine }) => machine.domains.size > 0);
  await waitFor(clock, 'the image on all hosts', STAGE_TIMEOUT_MS, () =>
    hosts.every(({ images }) => images.has(TOOLS.version)) ? true : undefined,
  );
}

function bootsOf({ factory }: Run, vmId: VmId): number {
  return factory.hosts.reduce((sum, host) => sum + host.bootsOf(vmId), 0);
}

/** Ends the scheduler whenever it comes by the point, so many times. */
function killingAt([step, when, during]: Point, times: number) {
  let left = times;
  let run: Run | undefined;
  let act: Act | undefined;
  let killedAtMs = Number.NEGATIVE_INFINITY;
  const faults: SchedulerFaults = {
    async at(...where) {
      const nowMs = run?.clock.monotonicMs() ?? 0;
      const isDead = nowMs < killedAtMs + DOWN_MS;
      const isHere = where[0] === step && where[1] === when && (during ?? act) === act;
      if (!isDead && (left === 0 || !isHere)) return;
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
  const onAct = (given: Act | undefined): void => {
    act = given;
  };
  return { faults, onRun, onAct, killed: () => times - left };
}

/** Before and after each step. */
export const POINTS: readonly (readonly [SchedulerStep, 'before' | 'after'])[] =
  SCHEDULER_STEPS.flatMap((step) => [[step, 'before'] as const, [step, 'after'] as const]);

/** Before and after each step that is taken in an act, in that act. */
export async function pointsDuringActs(): Promise<readonly Point[]> {
  const taken = new Map<Act, Set<SchedulerStep>>(ACTS.map((act) => [act, new Set()]));
  let act: Act | undefined;
  const note: SchedulerFaults = {
    at: async (step) => {
      if (act !== undefined) taken.get(act)?.add(step);
    },
  };
  await liveAndDie(
    'accept',
    note,
    () => undefined,
    (given) => {
      act = given;
    },
  );
  return [...taken].flatMap(([during, steps]) =>
    [...steps].flatMap((step) => [
      [step, 'before', during] as const,
      [step, 'after', during] as const,
    ]),
  );
}

/** Ends the scheduler at the point, so many times in a row; gives how often it came by. */
export async function dieAt(point: Point, times: number): Promise<number> {
  const { faults, onRun, onAct, killed } = killingAt(point, times);
  await liveAndDie(point[0], faults, onRun, onAct);
  return killed();
}
