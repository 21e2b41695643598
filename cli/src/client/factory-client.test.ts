import {
  type Batch,
  isSignatureValid,
  NONCE_HEADER,
  PROBLEMS,
  parseAuthorizationHeader,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import { createHttpApp, ProblemError, RemoteProblemError, silentLogger } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { FactoryClient, NoSuchThingError } from './factory-client.ts';

const ID = `bat_${'1'.repeat(32)}`;

function batch(n: number): Batch {
  return {
    id: `bat_${String(n).padStart(32, '0')}` as Batch['id'],
    name: `batch-${n}`,
    projectId: `prj_${'1'.repeat(32)}` as Batch['projectId'],
    state: 'active',
    image: 'micro',
    count: 1,
    totalVcpus: null,
    vmCounts: {},
    readyCount: 0,
    settled: false,
    pendingReason: null,
    labels: {},
    createdAt: '2026-01-01T00:00:00.000Z',
  };
}

/** A client of a server that checks every signature, and answers with `answer`. */
async function setUp(answer: (request: { readonly url: string }) => unknown, secret = 's3cret') {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
  const app = createHttpApp({ service: 'fake-gateway', clock, logger: silentLogger });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  const nonces = new Set<string>();
  const seen: { method: string; url: string; body: string; headers: Record<string, unknown> }[] =
    [];
  app.all('/*', async (request) => {
    const { method, url, headers } = request;
    const body = String(request.body ?? '');
    const [timestamp, nonce] = [String(headers[TIMESTAMP_HEADER]), String(headers[NONCE_HEADER])];
    const claim = parseAuthorizationHeader(headers.authorization ?? '');
    const parts = { method, pathWithQuery: url, body, timestamp, nonce };
    const isValid = isSignatureValid('s3cret', parts, claim?.signature ?? '');
    if (claim?.keyId !== 'key_1' || !isValid) throw new ProblemError(PROBLEMS.badSignature, 'no');
    if (nonces.has(nonce)) throw new ProblemError(PROBLEMS.replayed, 'again');
    nonces.add(nonce);
    expect(Math.abs(Number(timestamp) - clock.nowMs() / 1000)).toBeLessThan(2);
    seen.push({ method, url, body, headers });
    return answer(request);
  });
  await network.attach('http://gateway:8080', app);
  const client = new FactoryClient({
    clock,
    transport: network.transport('cli'),
    url: 'http://gateway:8080',
    keyId: 'key_1',
    secret,
  });
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let isOver = false;
    const mark = (): void => {
      isOver = true;
      clock.noteActivity();
    };
    work.then(mark, mark);
    await clock.runUntil(() => isOver, 60_000);
    return work;
  };
  return { client, seen, during };
}

describe('a client', () => {
  it('signs every call as it is sent', async () => {
    const { client, seen, during } = await setUp(() => batch(1));
    await during(client.createBatch({ name: 'é "x"', image: 'micro', count: 8 }));
    await during(client.batch(ID));
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /v1/batches',
      `GET /v1/batches/${ID}`,
    ]);
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ name: 'é "x"', image: 'micro', count: 8 });
    expect(seen[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f]{32}$/);
  });

  it('gives the reason when it is refused', async () => {
    const { client, during } = await setUp(() => ({}), 'wrong');
    const refused = during(client.batch(ID));
    await expect(refused).rejects.toMatchObject({ code: 'FACTORY_ERR_BAD_SIGNATURE', status: 401 });
    await expect(refused).rejects.toBeInstanceOf(RemoteProblemError);
  });

  it('reads lists to their end', async () => {
    const { client, seen, during } = await setUp(({ url }) => {
      const cursor = new URL(url, 'http://x').searchParams.get('cursor');
      const page = cursor === null ? 1 : Number(cursor.slice('after/'.length)) + 1;
      return { items: [batch(page)], nextCursor: page < 3 ? `after/${page}` : null };
    });
    const all = await during(client.batches());
    expect(all.map(({ name }) => name)).toEqual(['batch-1', 'batch-2', 'batch-3']);
    expect(seen[1]?.url).toContain('cursor=after%2F1');
  });

  it('finds by id or by name, and says where to look when there is none', async () => {
    const { client, seen, during } = await setUp(({ url }) => {
      if (url.startsWith('/v1/batches/')) return batch(7);
      const isKnown = url.includes('name=known');
      return { items: isKnown ? [batch(1)] : [], nextCursor: null };
    });
    expect((await during(client.findBatch('known'))).name).toBe('batch-1');
    expect((await during(client.findBatch(ID))).name).toBe('batch-7');
    const missing = during(client.findVm('a&b=c'));
    await expect(missing).rejects.toBeInstanceOf(NoSuchThingError);
    expect(seen.at(-1)?.url).toContain('name=a%26b%3Dc');
  });

  it('refuses an answer that is not what was asked for', async () => {
    const { client, during } = await setUp(() => ({ surprise: true }));
    await expect(during(client.batch(ID))).rejects.toThrow();
  });

  it('reads console logs as they are, and tells why it can not', async () => {
    const good = await setUp(() => 'login: \u001b[0m');
    expect(await good.during(good.client.logs('vm_1'))).toContain('login:');
    const bad = await setUp(() => {
      throw new ProblemError(PROBLEMS.timeout, 'its host did not answer');
    });
    const failing = bad.during(bad.client.logs('vm_1'));
    await expect(failing).rejects.toMatchObject({ status: 504, detail: 'its host did not answer' });
  });
});
