import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from '../testing.ts';

const vmId = testVmId(1);
const MINUTE_MS = 60_000;

async function runningVm(options: { readonly guestAgents?: boolean } = {}): Promise<TestHost> {
  const test = new TestHost(options);
  await test.start();
  test.launch(testTask(1));
  await test.run(10_000);
  return test;
}

const told = (test: TestHost) => test.link.latest(vmId)?.guest;
/** Messages that speak of the machine by itself, and not of all that there is. */
const newsOf = (test: TestHost): number =>
  test.link.messages.filter(({ full, vms }) => !full && vms.length > 0).length;

describe('what a guest says of itself', () => {
  it('is told when it is known, and again only when it is another', async () => {
    const test = await runningVm();
    await test.run(MINUTE_MS);
    expect(told(test)).toMatchObject({ hostName: 'simulated', os: { id: 'micro' } });
    const before = newsOf(test);
    await test.run(10 * MINUTE_MS);
    expect(newsOf(test)).toBe(before);
    const guest = test.host.guests.get(vmId);
    if (guest !== undefined) guest.hostName = 'renamed';
    await test.run(2 * MINUTE_MS);
    expect(told(test)).toMatchObject({ hostName: 'renamed' });
    expect(newsOf(test)).toBe(before + 1);
  });

  it('is known again after the end of the executor, and not told anew', async () => {
    const test = await runningVm();
    await test.run(MINUTE_MS);
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(5_000);
    expect(told(test)).toMatchObject({ hostName: 'simulated' });
  });

  it('is forgotten when it is off', async () => {
    const test = await runningVm();
    await test.run(MINUTE_MS);
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    expect(told(test)).toBeUndefined();
  });

  it('is nothing where no agent answers, which costs a call every two minutes', async () => {
    const test = await runningVm({ guestAgents: false });
    await test.run(30 * MINUTE_MS);
    expect(told(test)).toBeUndefined();
    expect(test.link.latest(vmId)?.guestReady).toBe(true);
  });
});
