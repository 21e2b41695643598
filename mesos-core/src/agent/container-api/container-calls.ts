import { rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { MesosHttpError } from '../../http/mesos-http.ts';
import type {
  AgentApiResponseWaitNestedContainer,
  CommandInfo,
  ContainerID,
  ContainerInfo,
  Resources,
  ValueScalar,
} from '../../protocol/index.ts';
import {
  type Container,
  type ContainerIo,
  LaunchError,
  type LaunchRequest,
  UNKNOWN_EXIT_STATUS,
} from '../containerizer/containerizer.ts';
import type { AgentContext } from '../context.ts';
import { commandVariables, executorEnvironment } from '../executor-environment.ts';
import type { ExecutorRun, Framework } from '../state.ts';
import { containerKey } from './container-ids.ts';
import { holdInput } from './container-io.ts';

/** What LAUNCH_CONTAINER and its kin ask for. */
export interface ContainerWish {
  readonly container_id: ContainerID;
  readonly command?: CommandInfo | undefined;
  readonly container?: ContainerInfo | undefined;
  readonly resources?: Resources | undefined;
  readonly limits?: Readonly<Record<string, ValueScalar>> | undefined;
}

/** How a container is launched that somebody will talk to. */
export interface LaunchOptions {
  readonly isSession: boolean;
}

/**
 * Starts a container by the agent's API: nested in one of an executor, or standalone.
 * @returns false when there is one with this id already.
 * @throws MesosHttpError 400 or 404 when it can't be.
 */
export async function launchContainer(
  context: AgentContext,
  wish: ContainerWish,
  options: LaunchOptions = { isSession: false },
): Promise<boolean> {
  const key = containerKey(wish.container_id);
  if ((await context.containerizer.find(key)) !== undefined) return false;
  const request =
    wish.container_id.parent === undefined
      ? standaloneRequest(context, wish)
      : await nestedRequest(context, wish, options);
  try {
    // Its runtime directory is all that a later agent needs to know of it.
    const container = await context.containerizer.launch(request, async () => undefined);
    if (request.io !== undefined) holdInput(context.clock, container);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    throw new MesosHttpError(400, `Failed to launch container: ${error.message}`);
  }
  return true;
}

/** How the container ended, as soon as it has. @throws MesosHttpError 404 */
export async function waitForContainer(
  context: AgentContext,
  id: ContainerID,
): Promise<AgentApiResponseWaitNestedContainer> {
  const container = await findContainer(context, id);
  const { status, reason, message, limitation } = await container.exited;
  return {
    ...(status === UNKNOWN_EXIT_STATUS ? {} : { exit_status: status }),
    ...(reason === undefined ? {} : { state: 'TASK_FAILED', reason }),
    ...(message === undefined ? {} : { message }),
    ...(limitation === undefined ? {} : { limitation: { resources: limitation } }),
  };
}

/** Sends a signal (default SIGKILL, to all of it) to a container. @throws MesosHttpError 400, 404 */
export async function killContainer(
  context: AgentContext,
  id: ContainerID,
  signal: number = constants.signals.SIGKILL,
): Promise<void> {
  const container = await findContainer(context, id);
  if (signal === constants.signals.SIGKILL) return container.kill();
  const name = signalNames().get(signal);
  if (name === undefined) throw new MesosHttpError(400, `There is no signal ${signal}`);
  return container.signal(name);
}

/**
 * Removes what is left of a container that has ended: its sandbox, and how it ended.
 * @throws MesosHttpError 404; 400 when it still runs.
 */
export async function removeContainer(context: AgentContext, id: ContainerID): Promise<void> {
  const container = await findContainer(context, id);
  const stillRuns = Symbol('running');
  const end = await Promise.race([container.exited, Promise.resolve(stillRuns)]);
  if (end === stillRuns) {
    throw new MesosHttpError(400, `Container ${containerKey(id)} has not terminated yet`);
  }
  await container.forget();
  const directory = sandboxOf(context, id);
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
}

/** @throws MesosHttpError 404 when there is no such container. */
export async function findContainer(context: AgentContext, id: ContainerID): Promise<Container> {
  const key = containerKey(id);
  const container = await context.containerizer.find(key);
  if (container !== undefined) return container;
  throw new MesosHttpError(404, `Container ${key} cannot be found`);
}

function signalNames(): ReadonlyMap<number, NodeJS.Signals> {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return new Map(names.map(([name, value]) => [value, name]));
}

function sandboxOf(context: AgentContext, id: ContainerID): string | undefined {
  if (id.parent === undefined) return join(context.settings.workDir, 'containers', id.value);
  const parent =
    id.parent.parent === undefined
      ? runOf(context, id.parent.value)?.run.directory
      : sandboxOf(context, id.parent);
  return parent === undefined ? undefined : join(parent, 'containers', id.value);
}

function standaloneRequest(context: AgentContext, wish: ContainerWish): LaunchRequest {
  const { container_id: id, command = {}, container, resources = [], limits = {} } = wish;
  const directory = join(context.settings.workDir, 'containers', id.value);
  return {
    ...{ frameworkId: '', executorId: '', containerId: id.value, directory, command, container },
    ...{ resources, isStandalone: true },
    limits: Object.fromEntries(Object.entries(limits).map(([name, { value }]) => [name, value])),
    environment: {
      ...context.settings.executorEnvironment,
      ...{ MESOS_SANDBOX: directory, PWD: directory },
      ...commandVariables(command.environment?.variables ?? []),
    },
    user: context.settings.switchUser ? command.user : undefined,
  };
}

async function nestedRequest(
  context: AgentContext,
  wish: ContainerWish,
  { isSession }: LaunchOptions,
): Promise<LaunchRequest> {
  const { container_id: id, command = {}, container, resources = [] } = wish;
  const parent = id.parent ?? { value: '' };
  const parentKey = containerKey(parent);
  await findContainer(context, parent);
  const owner = runOf(context, parentKey.split('.', 1)[0] ?? '');
  const directory = sandboxOf(context, id);
  if (owner === undefined || directory === undefined) {
    throw new MesosHttpError(404, `Unable to locate executor for parent container ${parentKey}`);
  }
  const { framework, run } = owner;
  const io: ContainerIo | undefined =
    isSession || container?.tty_info !== undefined ? { tty: container?.tty_info } : undefined;
  return {
    ...{ frameworkId: run.frameworkId, executorId: run.executorId, containerId: id.value },
    ...{ parentContainerId: parentKey, directory, command, container, resources, io },
    environment: {
      ...executorEnvironment(context, framework, run),
      ...{ MESOS_SANDBOX: directory, MESOS_CONTAINER_ID: containerKey(id), PWD: directory },
      ...commandVariables(command.environment?.variables ?? []),
    },
    user: run.user === undefined ? undefined : command.user || run.user,
  };
}

function runOf(
  { state }: AgentContext,
  containerId: string,
): { readonly framework: Framework; readonly run: ExecutorRun } | undefined {
  for (const framework of state.frameworks.values()) {
    for (const run of framework.executors.values()) {
      if (run.containerId === containerId) return { framework, run };
    }
  }
  return undefined;
}
