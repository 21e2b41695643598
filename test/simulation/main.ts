import { parseArgs } from 'node:util';
import { describeRun, ROUGH, runLifecycle } from './scenario.ts';

/** `./factory sim --seed S --runs N`: runs of the simulation, each from a seed of its own. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    agents: { type: 'string', default: '50' },
    vms: { type: 'string', default: '1000' },
  },
});

const firstSeed = Number(values.seed);
for (let seed = firstSeed; seed < firstSeed + Number(values.runs); seed += 1) {
  const size = { agents: Number(values.agents), vms: Number(values.vms) };
  try {
    console.log(describeRun(seed, await runLifecycle({ seed, ...size, faults: ROUGH })));
  } catch (error) {
    console.error(error);
    console.error(`reproduce: ./factory sim --seed ${seed}`);
    process.exit(1);
  }
}
