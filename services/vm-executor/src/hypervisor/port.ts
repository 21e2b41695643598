import type { VmId } from '@factory/contracts';
import type { DomainPlan } from './domain-plan.ts';
import type { GuestAgentPort } from './guest-agent.ts';
import type { LiveDiskPort } from './live-disk.ts';
import type { LiveVolumesPort } from './live-volumes.ts';

export type { DomainPlan } from './domain-plan.ts';

/** Why a domain is off. */
export const OFF_CAUSES = [
  /** The guest powered itself off (of its own will or obeying ACPI). */
  'guestShutdown',
  /** Somebody pulled the plug through the hypervisor. */
  'destroyed',
  /** The guest's kernel gave up, and said so. */
  'crashed',
  /** The process that ran the guest ended by itself or by somebody's hand. */
  'killed',
  'failedToStart',
  /** Not started since it was defined, or since the host's start. */
  'unknown',
] as const;
export type OffCause = (typeof OFF_CAUSES)[number];

export type Power =
  /**
   * Its CPUs stand still with `hasDiskError`, because a disk gave an error, or `isPaused`, because
   * somebody stopped them; it can be resumed.
   */
  | { readonly kind: 'on'; readonly hasDiskError?: boolean; readonly isPaused?: boolean }
  /** `isSaved`: its memory is kept on the host, and it goes on from there when it is powered on. */
  | { readonly kind: 'off'; readonly cause: OffCause; readonly isSaved?: boolean };

/** A domain of ours, as the hypervisor shows it. */
export interface DomainSeen {
  readonly vmId: VmId;
  readonly power: Power;
  /** The hypervisor's own words: `shutoff, reason crashed`. */
  readonly detail: string;
}

/** A picture of a guest's screen. */
export interface Screen {
  /** `image/x-portable-pixmap` or `image/png`. */
  readonly mime: string;
  readonly bytes: Uint8Array;
}

export type HypervisorEvent =
  /** Something happened to this domain; look at it again. */
  | { readonly kind: 'domainChanged'; readonly vmId: VmId }
  /** Connected (again): anything may have happened meanwhile. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected'; readonly message: string };

/**
 * The hypervisor of this host, as far as the executor needs it; functions are added as required.
 * "Ours" are the domains whose metadata name this factory instance and this agent. All operations
 * are idempotent: what is so already is no error. They throw VmFailure, which is transient while
 * the hypervisor can't be reached. After the signal's abort they begin nothing more, and settle as
 * soon as what they have begun allows: until then it may still take effect.
 */
export interface Hypervisor extends GuestAgentPort, LiveDiskPort, LiveVolumesPort {
  /** Starts following the hypervisor; resolves at once, whether or not it can be reached now. */
  start(listener: (event: HypervisorEvent) => void): void;
  /** Says whose domains are ours: those of the agent with this host name. */
  identify(agentHostName: string): void;
  /** All domains of ours. */
  listDomains(): Promise<readonly DomainSeen[]>;
  findDomain(vmId: VmId, signal?: AbortSignal): Promise<DomainSeen | undefined>;
  /** Stores the definition, new or in place of the one before. */
  define(plan: DomainPlan, signal?: AbortSignal): Promise<void>;
  /** Powers on, from the memory that is kept if there is any; resolves when its CPUs run. */
  powerOn(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Presses the ACPI power button. A guest early in its boot ignores it. */
  pressPowerButton(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /**
   * Writes the guest's memory to the host and stops it; what is off stays as it is.
   * @throws VmFailure `CANNOT_SUSPEND` when this guest can't be; it runs on.
   */
  suspend(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Throws away the memory of a guest that is off. */
  forgetMemory(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Lets a guest go on whose disk had given an error. It stops again if that is still so. */
  resume(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Presses the reset button. A domain that is off needs it no more. */
  reset(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Whether the guest's agent answers; false for a guest that is off, or has none. */
  pingGuest(vmId: VmId, signal?: AbortSignal): Promise<boolean>;
  /** Pulls the plug. */
  powerOff(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** What the guest's screen shows now; it must be on. */
  screenshot(vmId: VmId, signal?: AbortSignal): Promise<Screen>;
  /** Forgets the definition. */
  undefine(vmId: VmId, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
