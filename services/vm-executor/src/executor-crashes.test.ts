import type { OperationRequest } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { OPERATION_PROCEDURES } from './operations/handling.ts';
import { MAKE_IMAGE, MAKE_IMAGE_UNDONE } from './operations/make-image.ts';
import { RESET } from './operations/reset.ts';
import {
  DELETE_SNAPSHOT,
  REVERT,
  REVERT_OFF,
  SNAPSHOT,
  SNAPSHOT_UNDONE,
} from './operations/snapshots.ts';
import { TestHost, testOperationId, testVmId } from './testing.ts';
import {
  CRASH_HOST_ATTRIBUTES,
  crashTask,
  expectNothingLeft,
  expectWhole,
  made,
  type Scenario,
  WISHES,
} from './testing-crashes.ts';
import type { FaultPoints } from './vm/procedure.ts';
import { CREATE, DELETE, PROCEDURES } from './vm/procedures.ts';

const vmId = testVmId(1);
const operationId = testOperationId(1);

/** Asked for, and again by the scheduler until its result comes. */
function asks(test: TestHost, request: object): void {
  const operation = { operationId, vmId, ...request } as OperationRequest;
  test.link.say({ type: 'operate', operations: [operation] });
}

const write = (test: TestHost, content: string): void => {
  const folder = test.host.folders.get(vmId);
  if (folder !== undefined) folder.content = content;
};

/** A running machine with a snapshot `s` of "old". */
const withSnapshot = async (test: TestHost): Promise<void> => {
  await made(test);
  write(test, 'old');
  test.host.snapshotDisk(vmId, `s.${testOperationId(9)}`);
  write(test, 'new');
};

const stoppedWithSnapshot = async (test: TestHost): Promise<void> => {
  await withSnapshot(test);
  test.wish(vmId, 2, 'stopped');
  await test.run(10_000);
};

function expectSnapshots(test: TestHost, count: number): void {
  expectWhole(test, 'running', 1);
  expect(test.host.folders.get(vmId)?.snapshots?.size ?? 0).toBe(count);
  expect(test.host.guests.get(vmId)?.isFrozen ?? false, 'frozen').toBe(false);
  expect(test.link.result(operationId)).toBeDefined();
}

function expectNoDrafts({ host }: TestHost): void {
  const { drafts, liveCopies } = host.folders.get(vmId) ?? {};
  expect((drafts?.size ?? 0) + (liveCopies?.size ?? 0) + host.partialImages.size).toBe(0);
  expect(host.guests.get(vmId)?.isFrozen ?? false, 'frozen').toBe(false);
}

const snapshot = { kind: 'snapshot', params: { name: 's' } };
const revert = { kind: 'revert', params: { name: 's' } };
const makeImage = { kind: 'makeImage', params: { name: 'web' } };

/** Fails at its deadline, as there is no room, and takes back what it made. */
function beginFailing(test: TestHost, request: object, afterMs: number): void {
  const { clock, host } = test;
  asks(test, { ...request, deadlineAtMs: clock.nowMs() + 4_000 });
  clock.after(afterMs, () => host.setStorageTrouble('DISK_FULL'));
  clock.after(6_000, () => host.setStorageTrouble(undefined));
}

/** A machine, as it was launched, of which an operation is asked. */
function asking(
  procedure: Scenario['procedure'],
  request: object,
  before: Scenario['before'] = made,
): Omit<Scenario, 'end'> {
  const begin = (test: TestHost): void => asks(test, request);
  return { procedure, wish: { generation: 1 }, before, begin };
}

const OPERATIONS: readonly Scenario[] = [
  {
    ...asking(RESET, { kind: 'reset' }),
    end(test) {
      expectWhole(test, 'running', 1);
      expect(test.host.domains.get(vmId)?.resets ?? 0, 'never twice').toBeLessThanOrEqual(1);
      expect(test.link.result(operationId)).toBeDefined();
    },
  },
  {
    ...asking(SNAPSHOT, snapshot),
    end: (test) => expectSnapshots(test, 1),
  },
  {
    ...asking(SNAPSHOT_UNDONE, snapshot),
    begin: (test) => beginFailing(test, snapshot, 5),
    end: (test) => expectSnapshots(test, 0),
  },
  {
    ...asking(DELETE_SNAPSHOT, { kind: 'deleteSnapshot', params: { name: 's' } }, withSnapshot),
    end: (test) => expectSnapshots(test, 0),
  },
  {
    ...asking(REVERT, revert, withSnapshot),
    end(test) {
      expectSnapshots(test, 1);
      expect(test.host.folders.get(vmId)?.content).toBe('old');
    },
  },
  {
    ...asking(REVERT_OFF, revert, stoppedWithSnapshot),
    wish: { generation: 2, desired: 'stopped' },
    end(test) {
      expectWhole(test, 'stopped', 2);
      expect(test.host.folders.get(vmId)?.content).toBe('old');
    },
  },
  {
    ...asking(MAKE_IMAGE, makeImage),
    end(test) {
      expectWhole(test, 'running', 1);
      expectNoDrafts(test);
      expect(test.host.published.size).toBe(1);
      expect(test.link.result(operationId)).toMatchObject({ outcome: 'succeeded' });
    },
  },
  {
    ...asking(MAKE_IMAGE_UNDONE, makeImage),
    begin: (test) => beginFailing(test, makeImage, 200),
    end(test) {
      expectWhole(test, 'running', 1);
      expectNoDrafts(test);
      expect(test.link.result(operationId)).toMatchObject({ outcome: 'failed' });
    },
  },
];

/** Ends the executor at a point, as SIGKILL would, each time that it comes by, so many times. */
function killsAt(
  test: TestHost,
  point: string,
  times: number,
): { readonly faults: FaultPoints; readonly left: () => number } {
  let left = times;
  return {
    left: () => left,
    faults: {
      async at(procedure, step, when) {
        if (left === 0 || `${procedure}/${step}/${when}` !== point) return;
        left -= 1;
        test.gate.shut();
        await new Promise(() => undefined);
      },
    },
  };
}

/** A host on which an executor has died at the point, once; it is to die there `times`. */
async function cutOff(scenario: Scenario, point: string, times = 1): Promise<TestHost> {
  const test = new TestHost({ attributes: CRASH_HOST_ATTRIBUTES });
  await test.start();
  await scenario.before(test);
  const { faults, left } = killsAt(test, point, times);
  test.faults = faults;
  scenario.begin(test);
  await test.run(30_000);
  expect(left(), 'the point was reached').toBe(times - 1);
  return test;
}

/** Another executor is given the machine, and asked again for what has no result yet. */
async function goOn(test: TestHost, scenario: Scenario, attempt: number): Promise<void> {
  await test.killExecutor();
  test.launch(crashTask(1, scenario.wish), attempt);
  await test.run(1_000);
  if (OPERATIONS.includes(scenario)) scenario.begin(test);
  await test.run(60_000);
}

const points = [...WISHES, ...OPERATIONS].flatMap((scenario) =>
  scenario.procedure.steps.flatMap(({ name }) =>
    (['before', 'after'] as const).map(
      (when) => [`${scenario.procedure.name}/${name}/${when}`, scenario] as const,
    ),
  ),
);

describe('an executor that dies', () => {
  it('is tried at every step of every procedure', () => {
    expect(new Set(WISHES.map(({ procedure }) => procedure))).toEqual(new Set(PROCEDURES));
    expect(new Set(OPERATIONS.map(({ procedure }) => procedure))).toEqual(
      new Set(OPERATION_PROCEDURES),
    );
  });

  it.each(points)(
    'at %s, once or twice in a row, leaves work that the next one ends',
    async (point, scenario) => {
      for (const times of [1, 2]) {
        const test = await cutOff(scenario, point, times);
        for (const attempt of [3, 4, 5]) await goOn(test, scenario, attempt);
        scenario.end(test);
        if (scenario.procedure === CREATE) {
          // However often it was begun, its guest was powered on once.
          expect(test.host.domains.get(vmId)?.life).toBe(1);
        }
      }
    },
  );

  it.each(points.filter(([, { procedure }]) => procedure !== DELETE))(
    'at %s leaves nothing behind when the machine is deleted then',
    async (point, scenario) => {
      const test = await cutOff(scenario, point);
      await test.killExecutor();
      test.launch(crashTask(1, { generation: 9, desired: 'deleted' }), 3);
      await test.run(30_000);
      expectNothingLeft(test);
    },
  );

  it.each(points)(
    'at %s of a host that then loses its power, loses no disk',
    async (point, scenario) => {
      const test = await cutOff(scenario, point);
      test.host.restart();
      await goOn(test, scenario, 3);
      (scenario.endWithoutPower ?? scenario.end)(test);
    },
  );
});
