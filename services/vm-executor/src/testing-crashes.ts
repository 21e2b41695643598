import type { DesiredState, VolumeId, VolumeMount } from '@factory/contracts';
import { expect } from 'vitest';
import { TEST_VOLUME, type TestHost, testTask, testVmId } from './testing.ts';
import { HOT_PLUG, KEEP_PLUGGED } from './vm/hot-plug.ts';
import type { Procedure } from './vm/procedure.ts';
import { CREATE, DELETE, POWER_OFF, POWER_ON, type VmSteps } from './vm/procedures.ts';
import { DROP_NEW_DISK, REBUILD } from './vm/rebuild.ts';
import { RESIZE } from './vm/resize.ts';
import { FORGET_MEMORY, RESUME, SUSPEND } from './vm/suspend.ts';

const vmId = testVmId(1);

/** The only external address of the host, which its VM is to have: a second would not be there. */
const EXTERNAL = '192.0.2.16';
export const CRASH_HOST_ATTRIBUTES = [
  { name: 'external_addresses', type: 'text', text: EXTERNAL },
] as const;

/** The VM that has the external address. */
export function crashTask(number: number, changes: Parameters<typeof testTask>[1] = {}) {
  const { spec: plain } = testTask(number);
  return testTask(number, { spec: { ...plain, externalAddress: true }, ...changes });
}

/** A VM on its way through a procedure that an executor's death may cut off at any step. */
export interface Scenario {
  readonly procedure: Procedure<VmSteps>;
  /** What the scheduler wishes while the procedure is under way, again with each launch. */
  readonly wish: Parameters<typeof crashTask>[1];
  /** Brings the host to where the procedure begins. */
  readonly before: (test: TestHost) => Promise<void>;
  /** Begins it. */
  readonly begin: (test: TestHost) => void;
  readonly end: (test: TestHost) => void;
  /** Where it may end otherwise when its host lost its power as well. */
  readonly endWithoutPower?: (test: TestHost) => void;
}

export const made = async (test: TestHost): Promise<void> => {
  test.launch(crashTask(1));
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

const { spec } = crashTask(1);
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
  test.launch(crashTask(1, { spec: withVolume }));
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

export const WISHES: readonly Scenario[] = [
  {
    procedure: RESIZE,
    wish: { generation: 3, desired: 'stopped', spec: bigger },
    before: stopped,
    begin: (test) =>
      void test.launch(crashTask(1, { generation: 3, desired: 'stopped', spec: bigger }), 2),
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
    begin: (test) => void test.launch(crashTask(1)),
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

/** Its VM is in this state, with all that it has on its host and nothing else. */
export function expectWhole(
  test: TestHost,
  state: 'running' | 'stopped',
  generation: number,
): void {
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

/** Of the VM that was deleted. */
export function expectNothingLeft({ host, link }: TestHost): void {
  expect(link.latest(vmId)?.state).toBe('deleted');
  expect(host.domains.size + host.folders.size + host.leases.size + host.consoles.size).toBe(0);
  expect(host.sharedStorage.leases).toEqual([]);
  const { network } = host;
  expect([...network.cards(), ...network.subnetIds(), ...network.externals()]).toEqual([]);
}
