import { type ChildProcess, spawn } from 'node:child_process';
import { type FileHandle, mkdir, open, rm, symlink } from 'node:fs/promises';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import {
  type Clock,
  hasErrorCode,
  identifyProcess,
  isSameProcessAlive,
  type Logger,
  type ProcessIdentity,
  sleep,
} from '@factory/runtime';
import type { CommandInfo } from '../../protocol/index.ts';
import {
  type Container,
  type ContainerIdentity,
  type Containerizer,
  LaunchError,
  type LaunchRequest,
  UNKNOWN_EXIT_STATUS,
} from './containerizer.ts';
import { type Account, currentUid, lookUpAccount } from './user-account.ts';

/** How often the life of an executor that is not our child is looked at. */
const POLL_INTERVAL_MS = 250;

/** Mesos' launcher waits in the same way for the agent's word that the pid is checkpointed. */
const GATE_SCRIPT = 'read -r go && exec "$@" </dev/null';

/**
 * Starts executors as processes: each in a session of its own and its sandbox as working directory,
 * with `stdout` and `stderr` files there. They outlive the agent.
 */
export function createPosixContainerizer(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Poll interval for executors of an earlier agent; at most 500 ms makes sense. */
  readonly pollIntervalMs?: number;
}): Containerizer {
  const { clock, logger, pollIntervalMs = POLL_INTERVAL_MS } = options;
  const closing = new AbortController();
  return {
    async launch(request, beforeRun) {
      const account = await accountFor(request);
      await prepareSandbox(request.directory, account);
      const child = await spawnGated(request, account);
      try {
        const identity = { ...(await identify(child)), containerId: request.containerId };
        await beforeRun(identity);
        child.stdin?.end('go\n');
        logger.info({ ...idsOf(request), pid: identity.pid }, 'executor started');
        return watchChild(child, identity);
      } catch (error) {
        // The end of its input makes the gate exit before the executor has begun.
        child.stdin?.destroy();
        throw error;
      }
    },
    async recover(identity) {
      return view(identity, watchStranger(clock, identity, pollIntervalMs, closing.signal));
    },
    async close() {
      closing.abort();
    },
  };
}

function idsOf(request: LaunchRequest): object {
  const { frameworkId, executorId, containerId } = request;
  return { frameworkId, executorId, containerId };
}

async function accountFor(request: LaunchRequest): Promise<Account | undefined> {
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

async function prepareSandbox(directory: string, account: Account | undefined): Promise<void> {
  const runs = dirname(directory);
  try {
    await mkdir(runs, { recursive: true, mode: 0o755 });
    await makeDirectory(directory);
    if (account !== undefined) await chownDirectory(directory, account);
    const latest = join(runs, 'latest');
    await rm(latest, { force: true });
    await symlink(basename(directory), latest);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LaunchError(`can't make the sandbox ${directory}: ${why}`, { cause });
  }
}

/** A launch that is made again after a crash finds its sandbox. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o750 });
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
  }
}

async function chownDirectory(directory: string, account: Account): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.chown(account.uid, account.gid);
  } finally {
    await handle.close();
  }
}

/** The command as arguments of exec, behind the gate. */
export function commandArguments(command: CommandInfo): readonly string[] {
  const { shell = true, value } = command;
  if (value === undefined || value === '') throw new LaunchError('the command has no value');
  if (shell) return ['/bin/sh', '-c', value];
  // arguments[0] is the program's own name for itself; exec from a shell can't set it.
  return [value, ...(command.arguments ?? []).slice(1)];
}

function userArguments(account: Account | undefined): readonly string[] {
  if (account === undefined) return [];
  const { uid, gid } = account;
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
}

async function spawnGated(
  request: LaunchRequest,
  account: Account | undefined,
): Promise<ChildProcess> {
  const command = [...userArguments(account), ...commandArguments(request.command)];
  const files = await openOutputs(request.directory, account);
  try {
    return spawn('/bin/sh', ['-c', GATE_SCRIPT, 'mesos-executor-gate', ...command], {
      cwd: request.directory,
      env: { ...request.environment },
      detached: true,
      stdio: ['pipe', files[0].fd, files[1].fd],
    });
  } finally {
    for (const file of files) await file.close();
  }
}

async function openOutputs(
  directory: string,
  account: Account | undefined,
): Promise<readonly [FileHandle, FileHandle]> {
  const openOutput = async (name: string): Promise<FileHandle> => {
    const file = await open(join(directory, name), 'a', 0o640);
    if (account !== undefined) await file.chown(account.uid, account.gid);
    return file;
  };
  return [await openOutput('stdout'), await openOutput('stderr')];
}

async function identify(child: ChildProcess): Promise<ProcessIdentity> {
  const failed = new Promise<never>((_resolve, reject) => {
    child.on('error', (cause) => {
      reject(new LaunchError(`can't start the executor: ${cause.message}`, { cause }));
    });
  });
  // Of no interest once the process was seen; it then ends like any other.
  failed.catch(() => undefined);
  // Writing to a gate that was killed is no error of ours: its exit is seen anyway.
  child.stdin?.on('error', () => undefined);
  const { pid } = child;
  if (pid === undefined) return failed;
  const identity = await Promise.race([identifyProcess(pid), failed]);
  if (identity === undefined) throw new LaunchError('the executor ended before it began');
  return identity;
}

function view(identity: ContainerIdentity, ended: Promise<number>): Container {
  return {
    identity,
    exited: ended.then((status) => ({ status })),
    kill: () => signalGroup(identity),
    signal: (signal) => signalGroup(identity, signal),
    usage: async () => ({ timestamp: 0 }),
    status: () => ({
      container_id: { value: identity.containerId },
      executor_pid: identity.pid,
    }),
    update: async () => undefined,
  };
}

function watchChild(child: ChildProcess, identity: ContainerIdentity): Container {
  const status = new Promise<number>((resolve) => {
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
      resolve(waitStatus(code, signal));
    if (child.exitCode !== null || child.signalCode !== null) {
      onExit(child.exitCode, child.signalCode);
    } else {
      child.once('exit', onExit);
    }
  });
  child.unref();
  const ended = status.then(async (value) => {
    await signalGroup(identity);
    return value;
  });
  return view(identity, ended);
}

function waitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  if (signal !== null) return constants.signals[signal];
  return (code ?? 0) << 8;
}

/** Resolves when a process that is not our child is gone; never when `signal` aborts before. */
async function watchStranger(
  clock: Clock,
  identity: ProcessIdentity,
  pollIntervalMs: number,
  signal: AbortSignal,
): Promise<number> {
  while (await isSameProcessAlive(identity)) {
    try {
      await sleep(clock, pollIntervalMs, signal);
    } catch {
      return new Promise<never>(() => undefined);
    }
  }
  await signalGroup(identity, 'SIGKILL');
  return UNKNOWN_EXIT_STATUS;
}

/**
 * Signals the executor and all that still belongs to its process group. While a process of the group
 * lives the kernel gives its number to nobody else, so when another process has that pid now, the
 * group is empty and there is nothing to kill.
 */
async function signalGroup(
  identity: ProcessIdentity,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  const holder = await identifyProcess(identity.pid);
  const isAnother = holder !== undefined && holder.startTicks !== identity.startTicks;
  if (isAnother || !(await isSameBoot(identity))) return;
  try {
    process.kill(-identity.pid, signal);
  } catch (error) {
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}

async function isSameBoot(identity: ProcessIdentity): Promise<boolean> {
  return (await identifyProcess(process.pid))?.bootId === identity.bootId;
}
