import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  hasErrorCode,
  identifyProcess,
  isSameProcessAlive,
  readTextIfExists,
  waitFor,
  writeFileAtomic,
} from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { RunCommand } from './commands.ts';
import {
  type DhcpFacts,
  dhcpConfig,
  dhcpFiles,
  leaseFile,
  namesFile,
  nicFileName,
} from './dhcp-files.ts';
import type { Nic, Peer, SubnetOnHost } from './port.ts';

/** The DHCP and DNS servers of a host's subnets, each in its subnet's namespace and folder. */
export interface DhcpServers {
  isRunning(folder: string): Promise<boolean>;
  /** Runs with this configuration afterwards; restarted when it ran already. */
  restart(
    folder: string,
    namespace: string,
    subnet: SubnetOnHost,
    facts: DhcpFacts,
    signal: AbortSignal,
  ): Promise<void>;
  stop(folder: string): Promise<void>;
  /** Gives a card its lease and its name. */
  addNic(folder: string, nic: Nic, dnsDomain: string): Promise<void>;
  removeNic(folder: string, macAddress: string): Promise<void>;
  /** The address in a card's lease, if it has one. */
  leasedAddress(folder: string, macAddress: string): Promise<string | undefined>;
  /** Makes the names of the cards on other hosts known. */
  setPeers(folder: string, peers: readonly Peer[], dnsDomain: string): Promise<void>;
}

const STOP_TIMEOUT_MS = 5_000;

/** Servers by dnsmasq, which outlive this process. */
export function createDhcpServers(options: {
  readonly clock: Clock;
  readonly run: RunCommand;
}): DhcpServers {
  const { clock, run } = options;

  const stop = async (folder: string): Promise<void> => {
    const { pid: pidFile } = dhcpFiles(folder);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const pid = await findServer(folder);
      const server = pid === undefined ? undefined : await identifyProcess(pid);
      if (pid === undefined || server === undefined) break;
      signalProcess(pid, signal);
      // Not as soon as it has lost its command line: it has its sockets for a moment longer.
      const hasEnded = async () => ((await isSameProcessAlive(server)) ? undefined : true);
      try {
        await waitFor(clock, 'the end of dnsmasq', STOP_TIMEOUT_MS, hasEnded, 5);
      } catch (cause) {
        const message = `dnsmasq (process ${pid}) does not end`;
        if (signal === 'SIGKILL')
          throw new VmFailure('NETWORK_ERROR', message, { cause, isTransient: true });
      }
    }
    await rm(pidFile, { force: true });
  };

  return {
    isRunning: async (folder) => (await findServer(folder)) !== undefined,
    async restart(folder, namespace, subnet, facts, signal) {
      const files = dhcpFiles(folder);
      await stop(folder);
      await writeShared(files.config, dhcpConfig(subnet, files, facts));
      // It goes into the background when it has read its configuration and has its sockets.
      const server = ['dnsmasq', `--conf-file=${files.config}`] as const;
      const argv = ['ip', 'netns', 'exec', namespace, ...server] as const;
      const start = async (): Promise<true | undefined> => {
        try {
          await run(argv, { signal });
          return true;
        } catch (error) {
          // The namespace is the subnet's own: it can only be one that somebody else has just ended.
          if (isAddressInUse(error)) return undefined;
          throw error;
        }
      };
      await waitFor(clock, 'the address of an ended dnsmasq', STOP_TIMEOUT_MS, start, 20);
    },
    stop,
    async addNic(folder, nic, dnsDomain) {
      const { leases, names } = dhcpFiles(folder);
      const file = nicFileName(nic.macAddress);
      await writeIfOther(join(names, file), namesFile([nic], dnsDomain));
      await writeIfOther(join(leases, file), leaseFile(nic));
    },
    async removeNic(folder, macAddress) {
      const { leases, names } = dhcpFiles(folder);
      const file = nicFileName(macAddress);
      await rm(join(names, file), { force: true });
      await rm(join(leases, file), { force: true });
      // A lease that has gone is forgotten only when told so (dnsmasq(8), --dhcp-hostsdir).
      const pid = await findServer(folder);
      if (pid !== undefined) signalProcess(pid, 'SIGHUP');
    },
    async leasedAddress(folder, macAddress) {
      const text = await readTextIfExists(join(dhcpFiles(folder).leases, nicFileName(macAddress)));
      return text?.split(',')[1];
    },
    async setPeers(folder, peers, dnsDomain) {
      const nics = peers.flatMap((peer) => peer.nics);
      await writeIfOther(join(dhcpFiles(folder).names, 'peers'), namesFile(nics, dnsDomain));
    },
  };
}

/** The server's process: that of its pid file, unless the number has gone to another since. */
async function findServer(folder: string): Promise<number | undefined> {
  const { pid: pidFile, config } = dhcpFiles(folder);
  const pid = Number(await readTextIfExists(pidFile));
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  try {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return commandLine.split('\0').includes(`--conf-file=${config}`) ? pid : undefined;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof VmFailure && error.message.includes('Address already in use');
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}

async function writeIfOther(path: string, text: string): Promise<void> {
  if ((await readTextIfExists(path)) !== text) await writeShared(path, text);
}

/** Readable for dnsmasq's user; made again after a restart of the host, so not synced. */
async function writeShared(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, text, { mode: 0o644, fsync: false });
}
