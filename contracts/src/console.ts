import { type Static, Type } from 'typebox';
import { stringEnum, VmIdSchema } from './ids.ts';

/**
 * Consoles of running machines as streams. A user's WebSocket waits at the api-server; an operation
 * `console` tells the machine's executor, which dials the relay of its cluster-server, which dials
 * the api-server: nobody dials into a datacenter, nor into a host. Decision 0021 has the reasons.
 */
export const CONSOLE_KINDS = ['serial', 'vnc'] as const;
export type ConsoleKind = (typeof CONSOLE_KINDS)[number];
export const ConsoleKindSchema = stringEnum(CONSOLE_KINDS);

/** `POST /v1/vms/{id}:console`. */
export const ConsoleRequestSchema = Type.Object({ kind: ConsoleKindSchema });

/** Its answer: good for one WebSocket to `path`, which carries the console's bytes as they are. */
export const ConsoleTicketSchema = Type.Object({
  vmId: VmIdSchema,
  kind: ConsoleKindSchema,
  /** A secret: whoever has it gets the console. */
  ticket: Type.String(),
  /** At the gateway: `/v1/consoles/<ticket>`. */
  path: Type.String(),
  expiresAt: Type.String({ format: 'date-time' }),
});
export type ConsoleTicket = Static<typeof ConsoleTicketSchema>;

/** Paths of the sockets; the id follows. */
export const CONSOLE_PATHS = {
  /** A user's, at the gateway and the api-server. */
  user: '/v1/consoles/',
  /** A cluster-server's, at the same two: signed, by operation. */
  cluster: '/cluster-link/v1/consoles/',
  /** An executor's, at the cluster-server: by operation, with the token in a header. */
  relay: '/v1/console-relay/',
} as const;

/** Carries {@link ConsoleRelay.token}. */
export const CONSOLE_TOKEN_HEADER = 'x-factory-console-token';

/** Where an executor brings a console to; the cluster-server puts it into the operation. */
export const ConsoleRelaySchema = Type.Object({
  /** Of the cluster-server, as hosts reach it. */
  url: Type.String({ pattern: '^https?://', maxLength: 1024 }),
  /** Good for one connection. */
  token: Type.String({ minLength: 32, maxLength: 128 }),
});
export type ConsoleRelay = Static<typeof ConsoleRelaySchema>;

/** `params` of an operation `console`. */
export const ConsoleParamsSchema = Type.Object({
  kind: ConsoleKindSchema,
  /** Absent on the way from the api-server to the cluster-server. */
  relay: Type.Optional(ConsoleRelaySchema),
});
export type ConsoleParams = Static<typeof ConsoleParamsSchema>;

/** From the user's WebSocket to bytes of the machine. */
export const CONSOLE_OPENING_TIMEOUT_MS = 20_000;
/** Consoles of each kind that one machine has at a time. */
export const CONSOLES_PER_VM_MAX = 8;

/** Why a console ends, beside the normal 1000: close codes of the user's WebSocket. Stable. */
export const CONSOLE_ENDS = {
  badTicket: {
    code: 4401,
    reason: 'The ticket was used, has expired, or never was good; ask for a new one.',
  },
  refused: { code: 4409, reason: 'The console can not be opened.' },
  machineOff: { code: 4410, reason: 'The machine was switched off, or its console is gone.' },
  idle: { code: 4408, reason: 'Nothing was typed or shown for long; ask for a new ticket.' },
  tooLong: { code: 4413, reason: 'It was open for as long as it may; ask for a new ticket.' },
  notOpened: { code: 4504, reason: 'The host did not answer in time; try again.' },
  hostAway: { code: 4503, reason: 'The connection to the host broke; ask for a new ticket.' },
} as const;
