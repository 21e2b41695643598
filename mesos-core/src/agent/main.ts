import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  createUndiciTransport,
  listen,
  type RunningService,
  runService,
  type ServiceContext,
} from '@factory/runtime';
import { textOrFile } from '../command-line.ts';
import { openMasters } from '../election/index.ts';
import { answerOf } from '../flag-set.ts';
import { atLeast } from '../logging-level.ts';
import { parseAttributes, parseResources } from '../protocol/index.ts';
import { LISTEN_FLAGS, reachableAddress } from '../reachable-address.ts';
import { agentSecurity, readTls } from '../security/index.ts';
import { createAgent } from './agent.ts';
import { createFileCheckpointStore } from './checkpoint/file-store.ts';
import type { Containerizer } from './containerizer/containerizer.ts';
import { containerizerFromFlags } from './containerizer/from-flags.ts';
import { measureMachine, withDefaultResources } from './detected-resources.ts';
import { inheritableEnvironment } from './executor-environment.ts';
import { createFetcher } from './fetcher/fetcher.ts';
import {
  AGENT_FLAG_SET,
  type AgentFlags,
  agentFlagTexts,
  parseEnvironment,
  readAgentFlags,
} from './flags.ts';
import { oversubscribedResources } from './oversubscription.ts';
import { createFileSandboxes } from './sandbox/file-sandboxes.ts';
import type { LogLimits } from './sandbox/log-rotation.ts';

/** For one file. */
const FETCH_TIMEOUT_MS = 6 * 3_600_000;
const FETCH_BYTES_MAX = 256 * 1024 ** 3;

const LOG_INTERVAL_MS = 10_000;

const answer = answerOf(AGENT_FLAG_SET, process.argv.slice(2));
if (answer === undefined) runService({ name: 'mesos-agent', start });
else process.stdout.write(answer);

async function start(service: ServiceContext): Promise<RunningService> {
  const { clock, random } = service;
  const flags = readAgentFlags(process.argv.slice(2), process.env);
  const logger = atLeast(service.logger, flags.loggingLevel);
  const { workDir, strict, defaultRole } = flags;
  const { ip, port } = await reachableAddress(flags);
  const tls = readTls(process.env);
  const transport = createUndiciTransport({ tls: tls?.client });
  const given = textOrFile('--resources', flags.resources);
  const attributes = textOrFile('--attributes', flags.attributes);
  const masters = openMasters(flags.master, {
    ...{ clock, random, logger, sessionTimeoutMs: flags.zkSessionTimeoutMs },
    scheme: tls === undefined ? 'http' : 'https',
  });
  const containerizer = await containerizerFromFlags(flags, { clock, logger, transport });
  const agent = createAgent({
    ...{ clock, random, logger, transport },
    checkpoint: createFileCheckpointStore({ directory: join(workDir, 'meta'), logger, strict }),
    containerizer,
    ...{ masters: masters.list, detector: masters.detector },
    sandboxes: createFileSandboxes({
      ...{ clock, logger, workDir, delayMs: flags.gcDelayMs, diskHeadroom: flags.gcDiskHeadroom },
      watchIntervalMs: flags.diskWatchIntervalMs,
      logLimits: flags.containerLogger === 'sandbox' ? undefined : logLimitsOf(flags),
      logIntervalMs: LOG_INTERVAL_MS,
    }),
    fetcher: createFetcher({
      ...{ clock, transport, frameworksHome: flags.frameworksHome },
      cacheDirectory: flags.fetcherCacheDir ?? join(workDir, 'fetch'),
      cacheBytesMax: flags.fetcherCacheBytes,
      stallTimeoutMs: flags.fetcherStallTimeoutMs,
      timeoutMs: FETCH_TIMEOUT_MS,
      bytesMax: FETCH_BYTES_MAX,
    }),
    address: { hostname: flags.hostname ?? hostname(), ip, port, listenIp: flags.ip },
    resources: [
      ...withDefaultResources(
        parseResources(given, defaultRole),
        await measureMachine(workDir),
        defaultRole,
      ),
      ...oversubscribedResources(flags),
    ],
    attributes: parseAttributes(attributes),
    attributesEtcd: flags.attributesEtcd,
    security: agentSecurity(flags),
    flags: agentFlagTexts(process.argv.slice(2), process.env),
    tls: tls?.server,
    settings: {
      ...flags,
      executorEnvironment: {
        ...(flags.executorEnvironment === undefined
          ? inheritableEnvironment(process.env)
          : parseEnvironment(flags.executorEnvironment)),
        ...tls?.executorVariables,
      },
    },
  });
  if (flags.recover === 'cleanup') {
    await agent.cleanUp();
    await containerizer.close();
    logger.info({ workDir }, 'cleaned up; exiting');
    process.exit(0);
  }
  const server = await startOrLeaveNothing(containerizer, async () => {
    const listening = await listen(agent.app, {
      ...{ host: flags.ip, port: flags.port, setBy: LISTEN_FLAGS },
    });
    await agent.start();
    return listening;
  });
  return {
    leave: () => agent.leave(),
    async close() {
      await agent.close();
      await masters.close();
      await server.close();
      await transport.close();
    },
  };
}

/** An agent that can't start takes its empty cgroups with it. */
async function startOrLeaveNothing<T>(
  containerizer: Containerizer,
  begin: () => Promise<T>,
): Promise<T> {
  try {
    return await begin();
  } catch (error) {
    await containerizer.close();
    throw error;
  }
}

function logLimitsOf(flags: AgentFlags): LogLimits {
  const { maxStdoutBytes, maxStderrBytes, maxOldLogs } = flags;
  return {
    stdoutBytesMax: maxStdoutBytes,
    stderrBytesMax: maxStderrBytes,
    oldFilesMax: maxOldLogs,
  };
}
