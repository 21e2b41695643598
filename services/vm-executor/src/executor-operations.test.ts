import type { OperationRequest } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import type { SimulatedHostOptions } from './hypervisor/simulated-host.ts';
import { TestHost, testOperationId, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const domainOf = (test: TestHost) => test.host.domains.get(vmId);

async function runningVm(options: Partial<SimulatedHostOptions> = {}) {
  const test = new TestHost({ latency: { callMs: 20 }, ...options });
  await test.start();
  test.launch(testTask(1));
  await test.run(10_000);
  expect(test.link.latest(vmId)).toMatchObject({ state: 'running', guestReady: true });
  return { test };
}

describe('operations', () => {
  const operationId = testOperationId(1);

  it('restarts a guest once, however often it is asked', async () => {
    const { test } = await runningVm();
    const operations = [{ operationId, vmId, kind: 'reboot' as const }];
    test.link.say({ type: 'operate', operations });
    test.link.say({ type: 'operate', operations });
    await test.run(10_000);
    test.link.say({ type: 'operate', operations });
    await test.run(10_000);
    expect(domainOf(test)?.life).toBe(2);
    expect(test.link.states(vmId)).toEqual([
      'preparing',
      'starting',
      'running',
      'rebooting',
      'running',
    ]);
    expect(test.link.result(operationId)).toMatchObject({ outcome: 'succeeded' });
    expect(test.link.latest(vmId)?.guestReady).toBe(true);
  });

  it('goes on with a restart that an executor before began', async () => {
    const { test } = await runningVm();
    test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'reboot' }] });
    await test.run(100);
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(10_000);
    expect(domainOf(test)?.life).toBe(2);
    expect(test.link.result(operationId)).toMatchObject({ outcome: 'succeeded' });
  });

  it('gives a restart up for a newer wish', async () => {
    const { test } = await runningVm();
    test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'reboot' }] });
    await test.run(100);
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    expect(test.link.latest(vmId)?.state).toBe('stopped');
    expect(test.link.result(operationId)).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('stopped'),
    });
  });

  it('says why it does not restart a machine that is off', async () => {
    const { test } = await runningVm();
    test.host.endGuest(vmId, 'guestShutdown');
    await test.run(100);
    test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'reboot' }] });
    await test.run(100);
    expect(test.link.result(operationId)).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('stopped'),
    });
  });

  it('resets a guest once, in the process that it has, however often it is asked', async () => {
    const { test } = await runningVm();
    const operations = [{ operationId, vmId, kind: 'reset' as const }];
    for (let times = 0; times < 3; times += 1) {
      test.link.say({ type: 'operate', operations });
      await test.run(500);
    }
    expect(domainOf(test)?.resets).toBe(1);
    expect(test.link.result(operationId)).toMatchObject({ outcome: 'succeeded' });
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', guestReady: false });
    await test.run(10_000);
    expect(test.link.latest(vmId)?.guestReady).toBe(true);
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(1_000);
    test.link.say({ type: 'operate', operations });
    await test.run(1_000);
    expect(domainOf(test)?.resets).toBe(1);
    expect(test.link.result(operationId)).toMatchObject({ outcome: 'succeeded' });
  });

  it('resets no machine that is off, and says what it is', async () => {
    const { test } = await runningVm();
    test.host.endGuest(vmId, 'guestShutdown');
    await test.run(100);
    test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'reset' }] });
    await test.run(100);
    expect(test.link.result(operationId)).toMatchObject({
      outcome: 'failed',
      message: 'The machine is stopped; only a running one can be reset.',
    });
  });

  const ask = (test: TestHost, number: number, request: object): void =>
    test.link.say({
      type: 'operate',
      operations: [{ operationId: testOperationId(number), vmId, ...request } as OperationRequest],
    });
  const key = 'ssh-ed25519 AAAA me';
  const PASSWORD = { kind: 'setPassword', params: { user: 'root', password: 'hunter2' } };
  const KEY = { kind: 'addSshKey', params: { user: 'root', publicKey: key } };

  it('gives passwords and keys to the guest, and writes no password down', async () => {
    const { test } = await runningVm();
    ask(test, 1, PASSWORD);
    ask(test, 2, KEY);
    await test.run(1_000);
    expect(test.link.result(testOperationId(1))).toMatchObject({ outcome: 'succeeded' });
    expect(test.link.result(testOperationId(2))).toMatchObject({ outcome: 'succeeded' });
    const guest = test.host.guests.get(vmId);
    expect(guest?.passwords.get('root')).toBe('hunter2');
    expect([...(guest?.sshKeys.get('root') ?? [])]).toEqual([key]);
    expect(JSON.stringify([...test.host.folders.values()])).not.toContain('hunter2');
  });

  it('says what to do about a guest without an agent', async () => {
    const { test } = await runningVm({ guestAgents: false });
    ask(test, 1, PASSWORD);
    await test.run(10_000);
    expect(test.link.result(testOperationId(1)), 'it may come yet').toBeUndefined();
    await test.run(30_000);
    expect(test.link.result(testOperationId(1))).toMatchObject({
      outcome: 'failed',
      reason: 'GUEST_AGENT_AWAY',
      message: expect.stringContaining('agent'),
    });
  });

  it('takes a picture of the screen of a guest that is on', async () => {
    const { test } = await runningVm();
    ask(test, 1, { kind: 'screenshot' });
    await test.run(1_000);
    const { data } = test.link.result(testOperationId(1)) ?? {};
    expect(data).toMatchObject({ kind: 'screenshot', widthPx: 720, heightPx: 400 });
    test.host.endGuest(vmId, 'guestShutdown');
    ask(test, 2, { kind: 'screenshot' });
    await test.run(1_000);
    expect(test.link.result(testOperationId(2))).toMatchObject({ outcome: 'failed' });
  });

  it('waits for a hypervisor that is away, until its deadline', async () => {
    const { test } = await runningVm();
    const resetBy = (number: number, deadlineAtMs: number) =>
      test.link.say({
        type: 'operate',
        operations: [
          { operationId: testOperationId(number), vmId, kind: 'reset' as const, deadlineAtMs },
        ],
      });
    test.host.disconnect();
    resetBy(1, test.clock.nowMs() + 30_000);
    await test.run(5_000);
    test.host.reconnect();
    await test.run(5_000);
    expect(test.link.result(testOperationId(1))).toMatchObject({ outcome: 'succeeded' });
    resetBy(2, test.clock.nowMs() - 1);
    await test.run(5_000);
    expect(test.link.result(testOperationId(2))).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('time was over'),
    });
    expect(domainOf(test)?.resets).toBe(1);
  });

  it('reads the end of the console log, and repeats the result until it is seen', async () => {
    const { test } = await runningVm();
    test.host.writeConsole(vmId, `${'x'.repeat(70_000)}the end`);
    test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'readLog' }] });
    await test.run(100);
    expect(test.link.result(operationId)?.output).toHaveLength(64 * 1024);
    expect(test.link.result(operationId)?.output).toMatch(/the end$/);
    test.link.messages.length = 0;
    await test.run(6_000);
    expect(test.link.result(operationId)).toBeDefined();
    test.link.say({ type: 'operationsSeen', operationIds: [operationId] });
    test.link.messages.length = 0;
    await test.run(6_000);
    expect(test.link.result(operationId)).toBeUndefined();
  });

  it('waits for a machine that is not here yet', async () => {
    const test = new TestHost();
    await test.start();
    test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'reboot' }] });
    await test.run(100);
    expect(test.link.result(operationId)).toBeUndefined();
  });
});
