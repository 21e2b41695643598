import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';

/** Where Debian's package `zookeeper` has it. */
const CLASS_PATH = '/usr/share/java/zookeeper.jar';
const PACKAGE = 'org.apache.zookeeper.server';

const MAIN_CLASSES = {
  alone: `${PACKAGE}.ZooKeeperServerMain`,
  member: `${PACKAGE}.quorum.QuorumPeerMain`,
};

/**
 * Starts a ZooKeeper server, which reads its settings from a file that this writes.
 * @param options.prefix the command line to start it with: `ip netns exec NAME`.
 */
export async function spawnServer(
  kind: keyof typeof MAIN_CLASSES,
  file: string,
  settings: Readonly<Record<string, string | number | boolean>>,
  prefix: readonly string[] = [],
): Promise<ChildProcess> {
  const shared = {
    'admin.enableServer': false,
    // Tests have many clients on one address.
    maxClientCnxns: 0,
  };
  const lines = Object.entries({ ...shared, ...settings });
  await writeFile(file, lines.map(([name, value]) => `${name}=${value}\n`).join(''));
  const java = ['java', '-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  const command = [...prefix, ...java, '-cp', CLASS_PATH, MAIN_CLASSES[kind], file];
  return spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore' });
}

/** Kills a process, if it still runs; it has ended when this resolves. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
