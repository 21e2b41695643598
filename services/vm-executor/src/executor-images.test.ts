import type { OperationRequest } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import type { SimulatedHostOptions } from './hypervisor/simulated-host.ts';
import { TestHost, testOperationId, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);

async function runningVm(options: Partial<SimulatedHostOptions> = {}) {
  const test = new TestHost(options);
  await test.start();
  test.launch(testTask(1));
  await test.run(10_000);
  write(test, 'first');
  return test;
}

/** What the guest writes to its disk. */
function write(test: TestHost, content: string): void {
  const folder = test.host.folders.get(vmId);
  if (folder !== undefined) folder.content = content;
}

const disk = (test: TestHost) => test.host.folders.get(vmId)?.content;

/** Asks for operation `number`, and gives its result if it comes in time. */
async function ask(test: TestHost, number: number, request: object, forMs = 10_000) {
  const operationId = testOperationId(number);
  const operation = { operationId, vmId, ...request } as OperationRequest;
  test.link.say({ type: 'operate', operations: [operation] });
  await test.run(forMs);
  return test.link.result(operationId);
}

const named = (kind: 'snapshot' | 'revert' | 'deleteSnapshot' | 'makeImage', name: string) => ({
  kind,
  params: { name },
});

describe('snapshots', () => {
  it('keep the disk of a running guest, frozen for a moment, and are listed', async () => {
    const test = await runningVm();
    expect(await ask(test, 1, named('snapshot', 'before'))).toMatchObject({
      outcome: 'succeeded',
      data: { kind: 'snapshot', isQuiesced: true },
    });
    expect(test.host.guests.get(vmId)?.isFrozen).toBe(false);
    expect(test.link.states(vmId).at(-1)).toBe('running');
    const listed = await ask(test, 2, { kind: 'listSnapshots' });
    expect(listed?.data).toMatchObject({ snapshots: [{ name: 'before' }] });
  });

  it('are as after a power failure where no agent answers, and say so', async () => {
    const test = await runningVm({ guestAgents: false });
    expect(await ask(test, 1, named('snapshot', 'before'))).toMatchObject({
      outcome: 'succeeded',
      data: { isQuiesced: false },
    });
  });

  it('have names of their own', async () => {
    const test = await runningVm();
    await ask(test, 1, named('snapshot', 'before'));
    expect(await ask(test, 2, named('snapshot', 'before'))).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('choose another name'),
    });
    expect(test.host.folders.get(vmId)?.snapshots?.size).toBe(1);
  });

  it('take a running machine back, and on again', async () => {
    const test = await runningVm();
    await ask(test, 1, named('snapshot', 'before'));
    write(test, 'second');
    expect(await ask(test, 2, named('revert', 'before'))).toMatchObject({ outcome: 'succeeded' });
    expect(disk(test)).toBe('first');
    expect(test.host.runningVms()).toEqual([vmId]);
    expect(test.link.states(vmId).slice(-2)).toEqual(['reverting', 'running']);
    await test.run(10_000);
    expect(test.link.latest(vmId)?.guestReady).toBe(true);
  });

  it('take a stopped machine back, which stays off', async () => {
    const test = await runningVm();
    await ask(test, 1, named('snapshot', 'before'));
    write(test, 'second');
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    expect(await ask(test, 2, named('revert', 'before'))).toMatchObject({ outcome: 'succeeded' });
    expect(disk(test)).toBe('first');
    expect(test.link.latest(vmId)).toMatchObject({ state: 'stopped' });
    expect(await ask(test, 3, named('deleteSnapshot', 'before'))).toMatchObject({
      outcome: 'succeeded',
    });
    expect(test.host.folders.get(vmId)?.snapshots?.size).toBe(0);
  });

  it('leave a machine as it is that has no such one', async () => {
    const test = await runningVm();
    expect(await ask(test, 1, named('revert', 'never'))).toMatchObject({
      outcome: 'failed',
      message: 'The machine has no snapshot never.',
    });
    expect(test.link.states(vmId)).not.toContain('reverting');
    expect(test.host.domains.get(vmId)?.life).toBe(1);
  });
});

describe('images of machines', () => {
  const image = (test: TestHost) => [...test.host.published.values()];

  it('are made while the guest runs, of the moment at which it was asked for', async () => {
    const test = await runningVm();
    const asked = ask(test, 1, named('makeImage', 'web'), 200);
    await asked;
    write(test, 'second');
    expect(test.host.guests.get(vmId)?.isFrozen).toBe(false);
    await test.run(10_000);
    const result = test.link.result(testOperationId(1));
    expect(result).toMatchObject({
      outcome: 'succeeded',
      data: { kind: 'makeImage', name: 'web', isQuiesced: true, sizeBytes: 'first'.length },
    });
    expect(image(test)).toMatchObject([{ name: 'web' }]);
    expect(test.host.folders.get(vmId)?.drafts?.size).toBe(0);
    const progress = test.link.messages.flatMap((message) => message.progress ?? []);
    expect(progress.map(({ stage }) => stage)).toContain('publishing');
    expect(test.host.runningVms()).toEqual([vmId]);
  });

  it('are made of machines that are off', async () => {
    const test = await runningVm();
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    const result = await ask(test, 1, named('makeImage', 'web'));
    expect(result).toMatchObject({ outcome: 'succeeded', data: { isQuiesced: true } });
    expect(test.link.latest(vmId)?.state).toBe('stopped');
  });

  it('machines are made from', async () => {
    const test = await runningVm();
    await ask(test, 1, named('makeImage', 'web'));
    const task = testTask(2);
    test.launch({ ...task, spec: { ...task.spec, image: { name: 'web' } } });
    await test.run(10_000);
    expect(test.link.latest(testVmId(2))?.state).toBe('running');
  });

  it('go on as of a machine that is off when the guest goes off meanwhile', async () => {
    const test = await runningVm();
    await ask(test, 1, named('makeImage', 'web'), 200);
    test.host.endGuest(vmId, 'guestShutdown');
    await test.run(20_000);
    expect(test.link.result(testOperationId(1))).toMatchObject({ outcome: 'succeeded' });
    expect(test.link.latest(vmId)?.state).toBe('stopped');
  });

  it.each([
    ['a wish to stop', 'stopped'],
    ['a wish to delete', 'deleted'],
  ] as const)('give way to %s, and leave nothing', async (_what, desired) => {
    const test = await runningVm();
    await ask(test, 1, named('makeImage', 'web'), 200);
    test.wish(vmId, 2, desired);
    await test.run(20_000);
    expect(test.link.latest(vmId)?.state).toBe(desired);
    expect(test.link.result(testOperationId(1))).toMatchObject({ outcome: 'failed' });
    expect(image(test)).toEqual([]);
    expect(test.host.partialImages.size).toBe(0);
    expect(test.host.folders.get(vmId)?.drafts?.size ?? 0).toBe(0);
  });

  it('wait for the storage, and fail at their deadline with its reason, leaving nothing', async () => {
    const test = await runningVm();
    const deadlineAtMs = test.clock.nowMs() + 30_000;
    await ask(test, 1, { ...named('makeImage', 'web'), deadlineAtMs }, 1_500);
    test.host.setStorageTrouble('STORAGE_UNAVAILABLE');
    await test.run(60_000);
    test.host.setStorageTrouble(undefined);
    await test.run(60_000);
    expect(test.link.result(testOperationId(1))).toMatchObject({
      outcome: 'failed',
      reason: expect.stringMatching(/STORAGE_UNAVAILABLE|DEADLINE_EXCEEDED/),
    });
    expect(test.host.partialImages.size).toBe(0);
    expect(test.host.folders.get(vmId)?.drafts?.size ?? 0).toBe(0);
  });
});
