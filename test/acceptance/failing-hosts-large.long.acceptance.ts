import { describeFailingHosts, runFailingHosts } from '../simulation/failing-hosts.ts';
import { expectThat } from '../support/acceptance.ts';

/** 5,000 machines on 200 simulated hosts that fail at one of a hundred calls: all come to rest. */
const options = { seed: 1, agents: 200, vms: 5_000, rate: 0.01 };
const figures = await runFailingHosts(options);
console.log(describeFailingHosts(options, figures));
const { running = 0, failed = 0 } = figures.created;
expectThat('every machine runs, or failed with a reason', running + failed === options.vms);
expectThat('nine of ten run', running >= 0.9 * options.vms);
expectThat('nothing is left of any of them', figures.deleted.deleted === options.vms);
