import { type BlockJobType, blockJobTypeOf } from './block-jobs.ts';
import { type DomainJobOutcome, jobOutcomeOf } from './jobs.ts';
import { JOB_STATS_MAX } from './procedures/jobs.ts';
import { domain, text } from './procedures/shapes.ts';
import { type DomainLifecycleEvent, lifecycleOf } from './states.ts';
import { typedParam, typedParamsOf } from './typed-params.ts';
import type { Domain } from './types.ts';
import { domainOf } from './wire.ts';
import { arrayOf, type Codec, int, struct, type ValueOf, type XdrReader } from './xdr.ts';

/** The guest was reset or rebooted, by itself or by us; it runs on. */
export interface DomainRebootEvent {
  readonly domain: Domain;
}

/** A disk could not be read or written. */
export interface DomainIoErrorEvent {
  readonly domain: Domain;
  /** The image on the host; empty when libvirt can't tell. */
  readonly path: string;
  /** The disk's alias, e.g. `virtio-disk0`. */
  readonly alias: string;
  /** What QEMU did: nothing, stop the CPUs (the state is `paused/io-error`), or tell the guest. */
  readonly action: 'none' | 'pause' | 'report' | 'unknown';
  /** `enospc` when the host is out of room; else mostly empty. */
  readonly reason: string;
}

/** A block job came to its end, or to the point where it can be ended with a pivot. */
export interface DomainBlockJobEvent {
  readonly domain: Domain;
  /** The disk's target in the guest, e.g. `vda`. */
  readonly disk: string;
  readonly type: BlockJobType;
  readonly status: 'completed' | 'failed' | 'canceled' | 'ready' | 'unknown';
}

/** A device is gone, or the guest refused to let it go. */
export interface DomainDeviceEvent {
  readonly domain: Domain;
  /** E.g. `ua-vol_1`. */
  readonly alias: string;
}

/** The guest agent opened or closed its channel. */
export interface DomainAgentEvent {
  readonly domain: Domain;
  readonly state: 'connected' | 'disconnected' | 'unknown';
  readonly reason: 'domain-started' | 'channel' | 'unknown';
}

/** The job of a whole domain (a backup, a save) has ended. */
export interface DomainJobEvent extends DomainJobOutcome {
  readonly domain: Domain;
}

/** What each kind of event tells. */
export interface DomainEvents {
  readonly lifecycle: DomainLifecycleEvent;
  readonly reboot: DomainRebootEvent;
  readonly ioError: DomainIoErrorEvent;
  readonly blockJob: DomainBlockJobEvent;
  readonly deviceRemoved: DomainDeviceEvent;
  readonly deviceRemovalFailed: DomainDeviceEvent;
  readonly agentLifecycle: DomainAgentEvent;
  readonly jobCompleted: DomainJobEvent;
}

/** The name of a kind. */
export type DomainEventKind = keyof DomainEvents;

/** virDomainEventIOErrorAction. */
const IO_ERROR_ACTIONS = ['none', 'pause', 'report'] as const;
/** virConnectDomainEventBlockJobStatus. */
const BLOCK_JOB_STATUSES = ['completed', 'failed', 'canceled', 'ready'] as const;
/** virConnectDomainEventAgentLifecycleState; nothing is 0. */
const AGENT_STATES = [undefined, 'connected', 'disconnected'] as const;
/** virConnectDomainEventAgentLifecycleReason. */
const AGENT_REASONS = ['unknown', 'domain-started', 'channel'] as const;

/** A row of the table. */
export interface EventKind<Event> {
  /** virDomainEventID: what is registered for. */
  readonly eventId: number;
  /** The procedure number of libvirtd's message. */
  readonly number: number;
  /** Takes the message. @throws LibvirtProtocolError. */
  readonly decode: (reader: XdrReader) => { readonly callbackId: number; readonly event: Event };
}

function kind<Message extends { readonly callbackId: number }, Event>(
  eventId: number,
  number: number,
  message: Codec<Message>,
  read: (message: Message) => Event,
): EventKind<Event> {
  const decode = (reader: XdrReader) => {
    const decoded = message.decode(reader);
    return { callbackId: decoded.callbackId, event: read(decoded) };
  };
  return { eventId, number, decode };
}

const deviceMessage = struct({ callbackId: int, domain, alias: text });
const deviceEvent = ({ domain, alias }: ValueOf<typeof deviceMessage>): DomainDeviceEvent => ({
  domain: domainOf(domain),
  alias,
});

/**
 * The kinds of events that we understand. Each has its number to register for and the number and
 * layout of libvirtd's message (REMOTE_PROC_DOMAIN_EVENT_CALLBACK_*); to add a kind, add a row.
 */
export const EVENT_KINDS = {
  lifecycle: kind(
    0,
    318,
    struct({ callbackId: int, domain, event: int, detail: int }),
    ({ event, detail, domain }): DomainLifecycleEvent => ({
      ...lifecycleOf(event, detail),
      domain: domainOf(domain),
      raw: { event, detail },
    }),
  ),
  reboot: kind(
    1,
    319,
    struct({ callbackId: int, domain }),
    (message): DomainRebootEvent => ({ domain: domainOf(message.domain) }),
  ),
  ioError: kind(
    // VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON: as IO_ERROR, with the reason.
    6,
    324,
    struct({ callbackId: int, domain, path: text, alias: text, action: int, reason: text }),
    ({ domain, path, alias, action, reason }): DomainIoErrorEvent => ({
      domain: domainOf(domain),
      path,
      alias,
      action: IO_ERROR_ACTIONS[action] ?? 'unknown',
      reason,
    }),
  ),
  deviceRemoved: kind(15, 333, deviceMessage, deviceEvent),
  blockJob: kind(
    // VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2: names the disk by its target, which outlives a pivot.
    16,
    339,
    struct({ callbackId: int, domain, disk: text, type: int, status: int }),
    ({ domain, disk, type, status }): DomainBlockJobEvent => ({
      domain: domainOf(domain),
      disk,
      type: blockJobTypeOf(type),
      status: BLOCK_JOB_STATUSES[status] ?? 'unknown',
    }),
  ),
  agentLifecycle: kind(
    18,
    348,
    struct({ callbackId: int, domain, state: int, reason: int }),
    ({ domain, state, reason }): DomainAgentEvent => ({
      domain: domainOf(domain),
      state: AGENT_STATES[state] ?? 'unknown',
      reason: AGENT_REASONS[reason] ?? 'unknown',
    }),
  ),
  jobCompleted: kind(
    21,
    363,
    struct({ callbackId: int, domain, params: arrayOf(typedParam, JOB_STATS_MAX) }),
    ({ domain, params }): DomainJobEvent => ({
      domain: domainOf(domain),
      ...jobOutcomeOf(typedParamsOf(params)),
    }),
  ),
  deviceRemovalFailed: kind(22, 367, deviceMessage, deviceEvent),
} as const satisfies { readonly [K in DomainEventKind]: EventKind<DomainEvents[K]> };
