import { parseArgs } from 'node:util';
import { sleep, systemClock, waitFor } from '@factory/runtime';
import { LoadCluster } from './master/cluster.ts';
import { LoadFramework } from './master/framework.ts';

/**
 * `./factory bench master`: simulated agents over real HTTP connections from other processes, one
 * framework over the v1 JSON API, ten tasks in an ACCEPT. Limits are those of the project; the
 * figures of an Apache Mesos 1.12 master on two cores are in mesos-core/README.md.
 */
const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000' },
    frameworks: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
});
const TASKS_PER_AGENT = 10;
const AGENT_RESOURCES = 'cpus:1;mem:1024;disk:1024';
const DECLINE_MS = 5_000;
const RUN_TIMEOUT_MS = 300_000;
const agents = Number(values.agents);
const tasks = agents * TASKS_PER_AGENT;

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly limit?: number;
  /** Whether the limit is the least allowed. */
  readonly isFloor?: boolean;
}
const figures: Figure[] = [];

const cluster = await LoadCluster.create();
try {
  await cluster.startMaster();
  const subscribing = await secondsOf(() => cluster.startAgents(agents, AGENT_RESOURCES));
  note({ what: `${agents} agents subscribed`, value: subscribing, unit: 's' });
  await measureLaunches();
  await measureStateReads();
  await measureFailover();
} finally {
  await cluster.close();
}
await measureDeclines();
if (values.json) console.log(JSON.stringify(figures));

async function measureLaunches(): Promise<void> {
  const framework = new LoadFramework(cluster, 'bench');
  const cpuBefore = await cluster.masterCpuSeconds();
  await cluster.longestPauseMs();
  framework.launch(tasks);
  await framework.subscribe();
  await waitFor(
    systemClock,
    `${tasks} running tasks`,
    RUN_TIMEOUT_MS,
    () => (framework.running >= tasks ? true : undefined),
    5,
  );
  const seconds = (framework.lastRunningMs - framework.firstOfferMs) / 1000;
  const cpuMs = ((await cluster.masterCpuSeconds()) - cpuBefore) * 1000;
  const limit = 6_000;
  note({ what: 'launches', value: tasks / seconds, unit: '/s', limit, isFloor: true });
  note({ what: 'CPU of the master', value: cpuMs / tasks, unit: 'ms a task' });
  const pause = await cluster.longestPauseMs();
  note({ what: 'longest pause while launching', value: pause, unit: 'ms', limit: 50 });
  const memory = (await cluster.masterMemoryMiB()).peak;
  note({ what: 'memory, at most', value: memory, unit: 'MiB', limit: 600 });
  framework.close();
}

async function measureStateReads(): Promise<void> {
  let bytes = 0;
  const times: number[] = [];
  await cluster.longestPauseMs();
  for (let round = 0; round < 3; round += 1) {
    times.push(
      await secondsOf(async () => {
        bytes = (await cluster.call('GET_STATE')).body.byteLength;
      }),
    );
  }
  const what = `GET_STATE, ${(bytes / 1e6).toFixed(1)} MB`;
  note({ what, value: Math.min(...times), unit: 's', limit: 1 });
  const pause = await cluster.longestPauseMs();
  note({ what: 'longest pause during it', value: pause, unit: 'ms', limit: 50 });
  const memory = (await cluster.masterMemoryMiB()).now;
  note({ what: 'memory after it', value: memory, unit: 'MiB', limit: 600 });
}

async function measureFailover(): Promise<void> {
  await cluster.killMaster();
  await cluster.startMaster();
  const seconds = await secondsOf(async () => {
    // Until all are back nobody asks the master: its metrics are not what is measured.
    await cluster.allSubscribed();
    await waitFor(
      systemClock,
      'the full state',
      RUN_TIMEOUT_MS,
      async () => {
        const running = (await cluster.snapshot())['master/tasks_running'] ?? 0;
        return running >= tasks ? true : undefined;
      },
      20,
    );
  });
  note({ what: 'full state after a killed master', value: seconds, unit: 's', limit: 2 });
}

async function measureDeclines(): Promise<void> {
  const idle = await LoadCluster.create();
  const frameworks = Array.from(
    { length: Number(values.frameworks) },
    (_, number) => new LoadFramework(idle, `refuses-${number}`),
  );
  try {
    await idle.startMaster('--offer_declined_at_once');
    await idle.startAgents(1_000, AGENT_RESOURCES);
    for (const framework of frameworks) framework.refuse();
    await Promise.all(frameworks.map((framework) => framework.subscribe()));
    const count = (): number => frameworks.reduce((sum, { offers }) => sum + offers, 0);
    const [offersBefore, startedMs] = [count(), systemClock.monotonicMs()];
    await idle.longestPauseMs();
    await sleep(systemClock, DECLINE_MS);
    const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
    const rate = (count() - offersBefore) / seconds;
    const what = `offers to ${frameworks.length} frameworks that decline`;
    note({ what, value: rate, unit: '/s', limit: 10_000, isFloor: true });
    const pause = await idle.longestPauseMs();
    note({ what: 'longest pause meanwhile', value: pause, unit: 'ms', limit: 50 });
  } finally {
    for (const framework of frameworks) framework.close();
    await idle.close();
  }
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  await work();
  return (systemClock.monotonicMs() - startedMs) / 1000;
}

function note(figure: Figure): void {
  figures.push(figure);
  if (values.json) return;
  const { what, value, unit, limit, isFloor = false } = figure;
  const isGood = limit === undefined || (isFloor ? value >= limit : value <= limit);
  const bound = limit === undefined ? '' : ` (limit ${isFloor ? 'at least' : 'at most'} ${limit})`;
  console.log(`${isGood ? 'ok  ' : 'OVER'} ${what}: ${value.toFixed(2)} ${unit}${bound}`);
}
