import { parseArgs } from 'node:util';
import { CommandFramework } from '../support/command-framework.ts';
import { MesosCluster } from '../support/mesos-cluster.ts';

/**
 * `./factory bench tasks`: command tasks (`true`) on one agent, through a framework on the bare v1
 * API, from the first offer to the last end. Apache Mesos itself ends 11 a second on two cores.
 */
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
});
const LIMIT_PER_SECOND = 110;
const TIMEOUT_MS = 300_000;
const count = Number(values.count);

const cluster = await MesosCluster.start();
try {
  await cluster.startAgent(['--resources=cpus:10;mem:10240;disk:1024']);
  const framework = new CommandFramework(cluster, 'true', count);
  await framework.run(TIMEOUT_MS);
  const perSecond = count / ((framework.lastEndMs - framework.firstOfferMs) / 1000);
  const finished = framework.ends.get('TASK_FINISHED') ?? 0;
  await framework.close();
  if (values.json) {
    console.log(JSON.stringify({ count, finished, perSecond, limit: LIMIT_PER_SECOND }));
  } else {
    console.log(`${finished} of ${count} tasks finished`);
    console.log(`${perSecond.toFixed(0)} tasks/s (limit: at least ${LIMIT_PER_SECOND})`);
  }
} finally {
  await cluster.close();
}
