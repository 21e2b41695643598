import { parseArgs } from 'node:util';
import { describeFailingHosts, runFailingHosts } from './failing-hosts.ts';
import { describeRun, ROUGH, runLifecycle } from './scenario.ts';

/** `./factory sim --seed S --runs N`: runs of the simulation, each from a seed of its own. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    agents: { type: 'string', default: '50' },
    vms: { type: 'string', default: '1000' },
    'failure-rate': { type: 'string', default: '0' },
  },
});

const firstSeed = Number(values.seed);
const size = { agents: Number(values.agents), vms: Number(values.vms) };
const rate = Number(values['failure-rate']);
for (let seed = firstSeed; seed < firstSeed + Number(values.runs); seed += 1) {
  try {
    console.log(await run(seed));
  } catch (error) {
    console.error(error);
    const options = `--agents ${size.agents} --vms ${size.vms} --failure-rate ${rate}`;
    console.error(`reproduce: ./factory sim --seed ${seed} ${options}`);
    process.exit(1);
  }
}

async function run(seed: number): Promise<string> {
  if (rate === 0) return describeRun(seed, await runLifecycle({ seed, ...size, faults: ROUGH }));
  const options = { seed, ...size, rate };
  return describeFailingHosts(options, await runFailingHosts(options));
}
