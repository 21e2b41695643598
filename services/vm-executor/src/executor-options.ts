import type { Clock, Logger, Random, SecretBox } from '@factory/runtime';
import type { Consoles } from './console/consoles.ts';
import type { HostHardware } from './hardware/port.ts';
import type { Hypervisor } from './hypervisor/port.ts';
import type { HostImages } from './images/host-images.ts';
import type { ImagePublisher } from './images/publisher.ts';
import type { ExecutorLink } from './link.ts';
import type { StatsPort } from './metrics/port.ts';
import type { HostNetworkPort } from './network/port.ts';
import type { VmStorage } from './storage/port.ts';
import type { PowerOffLimits } from './vm/power-off.ts';
import type { FaultPoints } from './vm/procedure.ts';
import type { VolumePort } from './volumes/port.ts';

/** How an executor behaves. */
export interface VmExecutorSettings {
  /** Guests powered on at a time; more would only fight for the same cores. */
  readonly powerOnsMax: number;
  readonly powerOff: PowerOffLimits;
  /** Without a VM for this long the executor ends; the agent starts another when there is work. */
  readonly idleExitMs: number;
  /** How often domains and files of ours are looked for that no task speaks for. */
  readonly orphanSearchMs: number;
}

/** What an executor works with. */
export interface VmExecutorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly link: ExecutorLink;
  readonly hypervisor: Hypervisor;
  readonly network: HostNetworkPort;
  readonly storage: VmStorage;
  /** Absent on a host that has no place for volumes. */
  readonly volumes?: VolumePort;
  /** Absent on a host that has nothing to hand out. */
  readonly hardware?: HostHardware;
  /** Opens what the scheduler has sealed. */
  readonly secrets?: SecretBox | undefined;
  /** A CD with drivers for Windows, if the host has one. */
  readonly windowsDriversPath?: string | undefined;
  /** Absent: nobody knows what guests use. */
  readonly stats?: { readonly port: StatsPort; readonly intervalMs: number };
  /** Absent: none can be opened. */
  readonly consoles?: Consoles;
  /** Where images made here go. */
  readonly images: ImagePublisher;
  readonly settings: VmExecutorSettings;
  /** The images of this host; without them nothing is said of any. */
  readonly hostImages?: Pick<ConstructorParameters<typeof HostImages>[0], 'cache' | 'tickets'>;
  /** Where a test ends the executor. */
  readonly faults?: FaultPoints;
}
