import { join } from 'node:path';
import type { Clock, Logger } from '@factory/runtime';
import type { ResourceStatistics, Resources } from '../../protocol/index.ts';
import type {
  Container,
  ContainerEnd,
  ContainerIdentity,
  Containerizer,
  ContainerStreams,
  LaunchRequest,
} from './containerizer.ts';
import {
  type ContainerRecord,
  type Isolator,
  isNested,
  type Limitation,
  rootKey,
} from './isolators/isolator.ts';
import {
  accountFor,
  commandArguments,
  expectProvided,
  explicitVariables,
  makeFifo,
  makeLinks,
  recordOf,
  terminalOf,
} from './launch-preparation.ts';
import { type LaunchTools, launchScripts } from './launcher/launch-script.ts';
import { findLaunchTools } from './launcher/launch-tools.ts';
import { Launcher } from './launcher/launcher.ts';
import { ProcessReaper } from './launcher/process-reaper.ts';
import type { RuntimeDirectory } from './launcher/runtime-directory.ts';
import { prepareSandbox } from './launcher/sandbox.ts';
import { mergeSurroundings, type Surroundings } from './launcher/surroundings.ts';
import type { Account } from './launcher/user-account.ts';

/** What a containerizer is made of. */
export interface MesosContainerizerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where what is known of containers is kept while they live. */
  readonly runtime: RuntimeDirectory;
  /** In the order in which they prepare containers. */
  readonly isolators?: readonly Isolator[];
  /** How often containers whose supervisor is gone are looked at. */
  readonly pollIntervalMs?: number;
}

/**
 * Starts containers as processes that outlive the agent, in what their isolators make for them. How
 * a container ended is known to a later agent too.
 */
export function createMesosContainerizer(options: MesosContainerizerOptions): Containerizer {
  return new MesosContainerizer(options);
}

class MesosContainerizer implements Containerizer {
  readonly #options: MesosContainerizerOptions;
  readonly #isolators: readonly Isolator[];
  readonly #launcher: Launcher;
  readonly #reaper: ProcessReaper;
  /** All that have begun and were not forgotten, by key. */
  readonly #live = new Map<string, LiveContainer>();
  /** Keys of containers that this agent has asked for, found yet or not. */
  readonly #claimed = new Set<string>();
  #tools: Promise<LaunchTools> | undefined;

  constructor(options: MesosContainerizerOptions) {
    this.#options = options;
    this.#isolators = options.isolators ?? [];
    this.#launcher = new Launcher(options);
    this.#reaper = new ProcessReaper(options);
  }

  async launch(
    request: LaunchRequest,
    beforeRun: (identity: ContainerIdentity) => Promise<void>,
  ): Promise<Container> {
    const record = recordOf(request, this.#fullKey(request.parentContainerId));
    // At once, as in `recover`; and an agent that died may have come as far as a process of it.
    this.#claimed.add(record.key);
    const account = await accountFor(request);
    await this.#endUnknown(record.key);
    await prepareSandbox(request.directory, account);
    await this.#launcher.runtime.create(record.key);
    const identity = await this.#start(record, request, account, beforeRun);
    const { frameworkId, executorId } = request;
    const ids = { frameworkId, executorId, containerId: record.key, pid: identity.pid };
    this.#options.logger.info(ids, 'container started');
    return this.#watch(record, identity);
  }

  async recover(identity: ContainerIdentity): Promise<Container> {
    // At once: whoever asks for a container that is being recovered must not take it for an orphan.
    this.#claimed.add(identity.containerId);
    this.#launcher.attend();
    const record = await this.#launcher.runtime.readRecord(identity.containerId);
    await this.#launcher.openGateAgain(identity.containerId);
    return this.#watch(record, identity);
  }

  async removeOrphans(): Promise<void> {
    for (const key of await this.#launcher.runtime.list()) {
      if (this.#claimed.has(key)) continue;
      // What is nested lives and dies with the outermost; its own owner may not have come yet.
      if (this.#live.has(rootKey(key)) || (await this.#recoverStandalone(key))) continue;
      this.#options.logger.warn({ containerId: key }, 'ending a container that nobody knows');
      await this.#endUnknown(key);
    }
  }

  /** Ends and removes what an earlier agent left of a container, as far as it had come with it. */
  async #endUnknown(key: string): Promise<void> {
    const { runtime } = this.#launcher;
    if (!(await runtime.has(key))) return;
    const record = await runtime.readRecord(key);
    // The supervisor too: it may not have come to its container yet.
    for (const found of [await runtime.supervisor(key), await runtime.process(key)]) {
      if (found !== undefined) await this.#reaper.killAll(found, () => this.#processes(record));
    }
    await this.#cleanUp(record);
    await runtime.remove(key);
  }

  async find(key: string): Promise<Container | undefined> {
    const live = this.#live.get(key);
    if (live !== undefined) return live.container;
    const started = await this.#launcher.runtime.process(key);
    return started === undefined ? undefined : this.recover({ ...started, containerId: key });
  }

  list(parentKey?: string): readonly string[] {
    const keys = [...this.#live.keys()];
    return parentKey === undefined ? keys : keys.filter((key) => key.startsWith(`${parentKey}.`));
  }

  async #recoverStandalone(key: string): Promise<boolean> {
    const record = await this.#launcher.runtime.readRecord(rootKey(key));
    if (record.isStandalone !== true) return false;
    return (await this.find(rootKey(key))) !== undefined;
  }

  /** Owners of containers know the id of the one that theirs is in, not always all the way up. */
  #fullKey(parentContainerId: string | undefined): string | undefined {
    if (parentContainerId === undefined || this.#live.has(parentContainerId)) {
      return parentContainerId;
    }
    const suffix = `.${parentContainerId}`;
    return this.list().find((key) => key.endsWith(suffix)) ?? parentContainerId;
  }

  async pruneImages(keep: readonly string[]): Promise<void> {
    const used = [...this.#live.values()].flatMap(
      ({ record }) => record.container?.mesos?.image?.docker?.name ?? [],
    );
    const all = new Set([...keep, ...used]);
    for (const isolator of this.#isolators) await isolator.pruneImages?.(all);
  }

  async close(): Promise<void> {
    for (const live of this.#live.values()) live.stopWatching();
    await this.#launcher.close();
    this.#reaper.close();
    for (const isolator of this.#isolators) await isolator.close?.();
  }

  async #start(
    record: ContainerRecord,
    request: LaunchRequest,
    account: Account | undefined,
    beforeRun: (identity: ContainerIdentity) => Promise<void>,
  ): Promise<ContainerIdentity> {
    const { key } = record;
    const { runtime } = this.#launcher;
    let identity: ContainerIdentity | undefined;
    try {
      await this.#launcher.runtime.writeRecord(record);
      const { recoveryTimeoutMs } = request;
      if (recoveryTimeoutMs !== undefined) {
        await runtime.writeRecoveryTimeout(key, recoveryTimeoutMs);
      }
      if (record.io !== undefined) await makeFifo(join(runtime.of(key), 'stdin'));
      const surroundings = await this.#prepare(record);
      expectProvided(record, surroundings);
      await makeLinks(surroundings);
      identity = { ...(await this.#launcher.fork(key)), containerId: key };
      for (const isolator of this.#isolators) await isolator.isolate?.(record, identity.pid);
      const scripts = launchScripts(
        {
          ...this.#filesOf(record),
          environment: {
            ...request.environment,
            ...surroundings.environment,
            // What the framework names itself wins over what an image brings.
            ...explicitVariables(request),
          },
          account,
          surroundings,
          command: commandArguments(request.command, surroundings.defaultCommand),
        },
        await this.#findTools(),
      );
      // First, so that a later agent can let it begin when this one dies after `beforeRun`.
      await this.#launcher.writeScripts(key, scripts);
      await beforeRun(identity);
      await this.#launcher.openGate(key);
      return identity;
    } catch (error) {
      // It waits behind its gate: nothing of it has run.
      if (identity !== undefined) await this.#reaper.killAll(identity, async () => []);
      await this.#cleanUp(record);
      await this.#launcher.runtime.remove(key);
      throw error;
    }
  }

  #filesOf(record: ContainerRecord) {
    const { directory } = record;
    return {
      runtimeDirectory: this.#launcher.runtime.of(record.key),
      directory,
      ...this.#streamsOf(record),
      stdin: this.#streamsOf(record).stdin ?? '/dev/null',
      ...terminalOf(record, this.#streamsOf(record).tty),
    };
  }

  #streamsOf({ key, directory, io }: ContainerRecord): ContainerStreams {
    const runtimeDirectory = this.#launcher.runtime.of(key);
    return {
      stdin: io === undefined ? undefined : join(runtimeDirectory, 'stdin'),
      stdout: join(directory, 'stdout'),
      stderr: join(directory, 'stderr'),
      tty: io?.tty === undefined ? undefined : join(runtimeDirectory, 'tty'),
    };
  }

  async #prepare(record: ContainerRecord): Promise<Surroundings> {
    const all: Partial<Surroundings>[] = [];
    for (const isolator of this.#isolators) {
      const wanted = await isolator.prepare?.(record);
      if (wanted !== undefined) all.push(wanted);
    }
    return mergeSurroundings(all);
  }

  #watch(record: ContainerRecord, identity: ContainerIdentity): Container {
    const { key } = record;
    const live = new LiveContainer(record, identity);
    this.#live.set(key, live);
    this.#startWatches(live);
    const ended = this.#launcher.ended(key, identity);
    live.container = {
      identity,
      streams: this.#streamsOf(record),
      exited: ended.then((status) => this.#settle(live, status)),
      kill: () => this.#kill(live),
      signal: (signal) => this.#reaper.signalGroup(identity, signal),
      usage: () => this.#usage(live),
      status: () => ({ container_id: { value: key }, executor_pid: identity.pid }),
      update: (resources, limits) => this.#update(live, resources, limits),
      forget: () => this.#forget(key),
    };
    return live.container;
  }

  #startWatches(live: LiveContainer): void {
    const exceeded = (limitation: Limitation): void => {
      live.limitation ??= limitation;
      const { reason, message } = limitation;
      this.#options.logger.warn({ containerId: live.record.key, reason }, message);
      this.#spawn(live, this.#kill(live));
    };
    for (const isolator of this.#isolators) {
      const stop = isolator.watch?.(live.record, exceeded);
      if (stop !== undefined) live.watches.push(stop);
    }
  }

  async #settle(live: LiveContainer, status: number): Promise<ContainerEnd> {
    live.stopWatching();
    try {
      for (const nested of this.#nestedIn(live)) await this.#kill(nested);
      await this.#reaper.killAll(live.identity, () => this.#processes(live.record), 'quick');
      for (const isolator of this.#isolators) {
        live.limitation ??= await isolator.explain?.(live.record);
      }
      await this.#cleanUp(live.record);
      live.isOver = true;
    } catch (err) {
      // What is left of it is tried again when an agent starts; its end must be told now.
      this.#options.logger.error({ err, containerId: live.record.key }, "can't clean up after it");
    }
    const { limitation } = live;
    if (limitation === undefined) return { status };
    const { reason, message, resources } = limitation;
    return { status, reason, message, limitation: resources };
  }

  async #kill(live: LiveContainer): Promise<void> {
    for (const each of [...this.#nestedIn(live), live]) {
      await this.#reaper.killAll(each.identity, () => this.#processesOf(each));
    }
  }

  /** None once it is over: the next container of this id, which may have begun, is another one. */
  async #processesOf(live: LiveContainer): Promise<readonly number[]> {
    const processes = await this.#processes(live.record);
    return live.isOver ? [] : processes;
  }

  #nestedIn({ record }: LiveContainer): readonly LiveContainer[] {
    return this.list(record.key).flatMap((key) => this.#live.get(key) ?? []);
  }

  async #processes(record: ContainerRecord): Promise<readonly number[]> {
    if (isNested(record)) return [];
    const all: number[] = [];
    for (const isolator of this.#isolators) {
      all.push(...((await isolator.processes?.(record)) ?? []));
    }
    return all;
  }

  async #usage({ record, identity }: LiveContainer): Promise<ResourceStatistics> {
    const parts: Partial<ResourceStatistics>[] = [];
    for (const isolator of this.#isolators) {
      const part = await isolator.usage?.(record, identity.pid);
      if (part !== undefined) parts.push(part);
    }
    return Object.assign({ timestamp: this.#options.clock.nowMs() / 1000 }, ...parts);
  }

  async #update(
    live: LiveContainer,
    resources: Resources,
    limits: Readonly<Record<string, number>> | undefined,
  ): Promise<void> {
    live.record = { ...live.record, resources, limits };
    await this.#launcher.runtime.writeRecord(live.record);
    for (const isolator of this.#isolators) await isolator.update?.(live.record);
    live.stopWatching();
    this.#startWatches(live);
  }

  async #forget(key: string): Promise<void> {
    const { runtime } = this.#launcher;
    this.#live.delete(key);
    this.#claimed.delete(key);
    await runtime.remove(key);
    if (key !== rootKey(key)) return;
    // Of nested ones whose owner died with an earlier agent.
    const left = (await runtime.list()).filter((each) => each.startsWith(`${key}.`));
    for (const each of left) await this.#endUnknown(each);
  }

  async #cleanUp(record: ContainerRecord): Promise<void> {
    for (const isolator of this.#isolators.toReversed()) await isolator.cleanUp?.(record);
  }

  #findTools(): Promise<LaunchTools> {
    this.#tools ??= findLaunchTools();
    return this.#tools;
  }

  #spawn(live: LiveContainer, work: Promise<unknown>): void {
    work.catch((err: unknown) => {
      this.#options.logger.error({ err, containerId: live.record.key }, "can't end a container");
    });
  }
}

class LiveContainer {
  record: ContainerRecord;
  readonly identity: ContainerIdentity;
  readonly watches: (() => void)[] = [];
  limitation: Limitation | undefined;
  /** It has ended, and nothing is left of it. */
  isOver = false;
  container: Container | undefined;

  constructor(record: ContainerRecord, identity: ContainerIdentity) {
    this.record = record;
    this.identity = identity;
  }

  stopWatching(): void {
    for (const stop of this.watches.splice(0)) stop();
  }
}
