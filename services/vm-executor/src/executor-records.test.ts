import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const domainOf = (test: TestHost) => test.host.domains.get(vmId);
const folderOf = (test: TestHost) => test.host.folders.get(vmId);

/** A host with a machine of which `spoil` is done to the record, in front of a new executor. */
async function withSpoiltRecord(text: string | undefined, isOn: boolean) {
  const images = [{ name: 'micro', virtualSizeBytes: 1, readyMarker: undefined }];
  const test = new TestHost({ images });
  await test.start();
  test.launch(testTask(1));
  await test.run(10_000);
  if (!isOn) test.host.endGuest(vmId, 'guestShutdown');
  await test.run(100);
  const folder = folderOf(test);
  if (folder !== undefined) folder.record = text;
  // What would fail a making, and with it remove what is there.
  images.length = 0;
  await test.restartExecutor();
  return test;
}

const SPOILT = [
  ['lost', undefined],
  ['not JSON', '{"version":1,'],
  ['empty', ''],
  ['of a later version', '{"version":99}'],
] as const;

describe('a machine whose record can not be read', () => {
  it.each(SPOILT)('keeps its disk, and says what is wrong (%s)', async (_, text) => {
    const test = await withSpoiltRecord(text, false);
    const taskId = test.launch(testTask(1), 2);
    await test.run(60_000);
    expect(folderOf(test)?.hasDisk).toBe(true);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING']);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'RECORD_UNREADABLE',
      generation: 1,
    });
    expect(domainOf(test)?.on).toBe(false);
  });

  it.each(SPOILT)('goes on with its disk when its user starts it (%s)', async (_, text) => {
    const test = await withSpoiltRecord(text, false);
    test.launch(testTask(1), 2);
    await test.run(1_000);
    test.wish(vmId, 2, 'running');
    await test.run(10_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', generation: 2 });
  });

  it('stays what it was for the next executor', async () => {
    const test = await withSpoiltRecord('', false);
    test.launch(testTask(1), 2);
    await test.run(1_000);
    await test.restartExecutor();
    test.launch(testTask(1), 3);
    await test.run(10_000);
    expect(folderOf(test)?.hasDisk).toBe(true);
    expect(test.link.latest(vmId)).toMatchObject({ reason: 'RECORD_UNREADABLE' });
  });

  it.each(SPOILT)('runs on when its guest runs (%s)', async (_, text) => {
    const test = await withSpoiltRecord(text, true);
    test.launch(testTask(1), 2);
    await test.run(10_000);
    expect(domainOf(test)?.life).toBe(1);
    expect(test.link.latest(vmId)?.state).toBe('running');
  });

  it('is removed when its user says so', async () => {
    const test = await withSpoiltRecord('', false);
    test.launch(testTask(1, { desired: 'deleted', generation: 2 }), 2);
    await test.run(10_000);
    expect(test.link.latest(vmId)?.state).toBe('deleted');
    expect(test.host.folders.size).toBe(0);
  });
});

describe('a power failure', () => {
  it('right after a machine was said to run does not make it one that was never made', async () => {
    const images = [{ name: 'micro', virtualSizeBytes: 1, readyMarker: undefined }];
    const test = new TestHost({ images });
    await test.start();
    test.launch(testTask(1));
    while (test.link.latest(vmId)?.state !== 'running') await test.run(10);
    test.host.restart();
    images.length = 0;
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(60_000);
    expect(folderOf(test)?.hasDisk).toBe(true);
    expect(test.link.latest(vmId)?.state).toBe('running');
  });
});
