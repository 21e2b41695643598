import { randomBytes } from 'node:crypto';
import {
  authorizationHeader,
  NONCE_HEADER,
  signRequest,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import { requestJson, sleep, systemClock } from '@factory/runtime';
import { type Connection, readConnection } from '../../cli/src/client/connection.ts';
import { readRunState } from '../../cli/src/supervisor/run-state.ts';
import { makeBatch, type RealFactory } from '../support/real-factory.ts';
import type { OpenApiDocument } from './operations.ts';
import type { FuzzRequest } from './requests.ts';
import { type FuzzAnswer, type FuzzReport, fuzz } from './run.ts';

/** Some wait for a host's answer; the others go on meanwhile. */
const LANES = 48;
/** On a machine that is busy with other things, too. */
const DEADLINE_MS = 60_000;
const WORKS_WITHIN_MS = 120_000;

/** Sends generated requests to a factory; says which processes have ended, and whether it works. */
export async function fuzzFactory(
  factory: RealFactory,
  { count, seed }: { readonly count: number; readonly seed: number },
): Promise<{
  readonly report: FuzzReport;
  readonly restarts: readonly string[];
  readonly works: boolean;
}> {
  const { layout, transport, url } = factory;
  const connection = await readConnection(layout);
  const document = await requestJson(
    transport,
    { method: 'GET', url: `${url}/openapi.json`, timeoutMs: 30_000 },
    decodeDocument,
  );
  await runsBatch(factory, 'before');
  const report = await fuzz({
    ...{ document, count, seed, lanes: LANES, deadlineMs: DEADLINE_MS, clock: systemClock },
    send: (request) => send(factory, connection, request),
    spared: [connection.keyId, ...(await ownIds(factory))],
    // What follows for ever is no answer.
    except: ['streamEvents', 'followEvents'],
  });
  const { processes = [] } = (await readRunState(layout)) ?? {};
  const restarts = processes.flatMap(({ name, restarts: ended }) =>
    ended > 0 ? [`${name} (${ended})`] : [],
  );
  return { report, restarts, works: await runsBatch(factory, 'after') };
}

/** What the run stands on: its project, its organisation and its cluster. */
async function ownIds({ client }: RealFactory): Promise<readonly string[]> {
  const [vm] = await client.vms({});
  const clusters = JSON.stringify(await client.call('GET', '/v1/clusters', (value) => value));
  const ids = clusters.match(/\b(clu|org|prj)_[0-9a-f]{32}/g) ?? [];
  return vm === undefined ? ids : [vm.projectId, ...ids];
}

async function send(
  { transport, url }: RealFactory,
  { keyId, secret }: Connection,
  request: FuzzRequest,
): Promise<FuzzAnswer> {
  const { method, body = '' } = request;
  const timestamp = String(Math.floor(systemClock.nowMs() / 1000));
  const nonce = randomBytes(18).toString('base64url');
  const parts = { method, pathWithQuery: request.url, body, timestamp, nonce };
  const answer = await transport.request({
    ...{ method, url: `${url}${request.url}`, timeoutMs: DEADLINE_MS },
    headers: {
      ...request.headers,
      authorization: authorizationHeader(keyId, signRequest(secret, parts)),
      [TIMESTAMP_HEADER]: timestamp,
      [NONCE_HEADER]: nonce,
    },
    ...(request.body === undefined ? {} : { body }),
  });
  return {
    status: answer.status,
    contentType: answer.headers['content-type'] ?? '',
    body: new TextDecoder().decode(answer.body),
  };
}

async function runsBatch(factory: RealFactory, name: string): Promise<boolean> {
  const { client } = factory;
  const endMs = systemClock.monotonicMs() + WORKS_WITHIN_MS;
  // What the requests made may have taken all room.
  for (const batch of await client.batches()) await client.deleteBatch(batch.id);
  const { id } = await makeBatch(factory, { name, image: 'micro', count: 3, memoryMiB: 64 });
  while (systemClock.monotonicMs() < endMs) {
    if ((await client.batch(id)).vmCounts.running === 3) return true;
    await sleep(systemClock, 500);
  }
  return false;
}

/** The document is our own: its shape is taken as given. */
function decodeDocument(value: unknown): OpenApiDocument {
  return value as OpenApiDocument;
}
