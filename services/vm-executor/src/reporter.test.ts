import type { ExecutorMessage } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { expect, it } from 'vitest';
import { createReporter } from './reporter.ts';
import { testOperationId, testVmId } from './testing.ts';

it('a reporter says how far an operation is, until its result comes', async () => {
  const clock = new VirtualClock();
  const sent: ExecutorMessage[] = [];
  const reporter = createReporter({
    ...{ clock, logger: silentLogger, observe: () => undefined, vmIds: () => [] },
    orphans: () => undefined,
    send: async (message) => {
      sent.push(message);
    },
  });
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
