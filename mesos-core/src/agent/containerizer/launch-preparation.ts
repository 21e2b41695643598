import { symlink } from 'node:fs/promises';
import { hasErrorCode } from '@factory/runtime';
import type { CommandInfo } from '../../protocol/index.ts';
import { LaunchError, type LaunchRequest } from './containerizer.ts';
import type { ContainerRecord } from './isolators/isolator.ts';
import { succeeds } from './launcher/launch-tools.ts';
import type { Surroundings } from './launcher/surroundings.ts';
import { type Account, currentUid, lookUpAccount } from './launcher/user-account.ts';

/** What isolators know of a container that is to be launched. @throws LaunchError for a bad id. */
export function recordOf(request: LaunchRequest, parentKey: string | undefined): ContainerRecord {
  const { environment: _, command: __, ...kept } = request;
  const { containerId } = request;
  if (!/^[\w-]+$/.test(containerId)) {
    throw new LaunchError(`${JSON.stringify(containerId)} can't be the id of a container`);
  }
  const key = parentKey === undefined ? containerId : `${parentKey}.${containerId}`;
  return { ...kept, parentContainerId: parentKey, key };
}

const DEFAULT_ROWS = 24;
const DEFAULT_COLUMNS = 80;

/** The terminal of a container that wants one, for its launch plan. */
export function terminalOf({ io }: ContainerRecord, tty: string | undefined) {
  if (tty === undefined) return {};
  const { rows = DEFAULT_ROWS, columns = DEFAULT_COLUMNS } = io?.tty?.window_size ?? {};
  return { terminal: { tty, rows, columns } };
}

/** Makes the input of a container. @throws LaunchError when it can not. */
export async function makeFifo(path: string): Promise<void> {
  // Here and not by the launcher: it is rare, and only the agent knows of it.
  if (!(await succeeds('mkfifo', ['-m', '600', path]))) {
    throw new LaunchError(`can't make the FIFO ${path}`);
  }
}

/** Who the command runs as; `undefined`: as the agent. @throws LaunchError when it can not. */
export async function accountFor(request: LaunchRequest): Promise<Account | undefined> {
  if (request.user === undefined) return undefined;
  const account = await lookUpAccount(request.user);
  if (account.uid === currentUid()) return undefined;
  if (currentUid() !== 0) {
    throw new LaunchError(
      `the executor is to run as ${request.user}, but the agent is not root; ` +
        'use the same user or start the agent with --no-switch_user',
    );
  }
  return account;
}

/**
 * The command as a program and its arguments; without a value, the image's own.
 * @throws LaunchError when there is neither.
 */
export function commandArguments(
  command: CommandInfo,
  defaultCommand: readonly string[] = [],
): readonly string[] {
  const { shell = true, value = '', arguments: given = [] } = command;
  if (value === '') {
    if (defaultCommand.length === 0) throw new LaunchError('the command has no value');
    return [...defaultCommand, ...given];
  }
  if (shell) return ['/bin/sh', '-c', value];
  // arguments[0] is the program's own name for itself; exec from a shell can't set it.
  return [value, ...given.slice(1)];
}

/** The variables that the framework itself names. */
export function explicitVariables({ command, environment }: LaunchRequest): Record<string, string> {
  const names = (command.environment?.variables ?? []).map(({ name }) => name);
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** A container that asks for an image must never run on the files of the host instead. */
export function expectProvided({ container }: ContainerRecord, surroundings: Surroundings): void {
  if (container === undefined) return;
  if (container.type === 'DOCKER') {
    throw new LaunchError('this agent has no Docker containerizer; use a container of type MESOS');
  }
  const { rlimit_info: rlimits, linux_info: linux } = container;
  if ((rlimits?.rlimits ?? []).length > 0 && surroundings.wrappers.length === 0) {
    throw new LaunchError('resource limits need --isolation=posix/rlimits');
  }
  const { effective_capabilities, bounding_capabilities, capability_info } = linux ?? {};
  const capabilities = effective_capabilities ?? bounding_capabilities ?? capability_info;
  if (capabilities !== undefined && surroundings.privileges.length === 0) {
    throw new LaunchError('capabilities need --isolation=linux/capabilities');
  }
  if (surroundings.privileges.length > 0 && surroundings.rootfs !== undefined) {
    throw new LaunchError('capabilities of containers with an image are not supported');
  }
  const isMissing = container.mesos?.image !== undefined && surroundings.rootfs === undefined;
  const hasVolumes = (container.volumes ?? []).length > 0;
  if (isMissing || (hasVolumes && surroundings.mounts.length + surroundings.links.length === 0)) {
    throw new LaunchError('images and volumes need --isolation=filesystem/linux');
  }
}

/** The links that isolators want in the sandbox. */
export async function makeLinks({ links }: Surroundings): Promise<void> {
  for (const [target, path] of links) {
    try {
      await symlink(target, path);
    } catch (error) {
      if (!hasErrorCode(error, 'EEXIST')) throw error;
    }
  }
}
