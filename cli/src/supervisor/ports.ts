import { createServer } from 'node:net';
import { join } from 'node:path';
import { readJsonIfExists, writeFileAtomic } from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Layout } from './layout.ts';

const portsFile = Compile(Type.Record(Type.String(), Type.Integer({ minimum: 1, maximum: 65535 })));

/** Gives each part its port: the one it had before, else the wished one, else any free one. */
export class PortBook {
  readonly #file: string;
  #ports: Record<string, number>;
  readonly #given = new Set<number>();

  private constructor(file: string, ports: Record<string, number>) {
    this.#file = file;
    this.#ports = ports;
  }

  static async open(layout: Layout): Promise<PortBook> {
    const file = join(layout.data, 'ports.json');
    const known = await readJsonIfExists(file);
    return new PortBook(file, portsFile.Check(known) ? { ...known } : {});
  }

  /**
   * The port of a part; the same at the next start, as long as nobody else has taken it. Without a
   * wish (0) any free one.
   */
  async portFor(name: string, wished: number): Promise<number> {
    const isPort = (port: number | undefined): port is number => port !== undefined && port > 0;
    const candidates = [this.#ports[name], wished].filter(isPort);
    for (const port of candidates) {
      if (!this.#given.has(port) && (await isFree(port))) return this.#give(name, port);
    }
    return this.#give(name, await anyFreePort());
  }

  /** Gives a part exactly this port: the one that a person asked for, whatever it was before. */
  claim(name: string, port: number): number {
    return this.#give(name, port);
  }

  async save(): Promise<void> {
    await writeFileAtomic(this.#file, `${JSON.stringify(this.#ports, null, 2)}\n`, {
      fsync: false,
    });
  }

  #give(name: string, port: number): number {
    this.#given.add(port);
    this.#ports = { ...this.#ports, [name]: port };
    return port;
  }
}

/** Whether nobody listens on the loopback port. */
export async function isFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined;
}

async function anyFreePort(): Promise<number> {
  const port = await tryListen(0);
  if (port === undefined) throw new Error('no free port on 127.0.0.1');
  return port;
}

function tryListen(port: number): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const server = createServer();
  server.once('error', () => resolve(undefined));
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    const found = typeof address === 'object' && address !== null ? address.port : undefined;
    server.close(() => resolve(found));
  });
  return promise;
}
