import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, deflate, inflate } from 'node:zlib';
import type { Logger, Random } from '@factory/runtime';
import { hasReason, type ZooKeeperClient } from '../../zookeeper/index.ts';
import { BadRegistryError, type Registry, type RegistryStore } from '../registry.ts';
import { decodeRegistryText, encodeRegistryText } from './registry-text.ts';

/** Another master has taken the registry over: what this one still wants to write must not count. */
export class RegistryFencedError extends Error {
  readonly code = 'MESOS_ERR_REGISTRY_FENCED';
  constructor() {
    super('Another master writes the registry in ZooKeeper now.');
    this.name = 'RegistryFencedError';
  }
}

/** What the registry's node holds: where its content is. */
interface Index {
  readonly format: 1;
  /** Who wrote it, and which of its writes it is. */
  readonly writer: string;
  readonly write: number;
  /** Names of the children that hold the content, in order; none before the first save. */
  readonly chunks: readonly string[];
}

/** ZooKeeper takes at most 1 MiB in one request (jute.maxbuffer). */
const CHUNK_BYTES_MAX = 512 * 1024;
/** Another leader may write once more while the new one takes over. */
const TAKEOVER_ATTEMPTS_MAX = 5;

const deflateAsync = promisify(deflate);
const inflateAsync = promisify(inflate);

export interface ZooKeeperRegistryOptions {
  /** The session in which this master leads: with its end all writes are refused. */
  readonly client: ZooKeeperClient;
  readonly random: Random;
  readonly logger: Logger;
  /** The registry's node. */
  readonly path: string;
  readonly chunkBytesMax?: number;
}

/**
 * The registry in ZooKeeper, shared by all masters. Compressed and in chunks, children of one node
 * that names them; that node is only ever changed by compare-and-set on its version, and loading
 * changes it. So whoever loaded last is the only one who can save; and as it is done in the session
 * of the candidacy, not even that one when it leads no more.
 */
export class ZooKeeperRegistryStore implements RegistryStore {
  readonly #options: ZooKeeperRegistryOptions;
  readonly #writer: string;
  #write = 0;
  #chunks: readonly string[] = [];
  /** Of the node as this master wrote it last; `undefined` before it has loaded. */
  #version: number | undefined;

  constructor(options: ZooKeeperRegistryOptions) {
    this.#options = options;
    this.#writer = Buffer.from(options.random.bytes(8)).toString('hex');
  }

  /** @throws BadRegistryError; RegistryFencedError when others do not stop writing; ZooKeeperError. */
  async load(): Promise<Registry | undefined> {
    const { client, path } = this.#options;
    await client.ensurePath(path);
    await client.sync(path);
    for (let attempt = 0; attempt < TAKEOVER_ATTEMPTS_MAX; attempt += 1) {
      const { data, stat } = await client.getData(path);
      const { chunks } = decodeIndex(data);
      this.#version = stat.version;
      try {
        await this.#writeIndex(chunks);
      } catch (error) {
        if (error instanceof RegistryFencedError) continue;
        throw error;
      }
      await this.#removeChunksBut(chunks);
      return chunks.length === 0 ? undefined : this.#readChunks(chunks);
    }
    throw new RegistryFencedError();
  }

  /** @throws RegistryFencedError; ZooKeeperError when the session has ended. */
  async save(registry: Registry): Promise<void> {
    const { chunkBytesMax = CHUNK_BYTES_MAX } = this.#options;
    const text = encodeRegistryText(registry);
    const bytes = await deflateAsync(text, { level: constants.Z_BEST_SPEED });
    const count = Math.ceil(bytes.length / chunkBytesMax);
    const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    // Their names are those of their content, so that a repeated write is the same write.
    const chunks = Array.from(
      { length: count },
      (_, index) => `${this.#writer}-${this.#write + 1}-${digest}-${index}`,
    );
    for (const [index, name] of chunks.entries()) {
      const start = index * chunkBytesMax;
      await this.#createChunk(name, bytes.subarray(start, start + chunkBytesMax));
    }
    const before = this.#chunks;
    await this.#writeIndex(chunks);
    // The registry is durable; what is left over is removed by the next leader if not now.
    for (const name of before) await this.#removeChunk(name);
  }

  async #readChunks(chunks: readonly string[]): Promise<Registry> {
    const { client, path } = this.#options;
    const parts: Buffer[] = [];
    for (const name of chunks) parts.push((await client.getData(`${path}/${name}`)).data);
    let text: Buffer;
    try {
      text = await inflateAsync(Buffer.concat(parts));
    } catch {
      throw new BadRegistryError();
    }
    return decodeRegistryText(text.toString('utf8'));
  }

  async #createChunk(name: string, data: Uint8Array): Promise<void> {
    const { client, path } = this.#options;
    for (;;) {
      try {
        await client.create(`${path}/${name}`, data);
        return;
      } catch (error) {
        if (hasReason(error, 'NODE_EXISTS')) return;
        if (!hasReason(error, 'CONNECTION_LOSS')) throw error;
      }
    }
  }

  async #writeIndex(chunks: readonly string[]): Promise<void> {
    if (this.#version === undefined)
      throw new Error('the registry must be loaded before it is saved');
    this.#write += 1;
    const index: Index = { format: 1, writer: this.#writer, write: this.#write, chunks };
    const data = Buffer.from(JSON.stringify(index));
    this.#version = await this.#compareAndSet(data, this.#version);
    this.#chunks = chunks;
  }

  /** The node's new version. */
  async #compareAndSet(data: Buffer, before: number): Promise<number> {
    const { client, path } = this.#options;
    for (;;) {
      try {
        return (await client.setData(path, data, before)).version;
      } catch (error) {
        if (!hasReason(error, 'BAD_VERSION', 'CONNECTION_LOSS')) throw error;
        // The answer to an earlier attempt may have been lost with its connection.
        const found = await client.getData(path);
        if (found.data.equals(data)) return found.stat.version;
        if (found.stat.version !== before) throw new RegistryFencedError();
      }
    }
  }

  async #removeChunksBut(chunks: readonly string[]): Promise<void> {
    const { client, path } = this.#options;
    for (const name of await client.getChildren(path)) {
      if (!chunks.includes(name)) await this.#removeChunk(name);
    }
  }

  async #removeChunk(name: string): Promise<void> {
    const { client, path, logger } = this.#options;
    await client.delete(`${path}/${name}`).catch((error: unknown) => {
      if (hasReason(error, 'NO_NODE')) return;
      logger.warn({ name, err: error }, 'an old part of the registry stays in ZooKeeper for now');
    });
  }
}

function decodeIndex(data: Buffer): Index {
  if (data.length === 0) return { format: 1, writer: '', write: 0, chunks: [] };
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    throw new BadRegistryError();
  }
  if (!isIndex(value)) throw new BadRegistryError();
  return value;
}

function isIndex(value: unknown): value is Index {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'format' in value && value.format === 1 && 'chunks' in value && Array.isArray(value.chunks)
  );
}
