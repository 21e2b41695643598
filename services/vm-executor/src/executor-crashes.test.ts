import type { DesiredState, OperationRequest, VolumeId, VolumeMount } from '@factory/contracts';
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
import {
  testTask as plainTask,
  TEST_VOLUME,
  TestHost,
  testOperationId,
  testVmId,
} from './testing.ts';
import { HOT_PLUG, KEEP_PLUGGED } from './vm/hot-plug.ts';
import type { FaultPoints, Procedure } from './vm/procedure.ts';
import { CREATE, DELETE, POWER_OFF, POWER_ON, PROCEDURES, type VmSteps } from './vm/procedures.ts';
import { DROP_NEW_DISK, REBUILD } from './vm/rebuild.ts';
import { RESIZE } from './vm/resize.ts';
import { FORGET_MEMORY, RESUME, SUSPEND } from './vm/suspend.ts';

const vmId = testVmId(1);

/** The only external address of the host, which its VM is to have: a second would not be there. */
const EXTERNAL = '192.0.2.16';
const attributes = [{ name: 'external_addresses', type: 'text', text: EXTERNAL }] as const;

function testTask(number: number, changes: Parameters<typeof plainTask>[1] = {}) {
  const { spec: plain } = plainTask(number);
  return plainTask(number, { spec: { ...plain, externalAddress: true }, ...changes });
}

/** A VM on its way through a procedure that an executor's death may cut off at any step. */
interface Scenario {
  readonly procedure: Procedure<VmSteps>;
  /** What the scheduler wishes while the procedure is under way, again with each launch. */
  readonly wish: Parameters<typeof testTask>[1];
  /** Brings the host to where the procedure begins. */
  readonly before: (test: TestHost) => Promise<void>;
  /** Begins it. */
  readonly begin: (test: TestHost) => void;
  readonly end: (test: TestHost) => void;
  /** Where it may end otherwise when its host lost its power as well. */
  readonly endWithoutPower?: (test: TestHost) => void;
}

const made = async (test: TestHost): Promise<void> => {
  test.launch(testTask(1));
  await test.run(10_000);
};

const suspended = async (test: TestHost): Promise<void> => {
  await made(test);
  test.wish(vmId, 2, 'suspended');
  await test.run(10_000);
};

const stopped = async (test: TestHost): Promise<void> => {
  await made(test);
  test.wish(vmId, 2, 'stopped');
  await test.run(10_000);
};

const { spec } = testTask(1);
const bigger = { ...spec, vcpus: 2, diskGiB: 2 };
const anew = { ...spec, image: { name: 'micro', generation: 3 } };
const unknown = { ...spec, image: { name: 'unknown', generation: 3 } };

const OTHER_VOLUME: VolumeMount = {
  ...TEST_VOLUME,
  volumeId: 'vol_0199000000007000a000000000000002' as VolumeId,
  tag: 'other',
};
const withVolume = { ...spec, volumes: [TEST_VOLUME] };
/** More than a guest can be given that was started without folders. */
const withFolder = {
  ...spec,
  volumes: [TEST_VOLUME, { ...OTHER_VOLUME, kind: 'directory' as const, tag: 'home' }],
};
const withOther = { ...spec, volumes: [OTHER_VOLUME] };

const madeWithVolume = async (test: TestHost): Promise<void> => {
  test.launch(testTask(1, { spec: withVolume }));
  await test.run(10_000);
};

/** A machine of which something else is wished. */
function wishing(
  procedure: Scenario['procedure'],
  before: Scenario['before'],
  wish: { readonly generation: number; readonly desired: DesiredState },
): Omit<Scenario, 'end'> {
  const begin = (test: TestHost): void => test.wish(vmId, wish.generation, wish.desired);
  return { procedure, wish, before, begin };
}

const SCENARIOS: readonly Scenario[] = [
  {
    procedure: RESIZE,
    wish: { generation: 3, desired: 'stopped', spec: bigger },
    before: stopped,
    begin: (test) =>
      void test.launch(testTask(1, { generation: 3, desired: 'stopped', spec: bigger }), 2),
    end(test) {
      expectWhole(test, 'stopped', 3);
      expect(test.link.latest(vmId)?.applied).toMatchObject({ vcpus: 2, diskGiB: 2 });
      expect(test.host.folders.get(vmId)?.disk?.sizeGiB).toBe(2);
      expect(test.host.domains.get(vmId)?.plan.vcpus).toBe(2);
    },
  },
  {
    procedure: REBUILD,
    wish: { generation: 3, spec: anew },
    before: made,
    begin: (test) => wishFor(test, anew),
    end(test) {
      expectWhole(test, 'running', 3);
      expect(test.link.latest(vmId)?.applied?.image.generation).toBe(3);
      expect(test.host.folders.get(vmId)?.newDisk).toBeUndefined();
      expect(test.executor.records()[0]?.hasNewDisk).toBe(false);
    },
  },
  {
    procedure: DROP_NEW_DISK,
    wish: { generation: 3, spec: unknown },
    before: made,
    begin: (test) => wishFor(test, unknown),
    end(test) {
      expectWhole(test, 'running', 3);
      expect(test.link.latest(vmId)?.applied?.image).toEqual({ name: 'micro' });
      expect(test.executor.records()[0]?.hasNewDisk).toBe(false);
    },
    // Its host's restart took the guest down, and a machine that failed is not started by itself.
    endWithoutPower: (test) => expect(test.executor.records()[0]?.hasNewDisk).toBe(false),
  },
  {
    procedure: HOT_PLUG,
    wish: { generation: 3, spec: withOther },
    before: madeWithVolume,
    begin: (test) => wishFor(test, withOther),
    end: (test) => expectVolume(test, OTHER_VOLUME),
  },
  {
    procedure: KEEP_PLUGGED,
    wish: { generation: 3, spec: withFolder },
    before: madeWithVolume,
    begin: (test) => wishFor(test, withFolder),
    end: (test) => expectVolume(test, TEST_VOLUME),
    // One that is off meanwhile is started with all of them.
    endWithoutPower(test) {
      expectWhole(test, 'running', 3);
      expect(test.host.domains.get(vmId)?.plugged).toMatchObject([
        { serial: 'data' },
        { tag: 'home' },
      ]);
    },
  },
  {
    ...wishing(SUSPEND, made, { generation: 2, desired: 'suspended' }),
    end: expectSuspended,
    endWithoutPower(test) {
      if (test.link.latest(vmId)?.state === 'suspended') expectSuspended(test);
      else expect(test.link.latest(vmId)).toMatchObject({ state: 'failed', reason: 'MEMORY_LOST' });
    },
  },
  {
    ...wishing(RESUME, suspended, { generation: 3, desired: 'running' }),
    end: (test) => expectWhole(test, 'running', 3),
  },
  {
    ...wishing(FORGET_MEMORY, suspended, { generation: 3, desired: 'stopped' }),
    end: (test) => expectWhole(test, 'stopped', 3),
  },
  {
    procedure: CREATE,
    wish: { generation: 1 },
    before: async () => undefined,
    begin: (test) => void test.launch(testTask(1)),
    end: (test) => expectWhole(test, 'running', 1),
  },
  {
    ...wishing(DELETE, made, { generation: 2, desired: 'deleted' }),
    end: expectNothingLeft,
  },
  {
    ...wishing(POWER_OFF, made, { generation: 2, desired: 'stopped' }),
    end: (test) => expectWhole(test, 'stopped', 2),
  },
  {
    ...wishing(POWER_ON, stopped, { generation: 3, desired: 'running' }),
    end: (test) => expectWhole(test, 'running', 3),
  },
];

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

function wishFor(test: TestHost, wished: typeof spec): void {
  const change = { vmId, generation: 3, desired: 'running' as const, spec: wished };
  test.link.say({ type: 'setDesired', changes: [change] });
}

/** Its guest has this volume and no other, and so do its record, its host's leases, and what is told. */
function expectVolume(test: TestHost, mount: VolumeMount): void {
  expectWhole(test, 'running', 3);
  const { domains, sharedStorage } = test.host;
  expect(domains.get(vmId)?.plugged).toMatchObject([{ serial: mount.tag }]);
  expect(sharedStorage.leases).toMatchObject([{ vmId, volumeId: mount.volumeId }]);
  expect(test.executor.records()[0]).toMatchObject({ wishedSpec: null, plugging: [] });
  expect(test.link.latest(vmId)?.applied?.volumes).toEqual([mount]);
}

function expectSuspended(test: TestHost): void {
  expect(test.link.latest(vmId)).toMatchObject({ state: 'suspended', generation: 2 });
  expect(test.host.domains.get(vmId)).toMatchObject({ on: false, isSaved: true, life: 1 });
}

function expectWhole(test: TestHost, state: 'running' | 'stopped', generation: number): void {
  const { host } = test;
  expect(test.link.latest(vmId)).toMatchObject({ state, generation });
  expect([...host.domains.keys()]).toEqual([vmId]);
  expect(host.runningVms()).toEqual(state === 'running' ? [vmId] : []);
  expect([...host.folders.keys()]).toEqual([vmId]);
  expect(host.folders.get(vmId)).toMatchObject({ hasDisk: true, hasSeed: true });
  expect([...host.leases.keys()]).toEqual([vmId]);
  // One that is off after its host's restart gets its card back when it is started.
  if (state === 'running') {
    expect(host.network.cards().map((nic) => nic.vmId)).toEqual([vmId]);
    expect(host.network.externals()).toEqual([EXTERNAL]);
  }
  expect(test.link.latest(vmId)?.externalAddress).toBe(EXTERNAL);
}

function expectNothingLeft({ host, link }: TestHost): void {
  expect(link.latest(vmId)?.state).toBe('deleted');
  expect(host.domains.size + host.folders.size + host.leases.size + host.consoles.size).toBe(0);
  expect(host.sharedStorage.leases).toEqual([]);
  const { network } = host;
  expect([...network.cards(), ...network.subnetIds(), ...network.externals()]).toEqual([]);
}

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
  const test = new TestHost({ attributes });
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
  test.launch(testTask(1, scenario.wish), attempt);
  await test.run(1_000);
  if (OPERATIONS.includes(scenario)) scenario.begin(test);
  await test.run(60_000);
}

const points = [...SCENARIOS, ...OPERATIONS].flatMap((scenario) =>
  scenario.procedure.steps.flatMap(({ name }) =>
    (['before', 'after'] as const).map(
      (when) => [`${scenario.procedure.name}/${name}/${when}`, scenario] as const,
    ),
  ),
);

describe('an executor that dies', () => {
  it('is tried at every step of every procedure', () => {
    expect(new Set(SCENARIOS.map(({ procedure }) => procedure))).toEqual(new Set(PROCEDURES));
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
      test.launch(testTask(1, { generation: 9, desired: 'deleted' }), 3);
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
