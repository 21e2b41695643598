import {
  type Clock,
  createHttpApp,
  type HttpTransport,
  type Logger,
  type Random,
  type ServerTls,
} from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import type { Detector } from '../election/index.ts';
import { networkProbes } from '../executors/checks/network-probes.ts';
import type { NetworkProbes } from '../executors/checks/prober.ts';
import { LoggingLevel } from '../logging-level.ts';
import {
  type AgentInfo,
  type AgentSubscribe,
  type Attribute,
  idProblem,
  type Resource,
} from '../protocol/index.ts';
import { type AgentSecurity, agentRealm, guardApp, openAgent } from '../security/index.ts';
import { BuiltInExecutors } from './built-in-executors.ts';
import type { CheckpointStore } from './checkpoint/checkpoint-store.ts';
import { agentChange } from './checkpoint/records.ts';
import type { Containerizer } from './containerizer/containerizer.ts';
import type { AgentAddress, AgentContext } from './context.ts';
import { installExecutorApi } from './executor-api.ts';
import { ExecutorSessions } from './executor-sessions.ts';
import { Executors } from './executors.ts';
import { type Fetcher, noFetcher } from './fetcher/fetcher.ts';
import { agentFlagTexts } from './flags.ts';
import { MasterLink, MasterLinkError, type MasterOrder } from './master-link.ts';
import { newMetrics } from './metrics.ts';
import { AgentDescription } from './online/agent-description.ts';
import { AttributeSync } from './online/attribute-sync.ts';
import { createEtcdGateway } from './online/etcd-gateway.ts';
import { installOnlineApi } from './online/online-api.ts';
import { AgentOperations } from './operations/agent-operations.ts';
import {
  createVolumeDirectories,
  type VolumeDirectories,
} from './operations/volume-directories.ts';
import { installOperatorApi } from './operator-api.ts';
import { acceptConfiguration } from './reconfiguration.ts';
import { cleanUp, recover } from './recovery.ts';
import { noSandboxes, type Sandboxes } from './sandbox/sandboxes.ts';
import { type AgentSettings, DEFAULT_AGENT_SETTINGS } from './settings.ts';
import { emptyState } from './state.ts';
import { StatusUpdates } from './status-updates.ts';
import { Tasks } from './tasks.ts';
import { AGENT_CAPABILITIES, MESOS_VERSION } from './version.ts';
import { createAgentViews } from './views/endpoints.ts';
import { allRuns, inventory, liveSandboxes } from './views.ts';

/** What an agent is made of. */
export interface AgentOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: HttpTransport;
  readonly checkpoint: CheckpointStore;
  readonly containerizer: Containerizer;
  /** Base URLs of all masters: `http://10.0.0.1:5050`. */
  readonly masters: readonly string[];
  /** Finds the leading master; `masters` is of no use then. */
  readonly detector?: Detector | undefined;
  /** Where executors reach `app`. */
  readonly address: AgentAddress;
  readonly resources: readonly Resource[];
  readonly attributes: readonly Attribute[];
  /** etcd with a prefix, `http://etcd:2379/agents/host-1`, whose attributes are followed. */
  readonly attributesEtcd?: string | undefined;
  readonly settings?: Partial<AgentSettings>;
  /** Where persistent volumes lie. Default: below the work directory. */
  readonly volumes?: VolumeDirectories;
  /** Default: everybody may do everything. */
  readonly security?: AgentSecurity;
  /** Default: one that refuses to fetch anything. */
  readonly fetcher?: Fetcher;
  /** Default: sandboxes are left as they are. */
  readonly sandboxes?: Sandboxes;
  /** Callers and executors speak TLS. */
  readonly tls?: ServerTls | undefined;
  /** How checks look at tasks; default: over real sockets. */
  readonly networkProbes?: NetworkProbes;
  /** The flags that operators are shown; default: those of an agent without any. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Called when the agent can't go on (its checkpoint can't be written). Default: throws. */
  readonly onFatal?: (error: unknown) => void;
}

/** A Mesos agent. */
export interface Agent {
  /** Executor API, operator API, health; the caller listens. */
  readonly app: FastifyInstance;
  /** The id that the master gave, when there is one. */
  readonly agentId: string | undefined;
  /**
   * Recovers what an earlier life left, and begins to look for a master. Listen before: executors
   * that are alive call back at once.
   * @throws CheckpointCorruptError, CheckpointInUseError when the checkpoint can't be used;
   * ReconfigurationError when the agent has become another than its policy allows.
   */
  start(): Promise<void>;
  /** Leaves the master and stops. Executors go on, and the next agent finds them. */
  close(): Promise<void>;
  /**
   * Tells the master that it will not come back, and ends all executors, by force after their grace
   * period; resolves when they are gone. Close it then.
   */
  leave(): Promise<void>;
  /** Instead of {@link start}: ends what an earlier life left, and forgets it and the agent's id. */
  cleanUp(): Promise<void>;
}

/** Puts an agent together. Nothing happens before `start`. */
export function createAgent(options: AgentOptions): Agent {
  return new AgentActor(options);
}

class AgentActor implements Agent {
  readonly app: FastifyInstance;
  readonly #options: AgentOptions;
  readonly #context: AgentContext;
  readonly #executors: Executors;
  readonly #tasks: Tasks;
  readonly #link: MasterLink;
  readonly #operations: AgentOperations;
  readonly #description: AgentDescription;
  readonly #attributeSync: AttributeSync | undefined;
  readonly #logging: LoggingLevel;
  #isRecovered = false;
  #isClosed = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#logging = new LoggingLevel(options.clock);
    this.#context = this.#createContext();
    this.#executors = new Executors(this.#context, (...run) => builtIn.start(...run));
    const sessions = new ExecutorSessions(this.#context, this.#executors);
    this.#tasks = new Tasks(this.#context, this.#executors, sessions);
    const probes = options.networkProbes ?? networkProbes;
    const builtIn = new BuiltInExecutors(
      this.#context,
      this.#executors,
      sessions,
      this.#tasks,
      probes,
    );
    this.#link = this.#createLink();
    this.#description = new AgentDescription({
      ...{ context: this.#context, resources: options.resources, attributes: options.attributes },
      setResources: (resources) => this.#operations.changeResources(resources),
    });
    this.#operations = new AgentOperations({
      context: this.#context,
      resources: () => this.#description.resources,
      volumes: options.volumes ?? createVolumeDirectories(this.#context.settings.workDir),
      resubscribe: (why) => this.#link.resubscribe(why),
    });
    this.#attributeSync = this.#createAttributeSync();
    const { clock, logger, random } = options;
    this.app = createHttpApp({
      service: 'mesos-agent',
      clock,
      logger,
      random,
      // Mesos knows no limit; an executor's message with a task's data stays far below this.
      bodyLimitBytes: 16 * 1024 * 1024,
      isReady: () => this.#readiness(),
      tls: options.tls,
    });
    const { authenticators } = this.#context.security;
    guardApp(this.app, { clock, authenticators, realmOf: agentRealm });
    const isRecovered = (): boolean => this.#isRecovered;
    const context = this.#context;
    installExecutorApi(this.app, { context, sessions, tasks: this.#tasks, isRecovered });
    installOnlineApi(this.app, { context, description: this.#description, isRecovered });
    const total = () => this.#operations.total;
    const views = createAgentViews(
      context,
      this.#logging,
      options.flags ?? agentFlagTexts(),
      total,
    );
    installOperatorApi(this.app, { context, master: () => this.#link.master, views });
  }

  get agentId(): string | undefined {
    return this.#context.state.agentId;
  }

  async start(): Promise<void> {
    const { checkpoint } = this.#options;
    const operations = this.#operations;
    await recover(this.#context, checkpoint, this.#executors, () => operations.recover());
    const { resources, attributes } = this.#options;
    acceptConfiguration(this.#context, { resources, attributes });
    this.#isRecovered = true;
    await this.#context.sandboxes.start(() => liveSandboxes(this.#context.state));
    this.#attributeSync?.start(this.#context.state.online.etcdAttributes ?? []);
    this.#link.start();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#logging.close();
    await this.#attributeSync?.stop();
    await this.#link.stop();
    this.#context.updates.close();
    this.#operations.close();
    this.#context.sandboxes.close();
    await this.#options.containerizer.close();
    for (const run of allRuns(this.#context.state)) {
      run.timer?.cancel();
      run.connection?.close();
    }
    await this.#options.checkpoint.close();
  }

  async leave(): Promise<void> {
    const { state, logger } = this.#context;
    logger.warn({ agentId: state.agentId }, 'unregistering and ending all executors');
    await this.#link.leave();
    await this.#endAllExecutors();
  }

  cleanUp(): Promise<void> {
    return cleanUp(this.#context, this.#options.checkpoint);
  }

  #createContext(): AgentContext {
    const { clock, random, address, containerizer, checkpoint } = this.#options;
    const logger = this.#logging.logger(this.#options.logger);
    const settings = { ...DEFAULT_AGENT_SETTINGS, ...this.#options.settings };
    const { security = openAgent } = this.#options;
    const state = emptyState();
    const metrics = newMetrics();
    const callMaster: AgentContext['callMaster'] = (call) => this.#link.call(call);
    const agentId = (): string => state.agentId ?? '';
    const updates = new StatusUpdates({
      ...{ clock, logger, settings, metrics, agentId },
      send: callMaster,
    });
    return {
      ...{ clock, random, logger, settings, security, address, state, containerizer },
      ...{ updates, metrics },
      fetcher: this.#options.fetcher ?? noFetcher,
      sandboxes: this.#options.sandboxes ?? noSandboxes,
      callMaster,
      commit: (changes) => checkpoint.commit(changes),
      agentInfo: () => this.#agentInfo(),
      linkVolumes: (...volumes) => this.#operations.linkVolumes(...volumes),
      unlinkVolumes: (run, resources) => this.#operations.unlinkVolumes(run, resources),
      spawn: (work) => {
        work.catch((error: unknown) => this.#fail(error));
      },
    };
  }

  #createLink(): MasterLink {
    const { clock, random, logger, transport, masters, detector } = this.#options;
    return new MasterLink({
      credential: this.#context.security.credential,
      ...{ clock, random, logger, transport, masters, detector },
      settings: this.#context.settings,
      describe: () => this.#describe(),
      onRegistered: (agentId) => this.#registered(agentId),
      onConnected: () => {
        this.#context.updates.resendAll();
        this.#operations.resendAll();
      },
      onEvent: (event) => this.#handle(event),
    });
  }

  #createAttributeSync(): AttributeSync | undefined {
    const { clock, random, logger, transport, attributesEtcd } = this.#options;
    if (attributesEtcd === undefined) return undefined;
    return new AttributeSync({
      ...{ clock, random, logger, gateway: createEtcdGateway(transport, attributesEtcd) },
      onAttributes: (etcdAttributes) => this.#description.change({ etcdAttributes }),
    });
  }

  #agentInfo(): AgentInfo {
    const { domain } = this.#context.settings;
    const { address } = this.#options;
    const { resources, attributes } = this.#description;
    const { agentId } = this.#context.state;
    return {
      hostname: address.hostname,
      port: address.port,
      resources,
      attributes,
      ...(domain === undefined ? {} : { domain }),
      ...(agentId === undefined ? {} : { id: { value: agentId } }),
    };
  }

  #describe(): AgentSubscribe {
    return {
      agent_info: this.#agentInfo(),
      version: MESOS_VERSION,
      ...(this.#options.tls === undefined ? {} : { scheme: 'https' as const }),
      capabilities: AGENT_CAPABILITIES,
      total_resources: this.#operations.total,
      operations: this.#operations.list(),
      ...inventory(this.#context),
    };
  }

  async #registered(agentId: string): Promise<void> {
    const { state, logger } = this.#context;
    if (state.agentId === agentId) return;
    const problem = idProblem(agentId);
    if (problem !== undefined) throw new MasterLinkError(`the master gave no agent id: ${problem}`);
    if (state.agentId !== undefined) {
      logger.warn({ from: state.agentId, to: agentId }, 'the master gave the agent another id');
    }
    state.agentId = agentId;
    await this.#context.commit([agentChange(agentId)]);
  }

  #handle(event: MasterOrder): void {
    const { state } = this.#context;
    switch (event.type) {
      case 'RUN_TASKS':
        this.#tasks.run(event);
        return;
      case 'KILL_TASK':
        this.#tasks.kill(event);
        return;
      case 'ACKNOWLEDGED':
        this.#context.spawn(this.#tasks.acknowledged(event));
        return;
      case 'MESSAGE':
        this.#tasks.messageToExecutor(event);
        return;
      case 'UPDATE_FRAMEWORK':
        this.#tasks.updateFramework(event.framework);
        // It comes when the scheduler is back: updates need not wait for their next retry.
        this.#context.updates.resendAll();
        this.#operations.resendAll();
        return;
      case 'APPLY_OPERATION':
        this.#operations.apply(event.operation);
        return;
      case 'OPERATION_ACKNOWLEDGED':
        this.#context.spawn(this.#operations.acknowledged(event.operation_uuid, event.uuid));
        return;
      case 'SHUTDOWN_EXECUTOR': {
        const run = state.frameworks.get(event.framework_id)?.executors.get(event.executor_id);
        if (run !== undefined) this.#executors.shutdown(run);
        return;
      }
      case 'SHUTDOWN_FRAMEWORK': {
        const framework = state.frameworks.get(event.framework_id);
        if (framework !== undefined) this.#executors.shutdownFramework(framework);
        return;
      }
      case 'SHUTDOWN':
        this.#context.spawn(this.#startOver(event.message));
    }
  }

  /** The master removed this agent: it ends everything and comes back as a new one. */
  async #startOver(why: string): Promise<void> {
    const { state, logger, commit } = this.#context;
    logger.error({ agentId: state.agentId, why }, 'the master removed this agent; starting over');
    await this.#link.stop();
    await this.#endAllExecutors();
    state.agentId = undefined;
    await commit([agentChange(undefined), ...this.#operations.forgetAll()]);
    if (!this.#isClosed) this.#link.start();
  }

  /** Nobody waits for word of their tasks any more. */
  async #endAllExecutors(): Promise<void> {
    for (const framework of this.#context.state.frameworks.values()) {
      this.#executors.shutdownFramework(framework);
    }
    await this.#executors.allGone();
  }

  #readiness(): { ready: boolean; reasons: readonly string[] } {
    const reasons: string[] = [];
    if (!this.#isRecovered) reasons.push('the agent has not finished recovery');
    if (this.#link.master === undefined) reasons.push('the agent is not subscribed at a master');
    return { ready: reasons.length === 0, reasons };
  }

  /** What could not be made durable must not be acted upon: a fresh start is the only way on. */
  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#context.logger.error({ err: error }, 'the agent can not go on');
    if (this.#options.onFatal !== undefined) {
      this.#options.onFatal(error);
      return;
    }
    queueMicrotask(() => {
      throw error;
    });
  }
}
