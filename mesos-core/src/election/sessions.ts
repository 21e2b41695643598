import { ZooKeeperClient, type ZooKeeperOptions } from '../zookeeper/index.ts';

/** The one ZooKeeper session of a process: when it has ended, the next who asks begins another. */
export class ZooKeeperSessions {
  readonly #options: ZooKeeperOptions;
  #client: ZooKeeperClient | undefined;
  #isClosed = false;

  constructor(options: ZooKeeperOptions) {
    this.#options = options;
  }

  /** The session, or a new one after its end. After {@link close} it is one that has ended. */
  get current(): ZooKeeperClient {
    if (this.#client === undefined || (this.#client.isEnded && !this.#isClosed)) {
      this.#client = new ZooKeeperClient(this.#options);
      if (this.#isClosed) void this.#client.close();
    }
    return this.#client;
  }

  /** Ends the session: its nodes go at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client?.close();
  }
}
