import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

const BRIDGE = 'hub';
/** Address of this process, its children and ZooKeeper. */
export const HUB_ADDRESS = '10.77.0.1';

/** A network namespace with one address, on the bridge of this process' own namespace. */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** Begins of a command line that runs in it. */
  readonly prefix: readonly string[];
  /** A firewall drops what goes to and comes from this TCP port elsewhere. */
  cut(port: number): Promise<void>;
  heal(): Promise<void>;
}

/**
 * Makes the bridge that hosts are plugged into. This process must be in a network namespace of its
 * own (`unshare --net`): nothing of it is seen outside.
 */
export async function createHub(): Promise<void> {
  await run('ip', 'link', 'set', 'lo', 'up');
  await run('ip', 'link', 'add', BRIDGE, 'type', 'bridge');
  await run('ip', 'addr', 'add', `${HUB_ADDRESS}/24`, 'dev', BRIDGE);
  await run('ip', 'link', 'set', BRIDGE, 'up');
}

/** Makes a host; `index` from 1. Remove it with {@link removeHost}. */
export async function createHost(index: number): Promise<Host> {
  const name = `failover-${process.pid}-${index}`;
  const address = `10.77.0.${10 + index}`;
  const link = `veth${index}`;
  const inside = (...args: readonly string[]) => run('ip', 'netns', 'exec', name, ...args);
  await run('ip', 'netns', 'add', name);
  await run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  await run('ip', 'link', 'set', link, 'master', BRIDGE, 'up');
  await inside('ip', 'link', 'set', 'lo', 'up');
  await inside('ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  await inside('ip', 'link', 'set', 'eth0', 'up');
  return {
    ...{ name, address, prefix: ['ip', 'netns', 'exec', name] },
    cut: (port) =>
      inside(
        'nft',
        'add table inet cut; ' +
          'add chain inet cut in { type filter hook input priority 0; }; ' +
          'add chain inet cut out { type filter hook output priority 0; }; ' +
          `add rule inet cut in tcp sport ${port} drop; ` +
          `add rule inet cut out tcp dport ${port} drop`,
      ),
    heal: () => inside('nft', 'delete table inet cut'),
  };
}

/** Takes a host away, with all its connections. */
export async function removeHost({ name }: Host): Promise<void> {
  await run('ip', 'netns', 'del', name);
}

async function run(program: string, ...args: readonly string[]): Promise<void> {
  await execFileAsync(program, args);
}
