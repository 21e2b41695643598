import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { integerSetting, optional, textSetting } from '@factory/runtime';
import { namesOf } from './command-line.ts';

const PORTS = { min: 1, max: 65_535 };

/** Flags of masters and agents: where a process listens, and where others reach it. */
export function addressFlags(defaultPort: number) {
  return {
    ip: textSetting({
      ...namesOf('ip'),
      describe: 'address to listen on; 0.0.0.0: all of this host',
      default: '127.0.0.1',
    }),
    port: integerSetting({
      ...namesOf('port'),
      describe: 'port to listen on',
      default: defaultPort,
      ...PORTS,
    }),
    advertiseIp: optional(
      textSetting({
        ...namesOf('advertise_ip'),
        describe:
          "address for others to call; default: that of --ip, or with 0.0.0.0 that of the host's name",
      }),
    ),
    advertisePort: optional(
      integerSetting({
        ...namesOf('advertise_port'),
        describe: 'port for others to call; default: that of --port',
        ...PORTS,
      }),
    ),
  };
}

/** What sets where to listen, for errors: as {@link addressFlags} names it. */
export const LISTEN_FLAGS = {
  host: `--${namesOf('ip').flag} or ${namesOf('ip').env}`,
  port: `--${namesOf('port').flag} or ${namesOf('port').env}`,
};

/** Variables of libprocess that stand for flags. As in Mesos, `LIBPROCESS_PORT` is not among them. */
export const LIBPROCESS_VARIABLES: Readonly<Record<string, string>> = {
  LIBPROCESS_IP: 'ip',
  LIBPROCESS_ADVERTISE_IP: 'advertise_ip',
  LIBPROCESS_ADVERTISE_PORT: 'advertise_port',
};

/** Values of {@link addressFlags}. */
interface AddressFlags {
  readonly ip: string;
  readonly port: number;
  readonly advertiseIp: string | undefined;
  readonly advertisePort: number | undefined;
}

/** Where others reach a process with these flags. */
export async function reachableAddress(
  flags: AddressFlags,
  findOwn: () => Promise<string> = findOwnAddress,
): Promise<{ readonly ip: string; readonly port: number }> {
  const { ip, port, advertiseIp, advertisePort } = flags;
  const isEverywhere = ip === '0.0.0.0' || ip === '::';
  return {
    ip: advertiseIp ?? (isEverywhere ? await findOwn() : ip),
    port: advertisePort ?? port,
  };
}

/**
 * The address of this host that others can use best: that of its name, as in Mesos; where that is
 * loopback (as in Debian's /etc/hosts) or there is none, the first of its interfaces. Pure.
 */
export function chooseAddress(ofName: string | undefined, interfaces: readonly string[]): string {
  if (ofName !== undefined && !ofName.startsWith('127.')) return ofName;
  return interfaces.find(isIPv4) ?? interfaces[0] ?? ofName ?? '127.0.0.1';
}

async function findOwnAddress(): Promise<string> {
  const ofName = await lookup(hostname(), { family: 4 }).catch(() => undefined);
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter(({ internal, scopeid = 0 }) => !internal && scopeid === 0),
  );
  return chooseAddress(
    ofName?.address,
    interfaces.map(({ address }) => address),
  );
}
