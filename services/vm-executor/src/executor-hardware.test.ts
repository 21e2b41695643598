import type { VmHardware } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);

async function launched(hardware: VmHardware): Promise<TestHost> {
  const test = new TestHost();
  await test.start();
  const task = testTask(1);
  test.launch({ ...task, spec: { ...task.spec, hardware } });
  await test.run(10_000);
  return test;
}

describe('the hardware of a machine', () => {
  it('is what its domain is made of', async () => {
    const hardware: VmHardware = { os: 'windows', firmware: 'uefi-secure', tpm: true };
    const test = await launched(hardware);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running' });
    expect(test.host.domains.get(vmId)?.plan).toMatchObject({
      hardware,
      nvramPath: expect.stringMatching(/nvram\.fd$/),
    });
  });

  it('that can not be fails it, with what to change, and leaves nothing', async () => {
    const test = await launched({ os: 'windows', tpm: true, cpu: { numaNodes: 3 } });
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/ask for firmware uefi.*; .*fewer nodes/),
    });
    expect(test.host.domains.size).toBe(0);
    expect(test.host.folders.size).toBe(0);
  });
});
