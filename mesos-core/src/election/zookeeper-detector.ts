import { createBackoff, sleep } from '@factory/runtime';
import { CodecError } from '../protocol/index.ts';
import { hasReason, type ZooKeeperClient } from '../zookeeper/index.ts';
import type { Detector, Leader } from './election.ts';
import { decodeMasterNode, leadingNode } from './master-nodes.ts';
import type { ZooKeeperElectionOptions } from './zookeeper-contender.ts';

/**
 * Watches the nodes of the masters in ZooKeeper. While ZooKeeper can't be reached, who led last counts
 * as the leader: a leader that has lost ZooKeeper itself exits, and is noticed by its silence.
 */
export class ZooKeeperDetector implements Detector {
  readonly #options: ZooKeeperElectionOptions;
  readonly #listeners = new Set<(leader: Leader | undefined) => void>();
  readonly #stopping = new AbortController();
  #leader: Leader | undefined;

  /** Begins to look. */
  constructor(options: ZooKeeperElectionOptions) {
    this.#options = options;
    void this.#run();
  }

  get leader(): Leader | undefined {
    return this.#leader;
  }

  watch(listener: (leader: Leader | undefined) => void): () => void {
    this.#listeners.add(listener);
    queueMicrotask(() => {
      if (this.#listeners.has(listener)) listener(this.#leader);
    });
    return () => this.#listeners.delete(listener);
  }

  /** Stops looking. */
  close(): void {
    this.#stopping.abort(new Error('the detector was closed'));
    this.#listeners.clear();
  }

  async #run(): Promise<void> {
    const { clock, random, logger, sessions } = this.#options;
    const { signal } = this.#stopping;
    const backoff = createBackoff({ baseMs: 200, maxMs: 2000, random });
    const stopped = aborted(signal);
    while (!signal.aborted) {
      const client = sessions.current;
      try {
        const changed = Promise.withResolvers<void>();
        await this.#look(client, changed.resolve);
        backoff.reset();
        await Promise.race([changed.promise, client.ended, stopped]);
      } catch (error) {
        if (signal.aborted) return;
        const retryInMs = Math.round(backoff.nextMs());
        logger.warn({ err: error, retryInMs }, 'looking for the leading master failed');
        await sleep(clock, retryInMs, signal).catch(() => undefined);
      }
    }
  }

  /** Looks once; `onChange` is called when it is time to look again. */
  async #look(client: ZooKeeperClient, onChange: () => void): Promise<void> {
    const { path } = this.#options;
    const node = leadingNode(await childrenOf(client, path, onChange));
    if (node === undefined) this.#tell(undefined);
    else if (node !== this.#leader?.id) await this.#read(client, node);
  }

  async #read(client: ZooKeeperClient, node: string): Promise<void> {
    try {
      const { data } = await client.getData(`${this.#options.path}/${node}`);
      this.#tell({ id: node, ...decodeMasterNode(node, data) });
    } catch (error) {
      // Gone again: the watch on its parent has fired.
      if (hasReason(error, 'NO_NODE')) return;
      if (!(error instanceof CodecError)) throw error;
      this.#options.logger.error({ node, err: error }, "the leading master's node is unreadable");
      this.#tell(undefined);
    }
  }

  #tell(leader: Leader | undefined): void {
    if (leader?.id === this.#leader?.id) return;
    this.#leader = leader;
    for (const listener of [...this.#listeners]) listener(leader);
  }
}

/** The children's names; none while there is no such node, which is watched for then. */
async function childrenOf(
  client: ZooKeeperClient,
  path: string,
  onChange: () => void,
): Promise<readonly string[]> {
  try {
    return await client.getChildren(path, onChange);
  } catch (error) {
    if (!hasReason(error, 'NO_NODE')) throw error;
    if ((await client.exists(path, onChange)) !== undefined) onChange();
    return [];
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
