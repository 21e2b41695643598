import { figure } from '../support/acceptance.ts';
import { startRealFactory } from '../support/real-factory.ts';

/** One round tells whether it works; for the figure, the best of two. */
const ROUNDS = process.env.FACTORY_ACCEPTANCE_STRICT === '1' ? 2 : 1;

/** Twenty machines through the whole chain cost at most 1.3 times what bare libvirt takes. */
const factory = await startRealFactory();
try {
  const size = ['--count', '20', '--rounds', String(ROUNDS)];
  const output = await factory.run('bench', 'vm-create', ...size, '--json');
  const result = JSON.parse(output.trim().split('\n').at(-1) ?? '');
  console.log(`       ${JSON.stringify(result.stages)}`);
  figure('batch API against bare libvirt, 20 machines', result.ratio, 'x', 1.3);
} finally {
  await factory.remove();
}
