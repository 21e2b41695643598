import type { Domain } from './types.ts';

/**
 * libvirt's numbers for lifecycle events and states, as words. A word's place is its number:
 * virDomainEventType, virDomainEvent*DetailType, virDomainState and virDomain*Reason of
 * libvirt-domain.h. Newer libvirts may append: a number without a word reads as `unknown`.
 */
const LIFECYCLE = [
  ['defined', ['added', 'updated', 'renamed', 'from-snapshot']],
  ['undefined', ['removed', 'renamed']],
  ['started', ['booted', 'migrated', 'restored', 'from-snapshot', 'wakeup']],
  [
    'suspended',
    [
      'paused',
      'migrated',
      'io-error',
      'watchdog',
      'restored',
      'from-snapshot',
      'api-error',
      'postcopy',
      'postcopy-failed',
    ],
  ],
  ['resumed', ['unpaused', 'migrated', 'from-snapshot', 'postcopy', 'postcopy-failed']],
  ['stopped', ['shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from-snapshot']],
  ['shutdown', ['finished', 'guest', 'host']],
  ['pm-suspended', ['memory', 'disk']],
  ['crashed', ['panicked', 'crash-loaded']],
] as const;

const STATES = [
  ['no-state', ['unknown']],
  [
    'running',
    [
      'unknown',
      'booted',
      'migrated',
      'restored',
      'from-snapshot',
      'unpaused',
      'migration-canceled',
      'save-canceled',
      'wakeup',
      'crashed',
      'postcopy',
      'postcopy-failed',
    ],
  ],
  ['blocked', ['unknown']],
  [
    'paused',
    [
      'unknown',
      'user',
      'migration',
      'save',
      'dump',
      'io-error',
      'watchdog',
      'from-snapshot',
      'shutting-down',
      'snapshot',
      'crashed',
      'starting-up',
      'postcopy',
      'postcopy-failed',
    ],
  ],
  ['shutdown', ['unknown', 'user']],
  [
    'shutoff',
    [
      'unknown',
      'shutdown',
      'destroyed',
      'crashed',
      'migrated',
      'saved',
      'failed',
      'from-snapshot',
      'daemon',
    ],
  ],
  ['crashed', ['unknown', 'panicked']],
  ['pm-suspended', ['unknown']],
] as const;

type Pairs<Row, First extends string, Second extends string> = Row extends readonly [
  infer A extends string,
  readonly (infer B extends string)[],
]
  ? { readonly [K in First]: A } & { readonly [K in Second]: B | 'unknown' }
  : never;

type UnknownEvent = { readonly event: 'unknown'; readonly detail: 'unknown' };
type UnknownState = { readonly state: 'unknown'; readonly reason: 'unknown' };

/** What happened: e.g. `{ event: 'stopped', detail: 'crashed' }`. */
export type DomainLifecycle = Pairs<(typeof LIFECYCLE)[number], 'event', 'detail'> | UnknownEvent;

/** A state and why: e.g. `{ state: 'shutoff', reason: 'destroyed' }`. */
export type DomainStatus = Pairs<(typeof STATES)[number], 'state', 'reason'> | UnknownState;

/** A lifecycle event, and the domain it is about. */
export type DomainLifecycleEvent = DomainLifecycle & {
  readonly domain: Domain;
  /** libvirt's own numbers, for the log. */
  readonly raw: { readonly event: number; readonly detail: number };
};

/** The words for libvirt's numbers of an event; `unknown` for a number this table has not. */
export function lifecycleOf(event: number, detail: number): DomainLifecycle {
  const row = LIFECYCLE[event];
  if (row === undefined) return { event: 'unknown', detail: 'unknown' };
  // The row pairs the event with its own details, which TypeScript can't follow through an index.
  return { event: row[0], detail: row[1][detail] ?? 'unknown' } as DomainLifecycle;
}

/** The words for libvirt's numbers of a state; `unknown` for a number this table has not. */
export function statusOf(state: number, reason: number): DomainStatus {
  const row = STATES[state];
  if (row === undefined) return { state: 'unknown', reason: 'unknown' };
  return { state: row[0], reason: row[1][reason] ?? 'unknown' } as DomainStatus;
}
