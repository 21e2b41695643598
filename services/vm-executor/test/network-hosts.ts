import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '@factory/runtime';
import { createCommands, type RunCommand } from '../src/network/commands.ts';
import { createHostNetwork, type HostNetworkOptions } from '../src/network/host-network.ts';
import type { HostNetworkPort, Nic, SubnetOnHost } from '../src/network/port.ts';

const execFileAsync = promisify(execFile);

/** Words, or a line of them divided by blanks. */
type CommandLine = string | readonly string[];

/** A host: a network namespace with namespaces of its own (`/run/netns`) for subnets and guests. */
export interface TestHost {
  readonly network: HostNetworkPort;
  readonly stateDir: string;
  readonly pid: number;
  /** Runs a command line on the host, words divided by blanks. Gives what it prints. */
  run(commandLine: CommandLine, input?: string): Promise<string>;
  /** Another executor's view of the same host, with other commands. */
  again(wrap: (run: RunCommand) => RunCommand): HostNetworkPort;
  /**
   * Plugs a card, and gives a guest that has it as `eth0`; with `address`, it has its address and a
   * way out as well, as if by DHCP.
   */
  boot(subnet: SubnetOnHost, nic: Nic, address?: 'address'): Promise<TestGuest>;
  close(): Promise<void>;
}

/** A guest: a namespace on its host with the other end of its card. */
export interface TestGuest {
  readonly nic: Nic;
  run(commandLine: CommandLine, input?: string): Promise<string>;
  /** Whether a command succeeds. */
  can(commandLine: CommandLine): Promise<boolean>;
}

/** The guest's end of a card's pair; the host's end is in the place of QEMU's tap. */
function guestEnd(tapName: string): string {
  return `gu${tapName.slice(2)}`;
}

function makePair(tapName: string): string {
  return `link add name ${tapName} type veth peer name ${guestEnd(tapName)}`;
}

/** Makes an empty host; needs root. It ends with this process, if not before. */
export async function openTestHost(
  more: Partial<HostNetworkOptions> = {},
  cards: 'pairs' | 'taps' = 'pairs',
): Promise<TestHost> {
  const stateDir = await mkdtemp(join(tmpdir(), 'factory-network-'));
  // dnsmasq's user must pass.
  await chmod(stateDir, 0o755);
  const holder = spawn(
    'unshare',
    ['--net', '--mount', '--propagation', 'private', 'sh', '-c', HOLD],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve);
    holder.once('exit', () => reject(new Error('can not make a namespace: not root?')));
  });
  const pid = pidOf(holder);
  const prefix = ['nsenter', '-t', String(pid), '-n', '-m', '--'];
  const runCommand = createCommands({ clock: systemClock, prefix });
  const run = (commandLine: CommandLine, input = ''): Promise<string> => {
    const [program = '', ...args] = wordsOf(commandLine);
    return runCommand([program, ...args], { signal: AbortSignal.timeout(30_000), input });
  };
  const options: HostNetworkOptions = {
    clock: systemClock,
    run: runCommand,
    stateDir,
    instance: 'nettest',
    tunnelAddress: null,
    vxlanPort: 4789,
    underlayMtu: 1500,
    protectedRanges: [],
    nameServers: [],
    ...(cards === 'taps' ? {} : { makeTap: makePair }),
    ...more,
  };
  const again: TestHost['again'] = (wrap) =>
    createHostNetwork({ ...options, run: wrap(runCommand) });
  const network = createHostNetwork(options);
  let guests = 0;
  return {
    network,
    stateDir,
    pid,
    run,
    again,
    async boot(subnet, nic, address) {
      const addressed = (wish: 'address' | undefined): readonly string[] =>
        wish === undefined
          ? []
          : [
              `addr add ${nic.ipAddress}/16 dev eth0`,
              `route add default via ${subnet.gatewayAddress}`,
            ];
      const tap = await network.plug(subnet, nic, AbortSignal.timeout(30_000));
      guests += 1;
      const name = `guest${guests}`;
      const inside = (commandLine: CommandLine, input = ''): Promise<string> =>
        run(['ip', 'netns', 'exec', name, ...wordsOf(commandLine)], input);
      await run(`ip netns add ${name}`);
      const setUp = [`address ${nic.macAddress} mtu 1450`, 'up'];
      await run(`ip link set dev ${guestEnd(tap)} netns ${name} name eth0`);
      const lines = [...setUp.map((each) => `link set dev eth0 ${each}`), ...addressed(address)];
      await run(`ip -netns ${name} -batch -`, lines.map((line) => `${line}\n`).join(''));
      return {
        nic,
        run: inside,
        can: (commandLine) =>
          inside(commandLine).then(
            () => true,
            () => false,
          ),
      };
    },
    async close() {
      await network.inventory(AbortSignal.timeout(30_000)).then(async ({ nics }) => {
        for (const nic of nics) await network.unplug(nic, AbortSignal.timeout(30_000));
      });
      await network.dropUnused(AbortSignal.timeout(30_000));
      const ended = new Promise((resolve) => holder.once('exit', resolve));
      holder.stdin.end();
      await ended;
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Connects two hosts by a cable, with these addresses. */
export async function connectHosts(
  one: TestHost,
  other: TestHost,
  device: string,
  addresses: readonly [string, string],
): Promise<void> {
  const ends = [`${device} netns ${one.pid} type veth`, `name ${device} netns ${other.pid}`];
  await execFileAsync('ip', `link add ${ends.join(' peer ')}`.split(' '));
  for (const [host, address] of [
    [one, addresses[0]],
    [other, addresses[1]],
  ] as const) {
    await host.run(`ip addr add ${address} dev ${device}`);
    await host.run(`ip link set dev ${device} up`);
  }
}

function wordsOf(commandLine: CommandLine): readonly string[] {
  return typeof commandLine === 'string' ? commandLine.split(' ') : commandLine;
}

/** Ends with its standard input, which is this process'. */
const HOLD = `set -e
mkdir -p /run/netns
mount -t tmpfs none /run/netns
ip link set dev lo up
echo ready
exec cat`;

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('unshare does not start');
  return pid;
}
