import {
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  retryForever,
} from '@factory/runtime';
import { CodecError, type MasterInfo } from '../protocol/index.ts';
import { hasReason, type ZooKeeperClient } from '../zookeeper/index.ts';
import type { Candidacy, Contender, Scheme } from './election.ts';
import {
  decodeMasterNode,
  encodeMasterNode,
  isMasterNode,
  MASTER_NODE_PREFIX,
} from './master-nodes.ts';
import type { ZooKeeperSessions } from './sessions.ts';

/** What the ZooKeeper parts of an election are made of. */
export interface ZooKeeperElectionOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly sessions: ZooKeeperSessions;
  /** Of the `zk://` URL. */
  readonly path: string;
}

/** Stands for election with a node in ZooKeeper that lives as long as the session. */
export class ZooKeeperContender implements Contender {
  readonly #options: ZooKeeperElectionOptions;
  readonly #scheme: Scheme;

  /** @param scheme what the candidate is spoken to in. */
  constructor(options: ZooKeeperElectionOptions, scheme: Scheme = 'http') {
    this.#options = options;
    this.#scheme = scheme;
  }

  contend(info: MasterInfo, signal: AbortSignal): Promise<Candidacy> {
    const { clock, logger, random } = this.#options;
    const backoff = createBackoff({ baseMs: 200, maxMs: 2000, random });
    const options = { what: 'standing for election', clock, logger, backoff, signal };
    return retryForever(options, () => this.#announce(info));
  }

  async #announce(info: MasterInfo): Promise<Candidacy> {
    const { sessions, path, logger } = this.#options;
    const client = sessions.current;
    await client.ensurePath(path);
    const data = encodeMasterNode(info, this.#scheme);
    const node = (await findOwnNode(client, path, info)) ?? (await createNode(client, path, data));
    const id = node.slice(path.length + 1);
    logger.info({ node }, 'standing for election');
    const { promise: lost, resolve } = Promise.withResolvers<string>();
    void client.ended.then(({ message }) => resolve(message));
    void this.#watchNode(client, node, resolve);
    return { id, lost };
  }

  /** Somebody may delete the node by hand: then another leads while the session lives on. */
  async #watchNode(
    client: ZooKeeperClient,
    node: string,
    onGone: (why: string) => void,
  ): Promise<void> {
    while (!client.isEnded) {
      const changed = Promise.withResolvers<void>();
      try {
        if ((await client.exists(node, changed.resolve)) === undefined) {
          onGone(`somebody deleted ${node}`);
          return;
        }
        await Promise.race([changed.promise, client.ended]);
      } catch (error) {
        // No answer in time; the session will end by itself if that goes on.
        if (!hasReason(error, 'DEADLINE')) return;
      }
    }
  }
}

async function createNode(
  client: ZooKeeperClient,
  path: string,
  data: Uint8Array,
): Promise<string> {
  const options = { ephemeral: true, sequential: true };
  return client.create(`${path}/${MASTER_NODE_PREFIX}`, data, options);
}

/**
 * What an earlier attempt in this session made, whose answer was lost with the connection. A node that
 * this process made in an earlier session, which the server has not ended yet, is removed: nobody
 * leads there any more, but while it is there it may come first.
 */
async function findOwnNode(
  client: ZooKeeperClient,
  path: string,
  { id }: MasterInfo,
): Promise<string | undefined> {
  // The server that is asked now may not have heard yet of what another was told before.
  await client.sync(path);
  let found: string | undefined;
  for (const name of await client.getChildren(path)) {
    if (!isMasterNode(name)) continue;
    const node = `${path}/${name}`;
    const { owner, masterId } = await readNode(client, node, name);
    if (owner === client.sessionId) found = node;
    else if (masterId === id) await client.delete(node).catch(unlessGone);
  }
  return found;
}

async function readNode(
  client: ZooKeeperClient,
  node: string,
  name: string,
): Promise<{ readonly owner?: bigint; readonly masterId?: string }> {
  try {
    const { data, stat } = await client.getData(node);
    const owner = stat.ephemeralOwner;
    try {
      return { owner, masterId: decodeMasterNode(name, data).info.id };
    } catch (error) {
      if (error instanceof CodecError) return { owner };
      throw error;
    }
  } catch (error) {
    unlessGone(error);
    return {};
  }
}

function unlessGone(error: unknown): void {
  if (!hasReason(error, 'NO_NODE')) throw error;
}
