import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const { spec } = testTask(1);
const images = ['micro', 'debian-12'].map((name) => ({
  name,
  virtualSizeBytes: 1 << 20,
  readyMarker: undefined,
}));
const ofDebian = { ...spec, image: { name: 'debian-12', generation: 2 } };

async function running(): Promise<TestHost> {
  const test = new TestHost({ images });
  await test.start();
  test.launch(testTask(1));
  await test.run(10_000);
  return test;
}

function wish(test: TestHost, wished: typeof spec, desired: 'running' | 'stopped' = 'running') {
  test.link.say({ type: 'setDesired', changes: [{ vmId, generation: 2, desired, spec: wished }] });
}

const latest = ({ link }: TestHost) => link.latest(vmId);
const folder = ({ host }: TestHost) => host.folders.get(vmId);

describe('a machine that is rebuilt', () => {
  it('has a disk of the other image, keeps what it is known by, and runs again', async () => {
    const test = await running();
    const address = test.host.leases.get(vmId);
    wish(test, ofDebian);
    await test.run(30_000);
    expect(latest(test)).toMatchObject({
      state: 'running',
      generation: 2,
      applied: { image: { name: 'debian-12', generation: 2 } },
    });
    expect(folder(test)).toMatchObject({ disk: { image: 'debian-12' }, hasDisk: true });
    expect(folder(test)?.newDisk).toBeUndefined();
    expect(test.host.leases.get(vmId)).toEqual(address);
    expect(test.host.domains.get(vmId)).toMatchObject({ on: true, life: 2 });
    expect(test.link.states(vmId)).toContain('rebuilding');
  });

  it('stays off if it was off', async () => {
    const test = await running();
    test.wish(vmId, 2, 'stopped');
    await test.run(5_000);
    const change = { vmId, generation: 3, desired: 'stopped' as const, spec: ofDebian };
    test.link.say({ type: 'setDesired', changes: [change] });
    await test.run(10_000);
    expect(latest(test)).toMatchObject({ state: 'stopped', generation: 3 });
    expect(folder(test)?.disk?.image).toBe('debian-12');
  });

  it('is made anew of the same image too', async () => {
    const test = await running();
    wish(test, { ...spec, image: { name: 'micro', generation: 2 } });
    await test.run(30_000);
    expect(latest(test)).toMatchObject({ state: 'running', generation: 2 });
    expect(test.host.domains.get(vmId)?.life).toBe(2);
  });

  it('runs on, untouched, when the image is not to be had', async () => {
    const test = await running();
    wish(test, { ...spec, image: { name: 'nothing', generation: 2 } });
    await test.run(30_000);
    expect(latest(test)).toMatchObject({
      state: 'running',
      generation: 2,
      reason: 'IMAGE_MISSING',
      applied: { image: { name: 'micro' } },
    });
    expect(folder(test)).toMatchObject({ disk: { image: 'micro' } });
    expect(test.host.domains.get(vmId)).toMatchObject({ on: true, life: 1 });
    expect(test.executor.records()[0]).toMatchObject({ hasNewDisk: false, wishedSpec: null });
  });

  it('keeps its disk when another image is only named, and nobody asked for it', async () => {
    const test = await running();
    wish(test, { ...spec, image: { name: 'debian-12' } });
    await test.run(10_000);
    expect(latest(test)).toMatchObject({ state: 'running', generation: 2 });
    expect(folder(test)?.disk?.image).toBe('micro');
    expect(test.host.domains.get(vmId)?.life).toBe(1);
  });
});
