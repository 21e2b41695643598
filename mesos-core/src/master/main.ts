import { mkdir } from 'node:fs/promises';
import {
  coalesceWrites,
  goBeforeOthers,
  listen,
  type RunningService,
  runService,
  type ServiceContext,
  SettingsError,
} from '@factory/runtime';
import { textOrFile } from '../command-line.ts';
import { MemoryElection, openZooKeeperElection } from '../election/index.ts';
import { answerOf } from '../flag-set.ts';
import { atLeast, LoggingLevel } from '../logging-level.ts';
import { newUuidText } from '../protocol/index.ts';
import { LISTEN_FLAGS, reachableAddress } from '../reachable-address.ts';
import { masterSecurity, readTls } from '../security/index.ts';
import type { ZooKeeperClient } from '../zookeeper/index.ts';
import { MASTER_FLAG_SET, type MasterFlags, masterFlagTexts, readMasterFlags } from './flags.ts';
import { createMaster } from './index.ts';
import { Leadership } from './leadership.ts';
import { masterInfoOf } from './master-info.ts';
import type { RegistryStore } from './registry.ts';
import {
  createFileRegistryStore,
  createMemoryRegistryStore,
  fatalOnFailure,
  withTimeouts,
  ZooKeeperRegistryStore,
} from './registry-store/index.ts';
import { createStandbyApp, handOver } from './standby.ts';

const answer = answerOf(MASTER_FLAG_SET, process.argv.slice(2));
if (answer === undefined) runService({ name: 'mesos-master', start });
else process.stdout.write(answer);

async function start(service: ServiceContext): Promise<RunningService> {
  const { clock, random } = service;
  // Thousands wait for what this thread does, and nothing waits for the threads of V8 that compile and
  // collect garbage beside it: on two cores it waited for them and for others 15 % of the time in
  // which 5,000 agents came back.
  goBeforeOthers();
  const flags = readMasterFlags(process.argv.slice(2), process.env);
  const { workDir, cluster } = flags;
  const { ip, port } = await reachableAddress(flags);
  const logger = atLeast(service.logger, flags.loggingLevel).child({ cluster });
  const address = { id: newUuidText(random), hostname: flags.hostname ?? ip, ip, port };
  const security = masterSecurity(flags);
  const tls = readTls(process.env)?.server;
  const logging = new LoggingLevel(clock);
  const flagTexts = masterFlagTexts(process.argv.slice(2), process.env);
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const scheme = tls === undefined ? 'http' : 'https';
  const election = openElection(flags, { ...service, logger, scheme });
  const onFatal = (why: string): void => {
    logger.error({ why }, 'exiting');
    process.exit(1);
  };
  const leadership: Leadership = new Leadership({
    ...{ logger, contender: election.contender, detector: election.detector },
    info: masterInfoOf(address.id, address),
    lead: () =>
      createMaster({
        ...{ clock, random, logger, address, security, settings: flags, onFatal },
        ...{ flags: flagTexts, logging },
        registry: fatalOnFailure(
          withTimeouts(
            openRegistryStore(flags, { random, logger }, election.registryNode()),
            clock,
            { fetchMs: flags.registryFetchTimeoutMs, storeMs: flags.registryStoreTimeoutMs },
          ),
          (error) => {
            if (service.signal.aborted) return;
            logger.error({ err: error, workDir }, 'the registry could not be saved; exiting');
            process.exit(1);
          },
        ),
      }),
    serve: (master) => handOver(standby, master),
    onLost: (why) => {
      logger.error({ why }, 'this master leads no more; exiting');
      process.exit(1);
    },
  });
  const standby = createStandbyApp({
    ...{ clock, random, logger, tls, security, logging, flags: flagTexts },
    leader: () => leadership.view,
  });
  coalesceWrites(standby.server);
  const server = await listen(standby, { host: flags.ip, port: flags.port, setBy: LISTEN_FLAGS });
  logger.info({ url: server.url }, 'listening');
  leadership.start();
  return {
    close: async () => {
      await leadership.close();
      await election.close();
      await server.close();
    },
  };
}

function openElection(
  flags: MasterFlags,
  { clock, random, logger, scheme }: ServiceContext & { readonly scheme: 'http' | 'https' },
) {
  if (flags.zk === undefined) {
    const alone = new MemoryElection();
    const [close, registryNode] = [async () => undefined, () => undefined];
    return { contender: alone, detector: alone, close, registryNode };
  }
  const url = textOrFile('--zk', flags.zk);
  const sessionTimeoutMs = flags.zkSessionTimeoutMs;
  const election = openZooKeeperElection({
    ...{ clock, random, logger, url, sessionTimeoutMs, scheme },
  });
  const registryNode = () => ({
    client: election.sessions.current,
    path: `${election.path}/registry`,
  });
  return { ...election, registryNode };
}

function openRegistryStore(
  { registry, workDir }: MasterFlags,
  { random, logger }: Pick<ServiceContext, 'random' | 'logger'>,
  node: { readonly client: ZooKeeperClient; readonly path: string } | undefined,
): RegistryStore {
  if (registry === 'in_memory') return createMemoryRegistryStore();
  if (registry === 'file' || (registry === 'replicated_log' && node === undefined)) {
    return createFileRegistryStore(workDir, logger);
  }
  if (node === undefined) throw new SettingsError(['--registry=zookeeper needs --zk']);
  return new ZooKeeperRegistryStore({ random, logger, ...node });
}
