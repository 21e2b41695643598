import { mkdir } from 'node:fs/promises';
import type { Endpoints } from '@factory/contracts';
import {
  type Clock,
  createUndiciTransport,
  grantTraversal,
  type HttpTransport,
  isSameProcessAlive,
  type Logger,
  writeFileAtomic,
} from '@factory/runtime';
import { bootstrap } from './bootstrap.ts';
import { cleanUp } from './clean-up.ts';
import { type Databases, openDatabases } from './databases.ts';
import { ensureMicroImage, ensureSimulatedImage } from './host.ts';
import { clusterDirectory, hostDirectory } from './layout.ts';
import { LibvirtDaemons } from './libvirt-daemons.ts';
import { ManagedProcess } from './managed-process.ts';
import { type FactoryPlan, type ProcessSpec, processSpecs, urlOf } from './process-plan.ts';
import { identify, type RunState, readRunState, writeRunState } from './run-state.ts';
import { ensureSecrets, putSecret } from './secrets.ts';
import { prepareSharedStorage, watchSharedStorage } from './shared-storage.ts';

const READY_TIMEOUT_MS = 90_000;

/** A line for the person who waits. */
export type OnProgress = (text: string) => void;

export interface SupervisorOptions {
  readonly plan: FactoryPlan;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onProgress: OnProgress;
}

/** Runs a whole factory on this machine: brings it up in order, keeps it up, takes it down. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #transport: HttpTransport = createUndiciTransport();
  #processes: readonly ManagedProcess[] = [];
  #databases: Databases | undefined;
  #daemons: LibvirtDaemons | undefined;
  #isReady = false;
  #unwatchStorage: () => void = () => undefined;
  #starting: Promise<void> = Promise.resolve();
  #isStopping = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Brings everything up; resolves when the factory is ready for work.
   * @throws with what did not come up and where its log is; `stop` still has to be called.
   */
  start(): Promise<void> {
    this.#starting = this.#bringUp();
    return this.#starting;
  }

  async #bringUp(): Promise<void> {
    const { plan, onProgress, clock, logger } = this.#options;
    await this.#prepareFolders();
    this.#daemons = new LibvirtDaemons({
      ...{ layout: plan.layout, clock, logger },
      earlier: (await readRunState(plan.layout))?.daemons ?? [],
      onChange: () => void this.#writeState(),
    });
    const { internalToken } = await ensureSecrets(
      plan.layout,
      plan.clusters.map(({ name }) => name),
    );
    this.#processes = processSpecs(plan).map((spec) => this.#managed(spec));
    await this.#writeState();
    onProgress('opening the databases');
    const prepared = await Promise.allSettled([this.#openDatabases(), this.#prepareHost()]);
    for (const each of prepared) if (each.status === 'rejected') throw each.reason;
    if (this.#isStopping) throw new Error('the factory was stopped while it started');
    onProgress('starting the services');
    for (const each of this.#processes) if (!each.spec.afterBootstrap) each.start();
    await this.#ready('api-server');
    await bootstrap(plan, this.#transport, internalToken);
    for (const each of this.#processes) if (each.spec.afterBootstrap) each.start();
    await Promise.all(this.#processes.map((each) => this.#readyAndSay(each)));
    await this.#writeEndpoints();
    this.#isReady = true;
    await this.#writeState();
  }

  /** Takes everything down, in order; guests too, unless they are to be kept. */
  async stop(options: { readonly keepVms: boolean }): Promise<void> {
    const { plan, onProgress, clock } = this.#options;
    this.#isStopping = true;
    this.#unwatchStorage();
    onProgress('stopping the services');
    for (const group of stopGroups(this.#processes)) {
      await Promise.all(group.map((each) => each.stop()));
    }
    // What is being started at this moment has to be there before it can be ended.
    await Promise.allSettled([this.#starting]);
    this.#daemons?.close();
    this.#unwatchStorage();
    await this.#writing;
    await cleanUp({ layout: plan.layout, keepVms: options.keepVms, clock, onProgress });
    await this.#databases?.close();
    await this.#transport.close();
  }

  #managed(spec: ProcessSpec): ManagedProcess {
    const { plan, clock } = this.#options;
    return new ManagedProcess(spec, {
      clock,
      transport: this.#transport,
      root: plan.layout.root,
      logDirectory: plan.layout.logs,
      onChange: () => void this.#writeState(),
    });
  }

  async #prepareFolders(): Promise<void> {
    const { layout, clusters } = this.#options.plan;
    for (const directory of [layout.run, layout.logs]) {
      await mkdir(directory, { recursive: true });
    }
    for (const cluster of clusters) {
      await mkdir(clusterDirectory(layout, cluster.name), { recursive: true });
      for (const agent of cluster.agents) {
        await mkdir(hostDirectory(layout, cluster.name, agent.name), { recursive: true });
      }
    }
  }

  async #openDatabases(): Promise<void> {
    const { plan, clock, logger } = this.#options;
    const { layout, clusters } = plan;
    const embedded = { dataDirectory: layout.postgres, clock, logger };
    const databases = await openDatabases(embedded, process.env);
    this.#databases = databases;
    await putSecret(layout, 'api-database-url', databases.apiUrl);
    for (const { name } of clusters) {
      await putSecret(layout, `${name}-database-url`, await databases.clusterUrl(name));
    }
  }

  /** What real guests need of this machine. */
  async #prepareHost(): Promise<void> {
    const { plan, clock, onProgress } = this.#options;
    const { sharedStorage } = plan.options;
    if (sharedStorage === 'gluster') onProgress('starting GlusterFS');
    await prepareSharedStorage(plan.layout, sharedStorage, clock);
    this.#unwatchStorage = watchSharedStorage(plan.layout, sharedStorage, this.#options);
    if (plan.options.hypervisor === 'simulated') {
      await ensureSimulatedImage(plan.layout);
      return;
    }
    await ensureMicroImage(plan.layout, onProgress);
    await this.#daemons?.start();
    for (const path of [plan.layout.images, plan.layout.volumes]) {
      await grantTraversal({ path, user: 'libvirt-qemu' });
    }
  }

  async #ready(name: string): Promise<void> {
    const found = this.#processes.find((each) => each.spec.name === name);
    await found?.waitUntilReady(READY_TIMEOUT_MS);
  }

  async #readyAndSay(each: ManagedProcess): Promise<void> {
    await each.waitUntilReady(READY_TIMEOUT_MS);
    this.#options.onProgress(`${each.spec.name} is ready`);
  }

  /** Writes who runs what; one write at a time, the last one wins. */
  #writeState(): Promise<void> {
    const { logger, plan } = this.#options;
    this.#writing = this.#writing
      .then(async () => {
        const state = await this.#state();
        if (state !== undefined) await writeRunState(plan.layout, state);
      })
      // The next change writes it again; the processes run meanwhile.
      .catch((error: unknown) => logger.error({ err: error }, 'the state can not be written'));
    return this.#writing;
  }

  async #state(): Promise<RunState | undefined> {
    const supervisor = await identify(process.pid);
    if (supervisor === null) return undefined;
    const processes = this.#processes.map(async (each) => ({
      name: each.spec.name,
      readyUrl: each.spec.readyUrl,
      logFile: each.logFile,
      identity: await identify(each.pid),
      restarts: each.restarts,
    }));
    const daemons = this.#daemons?.owned.map(async (daemon) =>
      (await isSameProcessAlive(daemon.identity)) ? [daemon] : [],
    );
    return {
      supervisor,
      ready: this.#isReady,
      hypervisor: this.#options.plan.options.hypervisor,
      processes: await Promise.all(processes),
      daemons: (await Promise.all(daemons ?? [])).flat(),
    };
  }

  async #writeEndpoints(): Promise<void> {
    const { layout, gatewayPorts, clusters } = this.#options.plan;
    const [gateway = '', ...others] = gatewayPorts.map(urlOf);
    const endpoints: Endpoints = {
      ...{ gateway, console: gateway },
      ...(others.length === 0 ? {} : { gateways: [gateway, ...others] }),
      clusters: clusters.map((cluster) => ({
        name: cluster.name,
        master: urlOf(cluster.masterPort),
        agents: cluster.agents.map(({ port }) => urlOf(port)),
        vmScheduler: urlOf(cluster.vmSchedulerPort),
        containerScheduler: null,
      })),
    };
    const text = `${JSON.stringify(endpoints, null, 2)}\n`;
    await writeFileAtomic(layout.endpointsFile, text, { mode: 0o644, fsync: false });
  }
}

/** Callers before callees: what is stopped later still answers those that are stopped earlier. */
function stopGroups(processes: readonly ManagedProcess[]): readonly (readonly ManagedProcess[])[] {
  const isIn = (words: readonly string[]) => (each: ManagedProcess) =>
    words.some((word) => each.spec.name.includes(word));
  const front = processes.filter(isIn(['api-gateway', 'cluster-server']));
  const middle = processes.filter(isIn(['api-server', 'vm-scheduler']));
  const core = processes.filter((each) => !front.includes(each) && !middle.includes(each));
  return [front, middle, core];
}
