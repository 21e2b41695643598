import { fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  EndpointsSchema,
  ExternalAddressesError,
  parseExternalAddresses,
} from '@factory/contracts';
import {
  createLogger,
  readJsonIfExists,
  StartError,
  silentLogger,
  systemClock,
  writeFileAtomic,
} from '@factory/runtime';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Compile } from 'typebox/compile';
import { createProgress, type Progress } from '../output/progress.ts';
import { checkAgentOffers } from '../supervisor/agent-offers.ts';
import { parseSupervisorMessage, type UpArguments } from '../supervisor/background/messages.ts';
import type { Layout } from '../supervisor/layout.ts';
import type { HypervisorKind } from '../supervisor/process-plan.ts';
import { runFactory } from '../supervisor/run-factory.ts';
import { isSupervisorAlive, readRunState } from '../supervisor/run-state.ts';
import { SHARED_STORAGES, type SharedStorage } from '../supervisor/shared-storage.ts';
import { layoutFor, ROOT } from './context.ts';
import { dataOption, integer, PORT_MAX } from './options.ts';

export interface UpCommandOptions {
  readonly data?: string;
  readonly detach?: true;
  readonly clusters: number;
  readonly agents: number;
  readonly hypervisor: HypervisorKind;
  readonly apiServers?: number;
  readonly gateways?: number;
  readonly sharedStorage?: SharedStorage;
  readonly agentResources?: string;
  readonly agentAttributes?: string;
  readonly externalAddresses?: string;
  readonly port: number;
}

export const UP_DEFAULTS = { clusters: 1, agents: 1, hypervisor: 'libvirt', port: 8080 } as const;

const EXAMPLES = `
Examples:
  ./factory up                          in the foreground; Ctrl-C takes everything down
  ./factory up --detach                 in the background; returns when it is ready
  ./factory up --clusters 2 --agents 3  two clusters of three agents each, on this machine
  ./factory up --hypervisor simulated   without root, libvirt and QEMU
  REDIS_URL=redis://127.0.0.1:6379 ./factory up --api-servers 2 --gateways 2
                                        any of which may die
  ./factory up --shared-storage gluster images and volumes on GlusterFS (needs glusterfs-server)

  With two graphics cards to be passed to machines, and cores that one machine at a time has:
  ./factory up --agent-resources 'gpus:2;pinned_cpus:12' \\
    --agent-attributes 'gpu_devices:{0000:3b:00.0,0000:af:00.0};gpu_model:A100;pinned_cpus:[4-15]'`;

/** `./factory up` */
export function upCommand(): Command {
  return new Command('up')
    .description('bring the factory up on this machine')
    .option('--detach', 'run in the background; return when the factory is ready')
    .option('--clusters <n>', 'number of clusters', integer(1), UP_DEFAULTS.clusters)
    .option('--agents <n>', 'agents in each cluster', integer(1), UP_DEFAULTS.agents)
    .option('--api-servers <n>', 'api-servers side by side', integer(1))
    .option('--gateways <n>', 'gateways side by side; several need REDIS_URL', integer(1))
    .addOption(
      new Option('--hypervisor <kind>', 'what the machines run on')
        .choices(['libvirt', 'simulated'])
        .default(UP_DEFAULTS.hypervisor),
    )
    .addOption(
      new Option('--shared-storage <kind>', 'what images and volumes lie on')
        .choices(SHARED_STORAGES)
        .default('folder'),
    )
    .option(
      '--agent-resources <list>',
      'what each agent has besides: gpus:2;pinned_cpus:8; simulated ones also cpus:500;mem:64000',
    )
    .option('--agent-attributes <list>', 'what each agent says of its host: rack:r1;gpu_model:A100')
    .option(
      '--external-addresses <ranges>',
      'IPv4 addresses that the network routes to this machine, for its guests: 192.0.2.16/28',
      checkAddresses,
    )
    .option('--port <port>', 'port of the API', integer(1, PORT_MAX), UP_DEFAULTS.port)
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action(up);
}

function checkAddresses(text: string): string {
  try {
    parseExternalAddresses(text);
    return text;
  } catch (error) {
    if (error instanceof ExternalAddressesError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** @throws StartError when several gateways would not know of each other's requests. */
function checkGateways(gateways = 1, redisUrl = ''): void {
  if (gateways === 1 || redisUrl !== '') return;
  throw new StartError(
    'several gateways share replay protection and request rates in Redis: set REDIS_URL, as in ' +
      'REDIS_URL=redis://127.0.0.1:6379 ./factory up --gateways 2',
  );
}

async function up(options: UpCommandOptions): Promise<void> {
  checkAgentOffers(options);
  checkGateways(options.gateways, process.env.REDIS_URL);
  const layout = layoutFor(options);
  const progress = createProgress(systemClock);
  if (await isSupervisorAlive(await readRunState(layout))) {
    progress.done('The factory is running already. See: ./factory status');
    return;
  }
  if (options.detach === true) {
    await upDetached(layout, options, progress);
    await sayWhereToLook(layout);
    return;
  }
  mkdirSync(layout.logs, { recursive: true });
  await runFactory({
    layout,
    options,
    port: options.port,
    clock: systemClock,
    logger: process.stderr.isTTY ? silentLogger : createLogger('supervisor', 'warn'),
    onProgress: (text) => progress.step(text),
    onReady: () => {
      progress.done('The factory is ready');
      void sayWhereToLook(layout).then(() => console.log('Ctrl-C takes everything down.'));
    },
    onFailed: (message) => {
      progress.end();
      console.error(message);
    },
  });
  progress.done('The factory is down');
}

/**
 * Starts the factory in the background; resolves when it is ready.
 * @throws with what went wrong, when it could not be brought up.
 */
export async function upDetached(
  layout: Layout,
  options: UpCommandOptions,
  progress: Progress,
): Promise<void> {
  mkdirSync(layout.logs, { recursive: true });
  const log = openSync(join(layout.logs, 'supervisor.log'), 'a', 0o600);
  const { agentResources, agentAttributes, apiServers, gateways } = options;
  const { clusters, agents, hypervisor, sharedStorage, externalAddresses, port } = options;
  const up: UpArguments = {
    root: ROOT,
    data: layout.data,
    port,
    options: {
      ...{ clusters, agents, hypervisor },
      ...(sharedStorage === undefined ? {} : { sharedStorage }),
      ...(apiServers === undefined ? {} : { apiServers }),
      ...(gateways === undefined ? {} : { gateways }),
      ...(agentResources === undefined ? {} : { agentResources }),
      ...(agentAttributes === undefined ? {} : { agentAttributes }),
      ...(externalAddresses === undefined ? {} : { externalAddresses }),
    },
  };
  const child = fork(
    join(import.meta.dirname, '../supervisor/background/main.ts'),
    [JSON.stringify(up)],
    {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
    },
  );
  closeSync(log);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.on('message', (value) => {
    const message = parseSupervisorMessage(value);
    if (message?.type === 'progress') progress.step(message.text);
    else if (message?.type === 'ready') resolve();
    else if (message?.type === 'failed') reject(new Error(message.message));
  });
  child.once('exit', () =>
    reject(new Error(`The factory ended. See ${layout.logs}/supervisor.log`)),
  );
  try {
    await promise;
  } finally {
    progress.end();
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  }
  await writeFileAtomic(layout.optionsFile, `${JSON.stringify(up.options)}\n`, { mode: 0o644 });
  progress.done('The factory is ready');
}

const endpointsFile = Compile(EndpointsSchema);

/** Where to go on from here. */
export async function sayWhereToLook(layout: Layout): Promise<void> {
  const endpoints = await readJsonIfExists(layout.endpointsFile);
  if (!endpointsFile.Check(endpoints)) return;
  console.log(
    `  API        ${endpoints.gateway} (its description: ${endpoints.gateway}/openapi.json)`,
  );
  for (const cluster of endpoints.clusters) {
    console.log(`  ${cluster.name.padEnd(10)} Mesos master at ${cluster.master}`);
  }
  console.log(`  keys       ${layout.credentialsFile}`);
  console.log(`  logs       ${layout.logs}/`);
}
