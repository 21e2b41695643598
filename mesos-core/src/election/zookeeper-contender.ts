import {
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  retryForever,
} from '@factory/runtime';
import type { MasterInfo } from '../protocol/index.ts';
import { hasReason, type ZooKeeperClient } from '../zookeeper/index.ts';
import type { Candidacy, Contender, Scheme } from './election.ts';
import { encodeMasterNode, isMasterNode, MASTER_NODE_PREFIX } from './master-nodes.ts';
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
    return retryForever(options, () => this.#announce(encodeMasterNode(info, this.#scheme)));
  }

  async #announce(data: Uint8Array): Promise<Candidacy> {
    const { sessions, path, logger } = this.#options;
    const client = sessions.current;
    await client.ensurePath(path);
    const node = (await findOwnNode(client, path)) ?? (await createNode(client, path, data));
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

/** What an earlier attempt made, whose answer was lost with the connection. */
async function findOwnNode(client: ZooKeeperClient, path: string): Promise<string | undefined> {
  for (const name of await client.getChildren(path)) {
    if (!isMasterNode(name)) continue;
    const stat = await client.exists(`${path}/${name}`);
    if (stat?.ephemeralOwner === client.sessionId) return `${path}/${name}`;
  }
  return undefined;
}
