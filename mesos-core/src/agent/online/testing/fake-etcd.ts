import { PassThrough } from 'node:stream';
import { type FastifyInstance, fastify } from 'fastify';

/** As much of etcd's JSON gateway as attributes need, in memory. */
export interface FakeEtcd {
  readonly app: FastifyInstance;
  put(key: string, value: string): void;
  delete(key: string): void;
  /** Forgets old revisions: watches that begin there are cancelled. */
  compact(): void;
  readonly watchCount: number;
}

interface Watch {
  readonly from: string;
  readonly to: string;
  readonly stream: PassThrough;
}

/** An etcd without keys. */
export function createFakeEtcd(): FakeEtcd {
  const app = fastify();
  const values = new Map<string, string>();
  const watches = new Set<Watch>();
  const history: { readonly revision: number; readonly key: string }[] = [];
  let revision = 1;
  let compacted = 0;
  const send = (watch: Watch, result: object): void => {
    watch.stream.write(`${JSON.stringify({ result })}\n`);
  };
  const change = (key: string): void => {
    revision += 1;
    history.push({ revision, key });
    for (const watch of watches) {
      if (key >= watch.from && key < watch.to)
        send(watch, { events: [{ kv: { key: to64(key) } }] });
    }
  };
  app.post<{ Body: { key: string; range_end: string } }>('/v3/kv/range', async ({ body }) => {
    const [from, to] = [from64(body.key), from64(body.range_end)];
    const keys = [...values.keys()].filter((key) => key >= from && key < to).toSorted();
    return {
      header: { revision: String(revision) },
      ...(keys.length === 0
        ? {}
        : { kvs: keys.map((key) => ({ key: to64(key), value: to64(values.get(key) ?? '') })) }),
    };
  });
  app.post<{
    Body: { create_request: { key: string; range_end: string; start_revision: string } };
  }>('/v3/watch', async ({ body }, reply) => {
    const { key, range_end, start_revision } = body.create_request;
    const watch = { from: from64(key), to: from64(range_end), stream: new PassThrough() };
    const start = Number(start_revision);
    send(watch, { created: true });
    if (start <= compacted) send(watch, { canceled: true, compact_revision: String(compacted) });
    const missed = history.filter(
      (each) => each.revision >= start && each.key >= watch.from && each.key < watch.to,
    );
    if (missed.length > 0)
      send(watch, { events: missed.map((each) => ({ kv: { key: each.key } })) });
    watches.add(watch);
    watch.stream.on('close', () => watches.delete(watch));
    return reply.send(watch.stream);
  });
  return {
    app,
    put(key, value) {
      values.set(key, value);
      change(key);
    },
    delete(key) {
      values.delete(key);
      change(key);
    },
    compact() {
      compacted = revision;
    },
    get watchCount() {
      return watches.size;
    },
  };
}

function to64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function from64(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}
