import type { OperationRequest } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { TestHost, testOperationId, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const operationId = testOperationId(1);
const REQUEST: OperationRequest = {
  ...{ operationId, vmId, kind: 'makeImage', params: { name: 'web' } },
};

const ask = (test: TestHost): void => test.link.say({ type: 'operate', operations: [REQUEST] });
const isFrozen = (test: TestHost): boolean => test.host.guests.get(vmId)?.isFrozen ?? false;

/** Whether the guest's agent answers. */
function answers(test: TestHost, does: boolean): void {
  const domain = test.host.domains.get(vmId);
  if (domain !== undefined) domain.hasBooted = does;
}

describe("a guest's file systems", () => {
  it.each(['copy', 'thaw'])(
    'go on after an executor died before the step %s, as soon as a silent agent answers again',
    async (died) => {
      const test = await TestHost.withRunningVm();
      let isKilled = false;
      test.faults = {
        async at(procedure, step, where) {
          const point = `${procedure}/${step}/${where}`;
          if (isKilled || point !== `makeImage/${died}/before`) return;
          isKilled = true;
          test.gate.shut();
          await new Promise(() => undefined);
        },
      };
      ask(test);
      await test.run(5_000);
      expect(isFrozen(test)).toBe(true);
      answers(test, false);
      await test.killExecutor();
      test.launch(testTask(1), 2);
      await test.run(1_000);
      ask(test);
      await test.run(20_000);
      expect(test.link.result(operationId)).toBeUndefined();
      answers(test, true);
      await test.run(30_000);
      expect(isFrozen(test)).toBe(false);
      expect(test.link.result(operationId)).toMatchObject({
        outcome: 'succeeded',
        data: { isQuiesced: true },
      });
    },
  );

  it('are frozen anew for a copy that the hypervisor has lost, or the image does not say so', async () => {
    const test = await TestHost.withRunningVm();
    ask(test);
    await test.run(200);
    const domain = test.host.domains.get(vmId);
    expect(domain?.copy).toBeDefined();
    // libvirtd was started anew, and with it the copy ended; the agent is away by then.
    delete domain?.copy;
    answers(test, false);
    await test.run(30_000);
    expect(test.link.result(operationId)).toMatchObject({
      outcome: 'succeeded',
      data: { isQuiesced: false },
    });
  });
});
