import { readFile, readlink } from 'node:fs/promises';
import { type Clock, hasErrorCode, waitFor } from '@factory/runtime';
import type { Mount, Namespace, Surroundings } from '../launcher/surroundings.ts';
import { type ContainerRecord, type Isolator, isNested } from './isolator.ts';

/** Names of namespaces in /proc/<pid>/ns, where they are other than on command lines. */
const PROC_NAMES: Readonly<Record<Namespace, string>> = {
  mount: 'mnt',
  pid: 'pid',
  ipc: 'ipc',
  uts: 'uts',
  net: 'net',
};
const ALL: readonly Namespace[] = ['mount', 'pid', 'ipc', 'uts', 'net'];

/** A machine that is busy may take long to start what makes them. */
const ENTER_TIMEOUT_MS = 30_000;

const PROC: Mount = { source: 'proc', target: '/proc', type: 'proc', create: 'directory' };

/** What the namespaces isolator is made of. */
export interface NamespacesIsolatorOptions {
  /** Those that containers get, by `--isolation`. */
  readonly namespaces: ReadonlySet<Namespace>;
  /** The first process of a container that runs. */
  readonly processOf: (key: string) => Promise<number | undefined>;
  /** Whether a container is in its namespaces with all its mounts, or has ended. */
  readonly hasEntered: (key: string) => Promise<boolean>;
  readonly clock: Clock;
}

/** Containers in namespaces of their own; those nested in another one share its namespaces. */
export function createNamespacesIsolator(options: NamespacesIsolatorOptions): Isolator {
  return {
    name: 'namespaces',
    async prepare(container) {
      if (isNested(container)) return joinParent(container, options);
      const { linux_info: linux, hostname } = container.container ?? {};
      const wanted = new Set(options.namespaces);
      if (linux?.share_pid_namespace === true) wanted.delete('pid');
      if (linux?.ipc_mode === 'SHARE_PARENT') wanted.delete('ipc');
      // Only in a mount namespace of its own can /proc show just the container's processes.
      if (wanted.has('pid')) wanted.add('mount');
      const shm = wanted.has('ipc') ? privateShm(linux?.shm_size) : [];
      if (shm.length > 0) wanted.add('mount');
      return {
        namespaces: ALL.filter((each) => wanted.has(each)),
        mounts: [...(wanted.has('pid') ? [PROC] : []), ...shm],
        ...(wanted.has('uts') && hostname !== undefined ? { hostname } : {}),
      };
    },
  };
}

/** POSIX shared memory is files: a namespace of its own needs a place of its own. */
function privateShm(sizeMiB: number | undefined): readonly Mount[] {
  const size = sizeMiB === undefined ? '' : `,size=${sizeMiB}m`;
  const options = `nosuid,nodev,mode=1777${size}`;
  return [{ source: 'shm', target: '/dev/shm', type: 'tmpfs', options, create: 'directory' }];
}

async function joinParent(
  { parentContainerId = '' }: ContainerRecord,
  { processOf, hasEntered, clock }: NamespacesIsolatorOptions,
): Promise<Partial<Surroundings>> {
  const what = `container ${parentContainerId} to enter its namespaces`;
  await waitFor(clock, what, ENTER_TIMEOUT_MS, async () =>
    (await hasEntered(parentContainerId)) ? true : undefined,
  );
  const pid = await processOf(parentContainerId);
  if (pid === undefined) return {};
  const inside = await firstChildInNamespace(pid);
  const namespaces: Namespace[] = [];
  for (const each of ALL) if (await isOther(inside, each)) namespaces.push(each);
  return namespaces.length === 0 ? {} : { joins: { pid: inside, namespaces } };
}

/** unshare(1) itself stays outside of the process namespace; its child is the first one inside. */
async function firstChildInNamespace(pid: number): Promise<number> {
  const link = (name: string): Promise<string> => readlink(`/proc/${pid}/ns/${name}`);
  try {
    if ((await link('pid')) === (await link('pid_for_children'))) return pid;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return Number(children.trim().split(' ')[0]) || pid;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return pid;
    throw error;
  }
}

async function isOther(pid: number, namespace: Namespace): Promise<boolean> {
  const name = PROC_NAMES[namespace];
  try {
    return (
      (await readlink(`/proc/${pid}/ns/${name}`)) !== (await readlink(`/proc/self/ns/${name}`))
    );
  } catch (error) {
    // It has ended: the nested container will fail to start, and say so.
    if (hasErrorCode(error, 'ENOENT')) return false;
    throw error;
  }
}
