import { figure } from '../support/acceptance.ts';
import { startRealFactory } from '../support/real-factory.ts';

/** Twenty machines through the whole chain cost at most 1.3 times what bare libvirt takes. */
const factory = await startRealFactory();
try {
  const output = await factory.run(
    'bench',
    'vm-create',
    '--count',
    '20',
    '--rounds',
    '2',
    '--json',
  );
  const result = JSON.parse(output.trim().split('\n').at(-1) ?? '');
  console.log(`       ${JSON.stringify(result.stages)}`);
  figure('batch API against bare libvirt, 20 machines', result.ratio, 'x', 1.3);
} finally {
  await factory.remove();
}
