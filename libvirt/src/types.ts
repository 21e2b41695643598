import type { Clock, Logger } from '@factory/runtime';
import type { LibvirtApi } from './api.ts';
import type { DomainEventKind, DomainEvents } from './event-kinds.ts';
import type { GraphicsAddress } from './graphics.ts';
import type { DomainStatus } from './states.ts';
import type { DomainStats, DomainStatsOptions } from './stats.ts';

/** Every call can have its own deadline; the connection's `callTimeoutMs` is the default. */
export interface CallOptions {
  /** Milliseconds from sending the request; waiting for a turn has the same limit, separately. */
  readonly timeoutMs?: number;
}

/** What {@link connectLibvirt} needs. */
export interface ConnectOptions {
  /** The driver: `qemu:///system`, or `test:///path/of/a/file.xml` for libvirt's own simulator. */
  readonly uri: string;
  /** libvirtd's Unix socket; by default the first of DEFAULT_SOCKET_PATHS that answers. */
  readonly socketPath?: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Deadline of a call that has none of its own. Default 30,000. */
  readonly callTimeoutMs?: number;
  /**
   * Calls sent and unanswered at a time, default 4; more wait their turn on our side. libvirtd
   * reads 5 requests of a client at a time (`max_client_requests`) and leaves the rest in the
   * socket; the fifth place stays free for stream data.
   */
  readonly maxInFlightCalls?: number;
  /** Calls that may wait for their turn; a further one is refused. Default 10,000. */
  readonly maxQueuedCalls?: number;
}

/** Why a connection ended. */
export interface CloseReason {
  /**
   * `closed`: we closed it. `disconnected`: libvirtd went away. `protocol`: what came was not
   * libvirt's protocol. `unresponsive`: every place for a call is held by one that timed out.
   */
  readonly kind: 'closed' | 'disconnected' | 'protocol' | 'unresponsive';
  readonly message: string;
  readonly cause?: Error;
}

/** A live registration of a handler. */
export interface Subscription {
  /** Stops the handler. Harmless when called twice or after the connection ended. */
  close(): void;
}

/** One connection to libvirt. */
export interface Libvirt extends LibvirtApi {
  readonly uri: string;
  readonly events: Events;
  /** Resolves (never rejects) when the connection has ended, whoever ended it. */
  readonly closed: Promise<CloseReason>;
  /** Unregisters events, says goodbye and closes the socket; libvirtd has a second for it. */
  close(): Promise<void>;
}

/** What libvirt tells by itself. */
export interface Events {
  /**
   * Calls `handler` for every event of that kind of every domain, in libvirt's order, from the
   * moment the promise resolves. A handler that throws is logged, and disturbs nobody else.
   */
  on<K extends DomainEventKind>(
    kind: K,
    handler: (event: DomainEvents[K]) => void,
    options?: CallOptions,
  ): Promise<Subscription>;
}

/** Enough to name a domain in a call. libvirt looks it up by `uuid`; `name` is for its messages. */
export interface DomainRef {
  readonly name: string;
  /** Lower-case, with dashes. */
  readonly uuid: string;
}

/** A domain as libvirt names it. */
export interface Domain extends DomainRef {
  /** The number of a running domain; undefined for one that does not run. */
  readonly id: number | undefined;
}

/** A domain's size and use. */
export interface DomainInfo {
  readonly state: DomainStatus['state'];
  readonly maxMemoryKiB: bigint;
  readonly memoryKiB: bigint;
  readonly vcpuCount: number;
  readonly cpuTimeNs: bigint;
}

/** How to ask a guest to power off or reboot. `default` lets the hypervisor choose. */
export type PowerMethod = 'default' | 'acpi' | 'agent';

/** Options of starting a domain. */
export interface StartOptions extends CallOptions {
  /** Created, but its CPUs wait for `resume`. */
  readonly paused?: boolean;
  /** Destroyed by libvirtd when this connection ends. */
  readonly autoDestroy?: boolean;
  /** Boots anew even where a saved memory image exists. */
  readonly forceBoot?: boolean;
}

/** Options of {@link Domains.undefine}. */
export interface UndefineOptions extends CallOptions {
  /** Also removes the saved memory image; without it one makes the call fail. */
  readonly managedSave?: boolean;
  /** Also forgets snapshots; without it one makes the call fail. */
  readonly snapshotsMetadata?: boolean;
  /** What becomes of the UEFI variable store; without an answer one makes the call fail. */
  readonly nvram?: 'remove' | 'keep';
  /** What becomes of an emulated TPM's state; without an answer it is removed. */
  readonly tpm?: 'remove' | 'keep';
}

/**
 * Domains. Every method throws LibvirtError (`NO_DOMAIN`: it is gone), LibvirtTimeoutError (the
 * call may still take effect) or LibvirtDisconnectedError.
 */
export interface Domains {
  /** Stores a domain's XML, new or replacing that of the same uuid and name; starts nothing. */
  define(xml: string, options?: CallOptions & { readonly validate?: boolean }): Promise<Domain>;
  /** Starts a defined domain. `OPERATION_INVALID` when it runs already. */
  start(domain: DomainRef, options?: StartOptions): Promise<Domain>;
  /** Starts a transient domain: nothing is left of it when it stops. */
  createXml(xml: string, options?: StartOptions & { readonly validate?: boolean }): Promise<Domain>;
  /** Pulls the plug. `graceful`: SIGTERM only, and fail rather than kill QEMU. */
  destroy(
    domain: DomainRef,
    options?: CallOptions & { readonly graceful?: boolean },
  ): Promise<void>;
  /** Asks the guest to power off; the domain stops when the guest obeys, if it does. */
  shutdown(
    domain: DomainRef,
    options?: CallOptions & { readonly method?: PowerMethod },
  ): Promise<void>;
  /** Asks the guest to reboot. */
  reboot(
    domain: DomainRef,
    options?: CallOptions & { readonly method?: PowerMethod },
  ): Promise<void>;
  /** Presses the reset button. */
  reset(domain: DomainRef, options?: CallOptions): Promise<void>;
  /** Stops the CPUs; memory stays. */
  suspend(domain: DomainRef, options?: CallOptions): Promise<void>;
  /** Lets the CPUs go on. */
  resume(domain: DomainRef, options?: CallOptions): Promise<void>;
  /** Forgets the definition; a running domain becomes transient. */
  undefine(domain: DomainRef, options?: UndefineOptions): Promise<void>;
  /** @throws LibvirtError `NO_DOMAIN`. */
  lookupByName(name: string, options?: CallOptions): Promise<Domain>;
  /** @throws LibvirtError `NO_DOMAIN`. */
  lookupByUuid(uuid: string, options?: CallOptions): Promise<Domain>;
  /** All domains, or only the active or inactive ones. */
  list(
    options?: CallOptions & { readonly only?: 'active' | 'inactive' },
  ): Promise<readonly Domain[]>;
  /** The live XML, or with `inactive` what the next start uses. `secure` includes passwords. */
  getXml(
    domain: DomainRef,
    options?: CallOptions & { readonly inactive?: boolean; readonly secure?: boolean },
  ): Promise<string>;
  getInfo(domain: DomainRef, options?: CallOptions): Promise<DomainInfo>;
  /** State and why, e.g. `{ state: 'shutoff', reason: 'crashed' }`. */
  getState(domain: DomainRef, options?: CallOptions): Promise<DomainStatus>;
  /** Whether libvirtd starts the domain when it starts itself. */
  getAutostart(domain: DomainRef, options?: CallOptions): Promise<boolean>;
  setAutostart(domain: DomainRef, autostart: boolean, options?: CallOptions): Promise<void>;
  /** How many virtual CPUs; `maximum`: how many there can be, which only `config` can change. */
  setVcpus(domain: DomainRef, count: number, options: SizeOptions): Promise<void>;
  /** How much memory; `maximum`: how much there can be, which only `config` can change. */
  setMemory(domain: DomainRef, memoryKiB: bigint, options: SizeOptions): Promise<void>;
  /**
   * Writes the memory to a file and stops the domain; its next start goes on from there. Takes as
   * long as the memory is large: 300 s by default.
   */
  managedSave(domain: DomainRef, options?: ManagedSaveOptions): Promise<void>;
  hasManagedSave(domain: DomainRef, options?: CallOptions): Promise<boolean>;
  /** Drops the saved memory: the next start boots anew. */
  removeManagedSave(domain: DomainRef, options?: CallOptions): Promise<void>;
  /** Statistics of many domains in one call. */
  stats(options?: DomainStatsOptions): Promise<readonly DomainStats[]>;
  /**
   * The serial console, both ways. A guest that does not read its console fills libvirtd's request
   * places with what we write; so give an interactive console a connection of its own.
   */
  openConsole(domain: DomainRef, options?: ConsoleOptions): Promise<LibvirtStream>;
  /** As `openConsole`, for a channel with a `unix` or `pty` source; `device` is its name or alias. */
  openChannel(domain: DomainRef, options?: ConsoleOptions): Promise<LibvirtStream>;
  /** Where a running domain's screens (VNC) are served. */
  graphics(domain: DomainRef, options?: CallOptions): Promise<readonly GraphicsAddress[]>;
  /** A picture of the screen. `OPERATION_INVALID` when the domain has none. */
  screenshot(
    domain: DomainRef,
    options?: CallOptions & { readonly screen?: number },
  ): Promise<Screenshot>;
}

/** Options of changing a domain's size. */
export interface SizeOptions extends CallOptions {
  readonly affect: Affect;
  readonly maximum?: boolean;
}

/** Options of {@link Domains.managedSave}. */
export interface ManagedSaveOptions extends CallOptions {
  /** Keeps the file out of the host's page cache. */
  readonly bypassCache?: boolean;
  /** How the domain starts from it; default as it is now. */
  readonly afterwards?: 'running' | 'paused';
}

/** Options of {@link Domains.openConsole} and {@link Domains.openChannel}. */
export interface ConsoleOptions extends CallOptions {
  /** The device's alias, e.g. `serial0`; by default the first console or serial device. */
  readonly device?: string;
  /** Takes the console over from whoever has it open. */
  readonly force?: boolean;
  /** Fails with `OPERATION_FAILED` when someone else has it open (where the driver can tell). */
  readonly safe?: boolean;
  /** Unread bytes we keep before the stream is aborted with LibvirtStreamOverflowError. */
  readonly maxBufferedBytes?: number;
}

/**
 * Bytes both ways. Iterate it once: the iteration ends when the other side is done, and throws when
 * the stream or the connection fails; leaving the loop aborts the stream.
 */
export interface LibvirtStream extends AsyncIterable<Uint8Array> {
  /** Resolves when the bytes are handed to the socket. @throws when the stream has ended. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Ends our side and the stream. Harmless when it has ended already. */
  close(): Promise<void>;
  /**
   * Drops the stream at once, unread bytes included. libvirt learns of it a moment later: `close`
   * before the same console is opened again.
   */
  abort(): void;
}

/** A picture, e.g. `image/x-portable-pixmap`. */
export interface Screenshot {
  readonly mime: string;
  readonly bytes: Uint8Array;
}

/** A virtual network as libvirt names it. */
export interface NetworkRef {
  readonly name: string;
  /** Lower-case, with dashes. */
  readonly uuid: string;
}

/** What a change applies to: what runs, its stored definition, or both. */
export type Affect = 'live' | 'config' | 'live-and-config';

/** A fixed lease: `<host mac= name= ip=/>`. */
export interface DhcpHost {
  readonly mac: string;
  readonly ip: string;
  readonly name?: string;
}

/** An address given out by a network's DHCP server. */
export interface DhcpLease {
  readonly interfaceName: string;
  /** Milliseconds since the Unix epoch; undefined for a lease without end. */
  readonly expiresAtMs: number | undefined;
  readonly family: 'ipv4' | 'ipv6';
  readonly mac: string | undefined;
  readonly ip: string;
  readonly prefix: number;
  readonly hostname: string | undefined;
  readonly clientId: string | undefined;
  readonly iaid: string | undefined;
}

/** A change of one part of a network, in the words of `virNetworkUpdate`. */
export interface NetworkUpdate {
  readonly command: 'modify' | 'delete' | 'add-last' | 'add-first';
  readonly section:
    | 'bridge'
    | 'domain'
    | 'ip'
    | 'ip-dhcp-host'
    | 'ip-dhcp-range'
    | 'forward'
    | 'forward-interface'
    | 'forward-pf'
    | 'portgroup'
    | 'dns-host'
    | 'dns-txt'
    | 'dns-srv';
  readonly xml: string;
  /** Which of several parents, e.g. `<ip>`; by default libvirt finds it. */
  readonly parentIndex?: number;
  readonly affect: Affect;
}

/** Virtual networks. `NO_NETWORK`: it is gone. */
export interface Networks {
  /** Stores a network's XML; starts nothing. */
  define(xml: string, options?: CallOptions): Promise<NetworkRef>;
  /** Starts a defined network. */
  start(network: NetworkRef, options?: CallOptions): Promise<void>;
  /** Starts a transient network. */
  createXml(xml: string, options?: CallOptions): Promise<NetworkRef>;
  /** Stops it; its definition stays. */
  destroy(network: NetworkRef, options?: CallOptions): Promise<void>;
  undefine(network: NetworkRef, options?: CallOptions): Promise<void>;
  /** @throws LibvirtError `NO_NETWORK`. */
  lookupByName(name: string, options?: CallOptions): Promise<NetworkRef>;
  /** @throws LibvirtError `NO_NETWORK`. */
  lookupByUuid(uuid: string, options?: CallOptions): Promise<NetworkRef>;
  list(
    options?: CallOptions & { readonly only?: 'active' | 'inactive' },
  ): Promise<readonly NetworkRef[]>;
  getXml(
    network: NetworkRef,
    options?: CallOptions & { readonly inactive?: boolean },
  ): Promise<string>;
  isActive(network: NetworkRef, options?: CallOptions): Promise<boolean>;
  setAutostart(network: NetworkRef, autostart: boolean, options?: CallOptions): Promise<void>;
  /** @throws LibvirtError `INTERNAL_ERROR` when the network has no bridge. */
  getBridgeName(network: NetworkRef, options?: CallOptions): Promise<string>;
  update(network: NetworkRef, update: NetworkUpdate, options?: CallOptions): Promise<void>;
  /** Fixes a lease. `OPERATION_INVALID` when the MAC, name or address is taken already. */
  addDhcpHost(
    network: NetworkRef,
    host: DhcpHost,
    options?: CallOptions & { readonly affect?: Affect },
  ): Promise<void>;
  /** Removes the fixed lease that matches all given fields. `OPERATION_INVALID` when none does. */
  deleteDhcpHost(
    network: NetworkRef,
    host: DhcpHost,
    options?: CallOptions & { readonly affect?: Affect },
  ): Promise<void>;
  dhcpLeases(
    network: NetworkRef,
    options?: CallOptions & { readonly mac?: string },
  ): Promise<readonly DhcpLease[]>;
}

/** A version as libvirt counts them. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly release: number;
}

/** The machine under the hypervisor. */
export interface NodeInfo {
  readonly model: string;
  readonly memoryKiB: bigint;
  readonly cpuCount: number;
  readonly mhz: number;
  readonly numaNodeCount: number;
  readonly socketsPerNode: number;
  readonly coresPerSocket: number;
  readonly threadsPerCore: number;
}

/** The hypervisor and its machine. */
export interface Host {
  hypervisorVersion(options?: CallOptions): Promise<Version>;
  libvirtVersion(options?: CallOptions): Promise<Version>;
  nodeInfo(options?: CallOptions): Promise<NodeInfo>;
  hostname(options?: CallOptions): Promise<string>;
  /** The capabilities XML. */
  capabilities(options?: CallOptions): Promise<string>;
  /** The XML of what a domain of this kind may use. */
  domainCapabilities(
    options?: CallOptions & {
      readonly emulator?: string;
      readonly arch?: string;
      readonly machine?: string;
      readonly virtType?: string;
    },
  ): Promise<string>;
}
