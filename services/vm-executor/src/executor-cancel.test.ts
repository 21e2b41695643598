import type { OperationRequest } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { MAKE_IMAGE } from './operations/make-image.ts';
import { TestHost, testOperationId, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const target = testOperationId(1);
const cancelling = testOperationId(2);

const SLOW = { callMs: 20, diskCopyMs: 2_000 };
const runningVm = (options: { readonly guestAgents?: boolean } = {}): Promise<TestHost> =>
  TestHost.withRunningVm({}, { latency: SLOW, ...options });

function ask(test: TestHost, operationId: string, request: object): void {
  const operation = { operationId, vmId, ...request } as OperationRequest;
  test.link.say({ type: 'operate', operations: [operation] });
}
const makeImage = (test: TestHost): void =>
  ask(test, target, { kind: 'makeImage', params: { name: 'web' } });
const cancel = (test: TestHost): void =>
  ask(test, cancelling, { kind: 'cancel', params: { operationId: target } });

/** Nothing of an image that was not made is left, and the guest goes on. */
function expectNothingMade(test: TestHost): void {
  const { drafts, liveCopies } = test.host.folders.get(vmId) ?? {};
  expect([drafts?.size ?? 0, liveCopies?.size ?? 0]).toEqual([0, 0]);
  expect([test.host.published.size, test.host.partialImages.size]).toEqual([0, 0]);
  expect(test.host.guests.get(vmId)?.isFrozen ?? false, 'frozen').toBe(false);
  expect(test.link.latest(vmId)?.state).toBe('running');
}

describe('an operation that is cancelled', () => {
  it('ends, and what was made for it is taken back', async () => {
    const test = await runningVm();
    makeImage(test);
    await test.run(500);
    cancel(test);
    await test.run(10_000);
    expect(test.link.result(cancelling)).toMatchObject({ outcome: 'succeeded' });
    expect(test.link.result(target)).toMatchObject({ outcome: 'failed', reason: 'CANCELLED' });
    expectNothingMade(test);
    makeImage(test);
    await test.run(10_000);
    expect(test.host.published.size, 'it is not begun anew').toBe(0);
  });

  it('is not begun when it comes after its end was asked for', async () => {
    const test = await runningVm();
    cancel(test);
    await test.run(1_000);
    makeImage(test);
    await test.run(10_000);
    expect(test.link.result(target)).toMatchObject({ outcome: 'failed', reason: 'CANCELLED' });
    expectNothingMade(test);
  });

  it('is not begun when it waits for another', async () => {
    const test = await runningVm();
    ask(test, testOperationId(3), { kind: 'makeImage', params: { name: 'other' } });
    await test.run(500);
    ask(test, target, { kind: 'snapshot', params: { name: 'web' } });
    cancel(test);
    await test.run(20_000);
    expect(test.link.result(target)).toMatchObject({ outcome: 'failed', reason: 'CANCELLED' });
    expect(test.link.result(testOperationId(3))).toMatchObject({ outcome: 'succeeded' });
    expect(test.host.folders.get(vmId)?.snapshots?.size ?? 0).toBe(0);
  });

  it('goes on when it can not be taken back any more', async () => {
    const test = await runningVm();
    makeImage(test);
    await test.run(20_000);
    cancel(test);
    await test.run(5_000);
    expect(test.link.result(target)).toMatchObject({ outcome: 'succeeded' });
    expect(test.link.result(cancelling)).toMatchObject({
      ...{ outcome: 'failed', message: 'It had succeeded already.' },
    });
    expect(test.host.published.size).toBe(1);
  });
});

const points = MAKE_IMAGE.steps.flatMap(({ name }) =>
  (['before', 'after'] as const).map((when) => `makeImage/${name}/${when}`),
);

describe('a cancelled image of which the executor dies', () => {
  it.each(points)('at %s is either made or taken back, and never in between', async (point) => {
    const test = await runningVm();
    let hasDied = false;
    test.faults = {
      async at(procedure, step, when) {
        if (hasDied || `${procedure}/${step}/${when}` !== point) return;
        hasDied = true;
        cancel(test);
        test.gate.shut();
        await new Promise(() => undefined);
      },
    };
    makeImage(test);
    await test.run(20_000);
    await test.killExecutor();
    expect(hasDied, 'the point was reached').toBe(true);
    test.launch(testTask(1), 3);
    await test.run(1_000);
    // The scheduler repeats what has no result yet.
    makeImage(test);
    cancel(test);
    await test.run(60_000);
    const made = test.link.result(target);
    const answer = test.link.result(cancelling);
    if (answer?.outcome === 'succeeded') {
      expect(made).toMatchObject({ outcome: 'failed', reason: 'CANCELLED' });
      expectNothingMade(test);
    } else {
      expect([made?.outcome, answer?.outcome]).toEqual(['succeeded', 'failed']);
      expect(test.host.published.size).toBe(1);
    }
  });
});
