import { integerOf, listOf, type TypedParams, textOf } from './typed-params.ts';

/** virDomainGuestInfoTypes: what a guest agent can be asked about. */
const PART_BITS = {
  users: 1,
  os: 2,
  timezone: 4,
  hostname: 8,
  filesystems: 16,
  disks: 32,
  interfaces: 64,
} as const;

/** What a guest agent can be asked about. */
export type GuestInfoPart = keyof typeof PART_BITS;

/** What a guest says of itself; undefined or empty where it was not asked or can't tell. */
export interface GuestInfo {
  readonly hostname: string | undefined;
  readonly os: GuestOs | undefined;
  readonly timezone: { readonly name: string; readonly offsetS: number } | undefined;
  readonly filesystems: readonly GuestFilesystem[];
  readonly interfaces: readonly GuestInterface[];
  /** All libvirt said, by its own names, e.g. `user.0.name`. */
  readonly params: TypedParams;
}

/** A guest's operating system, e.g. `{ id: 'debian', name: 'Debian GNU/Linux' }`. */
export interface GuestOs {
  readonly id: string;
  readonly name: string | undefined;
  readonly prettyName: string | undefined;
  readonly versionId: string | undefined;
  readonly kernelRelease: string | undefined;
  readonly machine: string | undefined;
}

/** A mounted file system. */
export interface GuestFilesystem {
  readonly mountPoint: string;
  /** The device, e.g. `vda1`. */
  readonly name: string | undefined;
  readonly type: string | undefined;
  readonly totalBytes: bigint | undefined;
  readonly usedBytes: bigint | undefined;
}

/** A network interface with its addresses. */
export interface GuestInterface {
  readonly name: string;
  readonly macAddress: string | undefined;
  readonly addresses: readonly GuestAddress[];
}

/** An address of an interface. */
export interface GuestAddress {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefix: number;
}

/** The bits of these parts; 0, for none, asks for all that the agent can tell. */
export function guestInfoTypes(parts: readonly GuestInfoPart[]): number {
  return parts.reduce((sum, part) => sum | PART_BITS[part], 0);
}

/** The typed view of what libvirt said. Names: virDomainGetGuestInfo. */
export function guestInfoOf(params: TypedParams): GuestInfo {
  return {
    hostname: textOf(params, 'hostname'),
    os: osOf(params),
    timezone: timezoneOf(params),
    filesystems: listOf(params, 'fs.count', (index) => filesystemOf(params, `fs.${index}`)),
    interfaces: listOf(params, 'if.count', (index) => interfaceOf(params, `if.${index}`)),
    params,
  };
}

function osOf(params: TypedParams): GuestOs | undefined {
  const id = textOf(params, 'os.id');
  if (id === undefined) return undefined;
  return {
    id,
    name: textOf(params, 'os.name'),
    prettyName: textOf(params, 'os.pretty-name'),
    versionId: textOf(params, 'os.version-id'),
    kernelRelease: textOf(params, 'os.kernel-release'),
    machine: textOf(params, 'os.machine'),
  };
}

function timezoneOf(params: TypedParams): GuestInfo['timezone'] {
  const offset = integerOf(params, 'timezone.offset');
  if (offset === undefined) return undefined;
  return { name: textOf(params, 'timezone.name') ?? '', offsetS: Number(offset) };
}

function filesystemOf(params: TypedParams, prefix: string): GuestFilesystem | undefined {
  const mountPoint = textOf(params, `${prefix}.mountpoint`);
  if (mountPoint === undefined) return undefined;
  return {
    mountPoint,
    name: textOf(params, `${prefix}.name`),
    type: textOf(params, `${prefix}.fstype`),
    totalBytes: integerOf(params, `${prefix}.total-bytes`),
    usedBytes: integerOf(params, `${prefix}.used-bytes`),
  };
}

function interfaceOf(params: TypedParams, prefix: string): GuestInterface | undefined {
  const name = textOf(params, `${prefix}.name`);
  if (name === undefined) return undefined;
  return {
    name,
    macAddress: textOf(params, `${prefix}.hwaddr`),
    addresses: listOf(params, `${prefix}.addr.count`, (index) =>
      addressOf(params, `${prefix}.addr.${index}`),
    ),
  };
}

function addressOf(params: TypedParams, prefix: string): GuestAddress | undefined {
  const address = textOf(params, `${prefix}.addr`);
  if (address === undefined) return undefined;
  return {
    family: textOf(params, `${prefix}.type`) === 'ipv6' ? 'ipv6' : 'ipv4',
    address,
    prefix: Number(integerOf(params, `${prefix}.prefix`) ?? 0n),
  };
}
