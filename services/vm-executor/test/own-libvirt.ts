import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectLibvirt } from '@factory/libvirt';
import { systemClock, waitFor } from '@factory/runtime';

const execFileAsync = promisify(execFile);
const START_TIMEOUT_MS = 30_000;

/** A libvirtd of a test's own, with a network and mounts of its own, huge pages among them. */
export interface OwnLibvirt {
  readonly socketPath: string;
  /** Where files may be put that its guests open. */
  readonly folder: string;
  /** Runs a program where it and its guests are. Gives what it prints. */
  run(...argv: readonly [string, ...string[]]): Promise<string>;
  /** Ends it with its guests, and removes its files. */
  close(): Promise<void>;
}

/** Starts one; needs root. It ends with this process, if not before. */
export async function openOwnLibvirt(): Promise<OwnLibvirt> {
  const folder = await mkdtemp(join(tmpdir(), 'factory-own-libvirt-'));
  const own = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child'];
  const holder = spawn('unshare', [...own, '--mount-proc', 'sh', '-c', HOLD, 'sh', folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve);
    holder.once('exit', () => reject(new Error('no namespaces can be made: not root?')));
  });
  const { stdout } = await execFileAsync('cat', [
    `/proc/${holder.pid}/task/${holder.pid}/children`,
  ]);
  const enter = ['-t', stdout.trim(), '--net', '--mount', '--pid', '--'];
  const socketPath = join(folder, 'run/libvirt-sock');
  const connection = { uri: 'qemu:///system', socketPath, clock: systemClock };
  await waitFor(systemClock, 'a libvirtd of its own', START_TIMEOUT_MS, async () => {
    const libvirt = await connectLibvirt(connection).catch(() => undefined);
    await libvirt?.close();
    return libvirt === undefined ? undefined : true;
  });
  return {
    ...{ socketPath, folder },
    run: async (...argv) => (await execFileAsync('nsenter', [...enter, ...argv])).stdout,
    async close() {
      const ended = new Promise((resolve) => holder.once('exit', resolve));
      holder.stdin.end();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Shell: libvirt's folders are those in `$folder`, in this mount namespace. They begin with the
 * machine's settings, and nothing else of it.
 */
export const OWN_LIBVIRT_FOLDERS = `mkdir -p /run/libvirt
for name in run lib cache log etc; do mkdir -p $folder/$name; done
cp /etc/libvirt/*.conf $folder/etc/
mkdir -p $folder/lib/qemu $folder/log/qemu $folder/cache/qemu
chown -R libvirt-qemu:$(id -gn libvirt-qemu) $folder/lib/qemu $folder/cache/qemu
chmod 755 $folder
mount --bind $folder/run /run/libvirt
mount --bind $folder/lib /var/lib/libvirt
mount --bind $folder/cache /var/cache/libvirt
mount --bind $folder/log /var/log/libvirt
mount --bind $folder/etc /etc/libvirt`;

/** All processes end with the shell, the first of its namespace, and that with its standard input. */
const HOLD = `set -e
folder=$1
${OWN_LIBVIRT_FOLDERS}
mkdir -p $folder/huge
mount -t hugetlbfs -o pagesize=2M none $folder/huge || true
ip link set lo up
virtlogd --pid-file $folder/virtlogd.pid 2>$folder/virtlogd.log &
libvirtd --pid-file $folder/libvirtd.pid 2>$folder/libvirtd.log &
echo ready
cat
true`;
