import {
  CONSOLE_ENDS,
  CONSOLE_OPENING_TIMEOUT_MS,
  CONSOLE_PATHS,
  ID_PREFIXES,
  LINK_CLUSTER_HEADER,
  LINK_SIGNATURE_HEADER,
  NONCE_HEADER,
  type OperationId,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import {
  type ByteChannel,
  type ChannelEnd,
  type Clock,
  type IdGenerator,
  type Logger,
  ProblemError,
  passUpgrade,
  refuseUpgrade,
  type UpgradeRequest,
  type Upgrades,
  type WebSocketAcceptor,
} from '@factory/runtime';
import { isInternal } from '../http/principal.ts';
import { readLinkClaim, requireLinkSignature } from '../link/authenticate.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { ConsoleMeetings, Meeting } from './meetings.ts';
import type { ConsoleOpening } from './opening.ts';
import type { ConsoleTicketRecord } from './store.ts';
import type { ConsoleTickets } from './tickets.ts';

const LINK_HEADERS = [LINK_CLUSTER_HEADER, LINK_SIGNATURE_HEADER, TIMESTAMP_HEADER, NONCE_HEADER];

export interface ConsoleSocketParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: IdGenerator;
  readonly store: Pick<ApiStore, 'consoles' | 'clusters'>;
  readonly tickets: ConsoleTickets;
  readonly opening: ConsoleOpening;
  readonly meetings: ConsoleMeetings;
  readonly acceptor: WebSocketAcceptor;
  readonly internalToken: string;
  /** Where other api-servers reach this one. */
  readonly selfUrl: () => string;
}

/** The WebSockets of consoles: users' by ticket, clusters' by signature. */
export function consoleSockets(upgrades: Upgrades, parts: ConsoleSocketParts): void {
  upgrades.on(CONSOLE_PATHS.user, (upgrade) => takeUser(upgrade, parts));
  upgrades.on(CONSOLE_PATHS.cluster, (upgrade) => takeCluster(upgrade, parts));
}

/** What is wrong is told over the WebSocket: browsers show no status of one that was refused. */
async function takeUser(upgrade: UpgradeRequest, parts: ConsoleSocketParts): Promise<void> {
  const { request, socket, head, id: ticket } = upgrade;
  const { acceptor, internalToken, newId, tickets, meetings, selfUrl, logger } = parts;
  if (!isInternal(request.headers.authorization, internalToken)) return refuseUpgrade(socket, 401);
  const user = await acceptor.accept(request, socket, head);
  try {
    const operationId = newId(ID_PREFIXES.operation) as OperationId;
    const found = await tickets.use(ticket, operationId, selfUrl());
    if (found === undefined) return user.close(CONSOLE_ENDS.badTicket);
    await meetings.expect(user, operationId, (meeting) =>
      connect({ user, operationId, ticket: found, meeting }, parts),
    );
  } catch (error) {
    logger.warn({ err: error }, 'a console was not opened');
    user.close(refusal(error instanceof ProblemError ? error.message : undefined));
  }
}

/** Has the machine's host open its console, and joins it with the user. */
async function connect(
  session: {
    readonly user: ByteChannel;
    readonly operationId: OperationId;
    readonly ticket: ConsoleTicketRecord;
    readonly meeting: Meeting;
  },
  { clock, opening, meetings, logger }: ConsoleSocketParts,
): Promise<void> {
  const { user, operationId, ticket, meeting } = session;
  const over = new AbortController();
  const late = Promise.withResolvers<ChannelEnd>();
  const timer = clock.after(CONSOLE_OPENING_TIMEOUT_MS, () => late.resolve(CONSOLE_ENDS.notOpened));
  try {
    const operation = await opening.begin(operationId, ticket);
    meeting.cluster.resolve(operation.clusterId ?? undefined);
    logger.info({ operationId, vmId: ticket.vmId, kind: ticket.kind }, 'opening a console');
    const failed = opening.failure(operation, over.signal).then((message) => {
      return message === undefined ? late.promise : refusal(message);
    });
    const come = await Promise.race([meeting.arrival.promise, failed, late.promise, user.ended]);
    if ('received' in come) await meetings.join(user, come);
    else user.close(come);
  } finally {
    timer.cancel();
    over.abort();
  }
}

/** The socket may have come to another api-server than the one that the user's is at. */
async function takeCluster(upgrade: UpgradeRequest, parts: ConsoleSocketParts): Promise<void> {
  const { request, socket, head } = upgrade;
  const { clock, store, meetings, acceptor, selfUrl } = parts;
  // Only looked up by it: what is no operation is not found.
  const operationId = upgrade.id as OperationId;
  const url = `${CONSOLE_PATHS.cluster}${operationId}`;
  const clusterId = await signerOf(upgrade, url, clock, store);
  if (clusterId === undefined) return refuseUpgrade(socket, 401);
  const meeting = await meetings.claim(operationId, clusterId);
  if (meeting !== undefined) {
    meeting.arrival.resolve(await acceptor.accept(request, socket, head));
    return;
  }
  const holder = await store.consoles.holderOf(operationId);
  if (holder === undefined || holder === selfUrl()) return refuseUpgrade(socket, 404);
  const headers = Object.fromEntries(
    LINK_HEADERS.map((name) => [name, String(request.headers[name])]),
  );
  passUpgrade(upgrade, { url: `${holder}${url}`, headers });
}

function refusal(message: string | undefined): ChannelEnd {
  return message === undefined || message === ''
    ? CONSOLE_ENDS.refused
    : { ...CONSOLE_ENDS.refused, reason: message };
}

/** The cluster that signed the handshake; undefined when none did. */
async function signerOf(
  { request }: UpgradeRequest,
  url: string,
  clock: Clock,
  store: Pick<ApiStore, 'clusters'>,
) {
  try {
    const claim = readLinkClaim(request, clock);
    const peer = await store.clusters.findPeer(claim.clusterId);
    requireLinkSignature(peer, claim, { method: 'GET', url, body: new Uint8Array() });
    return peer?.id;
  } catch {
    return undefined;
  }
}
