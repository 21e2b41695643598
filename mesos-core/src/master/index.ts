import { type Clock, createHttpApp, type Logger, type Random, type Timer } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import { Lane } from '../http/lane/lane.ts';
import { Turns } from '../http/turns.ts';
import type { LoggingLevel } from '../logging-level.ts';
import { newUuidText } from '../protocol/index.ts';
import { admit, guardApp, masterRealm, openToAll, type Security } from '../security/index.ts';
import { Agents } from './agents.ts';
import { AllocationDriver } from './allocation.ts';
import { MasterCore } from './core.ts';
import { masterFlagTexts } from './flags.ts';
import { Frameworks } from './frameworks.ts';
import { checkMasterInvariants } from './invariants.ts';
import { OperatorApi } from './operator-api.ts';
import { restoreQuotas } from './quota/quota.ts';
import { newRegistry, type RegistryStore } from './registry.ts';
import { apiHandlers, registerMasterRoutes } from './routes.ts';
import { SchedulerCalls } from './scheduler-calls.ts';
import { DEFAULT_SETTINGS, type MasterAddress, type MasterSettings } from './settings.ts';
import { restoreWeights } from './weights/weights.ts';

export type { RegistryStore } from './registry.ts';
export { createMemoryRegistryStore } from './registry-store/memory-store.ts';
export type { MasterAddress, MasterSettings } from './settings.ts';

/**
 * Mesos has no limit; ours keeps a peer from making the master parse for seconds. An agent that
 * subscribes with ten thousand tasks fits.
 */
const BODY_LIMIT_BYTES = 32 * 1024 * 1024;

export interface MasterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly registry: RegistryStore;
  readonly address: MasterAddress;
  readonly settings?: Partial<MasterSettings>;
  /** Default: everybody may do everything. */
  readonly security?: Security;
  /** The flags that operators are shown; default: those of a master without any. */
  readonly flags?: Readonly<Record<string, string>>;
  /** How much is logged; default: as at the start. */
  readonly logging?: LoggingLevel;
  /** This master can't go on: its process has to end. Default: it is logged. */
  readonly onFatal?: (why: string) => void;
}

export interface Master {
  readonly app: FastifyInstance;
  /** Serves the port of `app` too; attach it to any other server that `app` answers on. */
  readonly lane: Pick<Lane, 'attach'>;
  close(): Promise<void>;
  /** What is wrong with the master's books; empty when all is well. For tests and audits. */
  invariants(): readonly string[];
}

/**
 * A Mesos master: v1 scheduler and operator API, and our agents' API, on `app`.
 * Reads its registry first: ids given out before are never given out again.
 */
export async function createMaster(options: MasterOptions): Promise<Master> {
  const { clock, random, logger, registry: store, address, security = openToAll } = options;
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const startMs = clock.monotonicMs();
  const stored = await store.load();
  const registry =
    stored === undefined
      ? newRegistry(newUuidText(random))
      : { ...stored, starts: stored.starts + 1 };
  const { authorizer } = security;
  const core = new MasterCore({
    ...{ clock, random, logger, settings, address, registry, store, authorizer },
    flags: options.flags ?? masterFlagTexts(),
    logging: options.logging,
    onFatal: options.onFatal,
  });
  core.metrics.registryFetchMs = clock.monotonicMs() - startMs;
  await core.updateRegistry((current) => current);
  const frameworks = new Frameworks(core);
  const agents = new Agents(core, frameworks);
  const schedulerCalls = new SchedulerCalls(core);
  const operator = new OperatorApi(core, frameworks, agents);
  const allocation = new AllocationDriver(core);
  const app = createHttpApp({
    service: 'mesos-master',
    clock,
    logger,
    random,
    bodyLimitBytes: BODY_LIMIT_BYTES,
  });
  const { authenticators } = security;
  const guard = { clock, authenticators, realmOf: masterRealm };
  guardApp(app, guard);
  // Of frameworks and agents there are thousands: nobody else waits for what they ask together.
  const turns = new Turns(clock);
  const parts = { core, frameworks, schedulerCalls, agents, operator };
  registerMasterRoutes(app, parts, turns);
  const lane = new Lane({
    ...{ clock, logger, turns, handlers: apiHandlers(parts) },
    authenticate: (head) => admit(guard, head.path, head.authorization),
    onAnswered: (path, status, durationMs) => app.noteRequest('POST', path, status, durationMs),
  });
  lane.attach(app.server);
  restoreQuotas(core);
  restoreWeights(core);
  frameworks.recover();
  allocation.start();
  const stopSweeping = startSweeping(core, agents);
  return {
    app,
    lane,
    close: async () => {
      stopSweeping();
      allocation.close();
      core.events.close();
      core.logging.close();
      frameworks.close();
      agents.close();
      lane.close();
    },
    invariants: () => [...checkMasterInvariants(core.state), ...core.allocator.problems()],
  };
}

function startSweeping(core: MasterCore, agents: Agents): () => void {
  let timer: Timer;
  const schedule = (): void => {
    timer = core.clock.after(core.settings.agentPingTimeoutMs / 3, () => {
      agents
        .sweep()
        .catch((error: unknown) => core.logger.error({ err: error }, 'sweep failed'))
        .finally(schedule);
    });
  };
  schedule();
  return () => timer.cancel();
}
