import {
  DigestKeeper,
  type ExecutorMessage,
  type VmId,
  type VmObservation,
} from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { createReporter } from './reporter.ts';
import { testOperationId, testTask, testVmId } from './testing.ts';
import { newRecord, toObservation } from './vm/record.ts';

function observation(number: number, seq: number): VmObservation {
  return { ...toObservation(newRecord(testTask(number), 1)), seq };
}

/** A reporter of what a test puts into `vms`. */
function reporting() {
  const clock = new VirtualClock();
  const sent: ExecutorMessage[] = [];
  const vms = new Map<VmId, VmObservation>();
  const reporter = createReporter({
    ...{ clock, logger: silentLogger, observe: (vmId) => vms.get(vmId) },
    vmIds: () => vms.keys(),
    seqOf: (vmId) => vms.get(vmId)?.seq,
    orphans: () => undefined,
    tunnel: () => ({ address: null, epoch: 0, digest: '' }),
    send: async (message) => {
      sent.push(message);
    },
  });
  const put = (number: number, seq: number): void =>
    void vms.set(testVmId(number), observation(number, seq));
  return { clock, sent, vms, reporter, put };
}

describe('a reporter', () => {
  it('says how far an operation is, until its result comes', async () => {
    const { clock, sent, reporter } = reporting();
    const base = { operationId: testOperationId(1), vmId: testVmId(1) };
    reporter.start();
    for (const percent of [10, 20]) reporter.progress({ ...base, stage: 'copying', percent });
    await clock.run(100);
    expect(sent.at(-1)?.progress).toMatchObject([{ stage: 'copying', percent: 20 }]);
    sent.length = 0;
    await clock.run(6_000);
    expect(sent[0]?.progress).toMatchObject([{ percent: 20 }]);
    reporter.result({ ...base, outcome: 'succeeded', message: '', output: '' });
    await clock.run(100);
    expect(sent.at(-1)?.progress).toBeUndefined();
    reporter.close();
  });

  it('tells everything at its start and once a minute, and between them only its digest', async () => {
    const { clock, sent, reporter, put } = reporting();
    for (const number of [1, 2, 3]) put(number, 7);
    reporter.start();
    await clock.run(120_000);
    const full = sent.filter((message) => message.full);
    expect(full.map(({ vms }) => vms.length)).toEqual([3, 3, 3]);
    expect(sent.length).toBe(25);
    const expected = new DigestKeeper();
    for (const number of [1, 2, 3]) expected.set(testVmId(number), 7);
    for (const { full: isFull, vms, digest } of sent) {
      expect(digest).toEqual(expected.digest());
      if (!isFull) expect(vms).toEqual([]);
    }
    reporter.close();
  });

  it('has in its digest what it has at that moment', async () => {
    const { clock, sent, vms, reporter, put } = reporting();
    put(1, 7);
    put(2, 7);
    reporter.start();
    put(1, 8);
    vms.delete(testVmId(2));
    await clock.run(5_100);
    const expected = new DigestKeeper();
    expected.set(testVmId(1), 8);
    expect(sent.at(-1)?.digest).toEqual(expected.digest());
    reporter.close();
  });

  it('tells everything when it is asked to', async () => {
    const { clock, sent, reporter, put } = reporting();
    put(1, 7);
    reporter.start();
    await clock.run(5_100);
    reporter.reportAll();
    expect(sent.at(-1)).toMatchObject({ full: true, vms: [{ seq: 7 }] });
    reporter.close();
  });
});
