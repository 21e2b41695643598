import { readFileSync } from 'node:fs';
import { type HttpRequest, type HttpResponse, silentLogger } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decodeMessage,
  equalResources,
  type Offer,
  parseResources,
  RecordDecoder,
  type SchedulerEvent,
} from '../protocol/index.ts';
import { missingKeys } from '../testing/missing-keys.ts';
import { createMaster, createMemoryRegistryStore, type Master } from './index.ts';
import { newRegistry } from './registry.ts';
import { FakeAgent } from './testing/fake-agent.ts';

interface Recording {
  readonly name: string;
  readonly to?: string;
  readonly event?: SchedulerEvent;
  readonly request?: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
  readonly response?: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
}

const FILE = new URL('../../fixtures/recordings.jsonl', import.meta.url);
const RECORDINGS: readonly Recording[] = readFileSync(FILE, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const MASTER = 'http://localhost:5050';
const MASTER_ID = 'd49d63c2-7eb9-4426-a3a7-6fa54f1a5e84';

/** Answers that differ in what is in them, as figures, times and offers do, but not in their keys. */
const SAME_KEYS =
  /GET_(METRICS|FLAGS|STATE|AGENTS|ROLES|VERSION)|GET_FRAMEWORKS$|^master GET (?!.*(health|redirect|nowhere))/;

const clock = new VirtualClock();
const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
const transport = network.transport('recorder');
const agent = new FakeAgent(network.transport('agent'), MASTER, {
  agent_info: {
    hostname: 'localhost',
    port: 5051,
    resources: parseResources('cpus:64;mem:65536;disk:100000;ports:[31000-32000]'),
    attributes: [
      { name: 'rack', type: 'TEXT', text: { value: 'r1' } },
      { name: 'ssd', type: 'TEXT', text: { value: 'true' } },
      { name: 'cores', type: 'SCALAR', scalar: { value: 8 } },
    ],
  },
  total_resources: parseResources('cpus:64;mem:65536;disk:100000;ports:[31000-32000]'),
});
let master: Master;

/** One scheduler's stream: what came, and whether it is over. */
interface Stream {
  readonly id: string;
  readonly events: SchedulerEvent[];
  hasEnded: boolean;
}
const streams = new Map<string, Stream>();
/** Recorded stream ids → ours. */
const streamIds = new Map<string, string>();
/** Recorded offer ids → ours that together are the same: ours may come in more than one piece. */
const offerIds = new Map<string, readonly string[]>();

beforeAll(async () => {
  const registry = createMemoryRegistryStore();
  await registry.save({ ...newRegistry(MASTER_ID), starts: -1 });
  master = await createMaster({
    ...{ clock, registry, random: seededRandom(2), logger: silentLogger },
    address: { hostname: 'localhost', ip: '127.0.0.1', port: 5050 },
  });
  await network.attach(MASTER, master.app);
  void agent.subscribe();
  await clock.run(100);
});

afterAll(async () => {
  agent.cut();
  await Promise.all([master.close(), clock.run(100)]);
});

function bytesOf(body: unknown): string | Uint8Array {
  if (typeof body === 'object' && body !== null && 'base64' in body) {
    return Buffer.from(String(body.base64), 'base64');
  }
  return typeof body === 'string' ? body : JSON.stringify(body);
}

function requestOf({ request }: Recording): HttpRequest {
  if (request === undefined) throw new Error('not an exchange');
  const recordedId = request.headers['mesos-stream-id'];
  const streamId = recordedId && (streamIds.get(recordedId) ?? recordedId);
  const { body } = request;
  return {
    method: request.method,
    url: MASTER + request.path,
    headers: { ...request.headers, ...(streamId ? { 'mesos-stream-id': streamId } : {}) },
    ...(body === undefined ? {} : { body: bytesOf(withOurOffers(body)) }),
    timeoutMs: 5000,
  };
}

/** The call with our offers instead of the recorded ones. */
function withOurOffers(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || 'base64' in body) return body;
  return JSON.parse(JSON.stringify(body), (key, value) => {
    if (key !== 'offer_ids') return value;
    const ids: { value: string }[] = value;
    return ids.flatMap((id) =>
      (offerIds.get(id.value) ?? [id.value]).map((each) => ({ value: each })),
    );
  });
}

async function exchange(recording: Recording): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  transport.request(requestOf(recording)).then(resolve, reject);
  await clock.run(20);
  return promise;
}

/** Opens a stream and keeps what comes under the name that its events are recorded with. */
async function subscribe(recording: Recording, name: string): Promise<Stream> {
  const opening = transport.stream(requestOf(recording));
  await clock.run(20);
  const { status, headers, body } = await opening;
  expect(status).toBe(recording.response?.status);
  expect(headers['content-type']).toBe(recording.response?.headers['content-type']);
  const stream: Stream = { id: headers['mesos-stream-id'] ?? '', events: [], hasEnded: false };
  streamIds.set(recording.response?.headers['mesos-stream-id'] ?? '', stream.id);
  streams.set(name, stream);
  const decoder = new RecordDecoder();
  const read = async (): Promise<void> => {
    for await (const chunk of body) {
      const records = decoder.push(chunk).map((record) => Buffer.from(record).toString());
      stream.events.push(...records.map((record) => JSON.parse(record)));
    }
    stream.hasEnded = true;
  };
  void read();
  await clock.run(20);
  return stream;
}

/** Everything but what differs in every run. */
function comparable(event: SchedulerEvent): unknown {
  if (event.type === 'RESCIND') return { type: event.type };
  return JSON.parse(JSON.stringify(event), (key, value) =>
    key === 'timestamp' && !isFromExecutor(event) ? 'now' : value,
  );
}

function isFromExecutor(event: SchedulerEvent): boolean {
  return event.type === 'UPDATE' && event.update.status.source !== 'SOURCE_MASTER';
}

/** The agent says what it said then. */
async function playAgent(event: SchedulerEvent): Promise<void> {
  const ids = { agent_id: agent.id, framework_id: `${MASTER_ID}-0000` };
  if (event.type === 'UPDATE' && isFromExecutor(event)) {
    const { status } = event.update;
    void agent.send({ type: 'UPDATE', ...ids, status, latest_state: status.state });
  }
  if (event.type === 'MESSAGE') {
    const { executor_id, data } = event.message;
    void agent.send({ type: 'MESSAGE', ...ids, executor_id: executor_id.value, data });
  }
  if (event.type === 'FAILURE') {
    const { executor_id, status = 0 } = event.failure;
    const executor = executor_id?.value ?? '';
    void agent.send({
      ...{ type: 'EXECUTOR_EXITED', ...ids, executor_id: executor, status },
      container_id: '0077441d-6445-4edc-b068-f0a3abfe9327',
    });
  }
  await clock.run(20);
}

/** Our offers that nobody has answered or rescinded yet. */
const answered = new Set<string>();
function outstanding(name: string, role?: string): readonly Offer[] {
  const events = streams.get(name)?.events ?? [];
  for (const event of events) {
    if (event.type === 'RESCIND') answered.add(event.rescind.offer_id.value);
  }
  return events
    .flatMap((event) => (event.type === 'OFFERS' ? (event.offers.offers ?? []) : []))
    .filter(({ id, allocation_info }) => {
      return !answered.has(id.value) && (role === undefined || allocation_info?.role === role);
    });
}

describe('refusals recorded from Apache Mesos', () => {
  const refusals = RECORDINGS.filter(
    ({ to, request, response, name }) =>
      to === 'master' &&
      request !== undefined &&
      typeof response?.body === 'string' &&
      response.status >= 400 &&
      // The last one is about what was reserved meanwhile.
      !/^life|after the end|too much/.test(name),
  );

  it.each(refusals.map((recording) => [recording.name, recording] as const))(
    '%s: same status, headers and text',
    async (_name, recording) => {
      const { response } = recording;
      const { status, headers, body } = await exchange(recording);
      expect({ status, body: Buffer.from(body).toString() }).toEqual({
        status: response?.status,
        body: response?.body,
      });
      for (const name of ['content-type', 'content-length', 'allow']) {
        expect(headers[name]).toBe(response?.headers[name]);
      }
    },
  );

  const rejected = RECORDINGS.filter(({ name }) => /^SUBSCRIBE with (both|a bad)/.test(name));
  it.each(rejected.map((recording) => [recording.name, recording] as const))(
    '%s: an ERROR on a stream that ends',
    async (name, recording) => {
      const stream = await subscribe(recording, name);
      const [, record = ''] = String(recording.response?.body).split('\n');
      expect(stream.events).toEqual([JSON.parse(record)]);
      expect(stream.hasEnded).toBe(true);
    },
  );
});

describe('the life of a framework as recorded from Apache Mesos', () => {
  const first = RECORDINGS.findIndex(({ name }) => name === 'life: SUBSCRIBE');
  const last = RECORDINGS.findIndex(({ name }) => name.startsWith('operator GET_FRAMEWORKS after'));
  const expected = new Map<string, SchedulerEvent[]>();
  // From here on offers differ: quota, weights and reservations shape the recorded ones.
  const afterReserve = RECORDINGS.findIndex(({ name }) => name.includes('RESERVE and CREATE'));

  for (const [offset, recording] of RECORDINGS.slice(first, last + 1).entries()) {
    const { name, event, to, request, response } = recording;
    if (name.startsWith('agent') || name.startsWith('executor') || to === 'agent') continue;
    const index = first + offset;
    if (event !== undefined) playEvent(index, recording, event);
    else if (request !== undefined) playCall(index, recording, response?.status ?? 0);
  }

  function playEvent(index: number, { name }: Recording, event: SchedulerEvent): void {
    const stream = name.split(':')[0] ?? '';
    it(`${index} ${name} ${event.type}`, async () => {
      await playAgent(event);
      if (event.type !== 'OFFERS') {
        expected.set(stream, [...(expected.get(stream) ?? []), event]);
        return;
      }
      const [offer] = event.offers.offers ?? [];
      const role = offer?.allocation_info?.role;
      await clock.run(1100);
      const ours = outstanding(stream, role);
      const resources = ours.flatMap((each) => each.resources ?? []);
      offerIds.set(
        offer?.id.value ?? '',
        ours.map(({ id }) => id.value),
      );
      if (index > afterReserve) return;
      expect(equalResources(resources, offer?.resources ?? [])).toBe(true);
      const { id: _, resources: __, ...shape } = offer ?? ({} as Offer);
      expect(ours[0]).toMatchObject(shape);
      if (ours.length === 1) expect(ours[0]?.resources).toEqual(offer?.resources);
    });
  }

  function playCall(index: number, recording: Recording, status: number): void {
    const { name, response } = recording;
    const stream = name.split(':')[0] ?? '';
    it(`${index} ${name}: ${status}`, async () => {
      if (name.startsWith('protobuf SUBSCRIBE')) {
        await expectSameFirstBytes(recording);
        return;
      }
      if (/SUBSCRIBE$/.test(name) && status === 200) {
        await subscribe(recording, stream);
        return;
      }
      const sent = requestOf(recording);
      const answer = await exchange(recording);
      expect(answer.status).toBe(status);
      if (status >= 400) expect(Buffer.from(answer.body).toString()).toBe(response?.body);
      else if (/operator protobuf/.test(name)) expectSameProtobuf(recording, answer);
      else if (SAME_KEYS.test(name)) expectSameKeys(recording, answer);
      else if (status === 200 && name.startsWith('operator')) expectSameFacts(recording, answer);
      for (const id of [...offerIds.values()].flat()) {
        if (typeof sent.body === 'string' && sent.body.includes('"ACCEPT"')) {
          if (sent.body.includes(`"${id}"`)) answered.add(id);
        }
      }
    });
  }

  it('told each scheduler the same in the same order', () => {
    expect([...expected.keys()]).toEqual(['life', 'failover', 'gone']);
    for (const [name, events] of expected) {
      const all = streams.get(name)?.events ?? [];
      // What Mesos offered in one piece ours may have offered in several.
      const ours = all
        .filter(({ type }) => type !== 'OFFERS' && type !== 'HEARTBEAT')
        .filter(({ type }, index, list) => type !== 'RESCIND' || list[index - 1]?.type !== type);
      const theirs = events.filter(({ type }) => type !== 'HEARTBEAT');
      expect(ours.map(comparable)).toEqual(theirs.map(comparable));
    }
  });

  it('told the agent what it needed to know', () => {
    const told = agent.of('KILL_TASK').map(({ task_id }) => task_id);
    expect(told).toEqual(['e1', 'runs']);
    const messages = agent.of('MESSAGE').map(({ data }) => Buffer.from(data, 'base64').toString());
    expect(messages).toEqual(['hi', 'ping', 'crash']);
    expect(agent.of('SHUTDOWN_FRAMEWORK').at(-1)?.framework_id).toBe(`${MASTER_ID}-0000`);
    const run = agent.of('RUN_TASKS').flatMap(({ tasks }) => tasks.map((task) => task.name));
    expect(run).toEqual(['finishes', 'fails', 'runs', 'e1', 'e2']);
  });

  it('ended the streams that Mesos ended', () => {
    expect([...streams.values()].every(({ hasEnded }) => hasEnded)).toBe(true);
    expect(master.invariants()).toEqual([]);
  });
});

/** The whole beginning of a protobuf stream, byte by byte: ids and all. */
async function expectSameFirstBytes(recording: Recording): Promise<void> {
  const opening = transport.stream(requestOf(recording));
  await clock.run(20);
  const { body, close } = await opening;
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of body) chunks.push(chunk);
  })();
  await clock.run(20);
  close();
  await Promise.all([reading, clock.run(20)]);
  const theirs = Buffer.from(bytesOf(recording.response?.body));
  expect(Buffer.concat(chunks).subarray(0, theirs.length)).toEqual(theirs);
}

/** Everything that Mesos told in protobuf is told. */
function expectSameProtobuf({ response }: Recording, { headers, body }: HttpResponse): void {
  expect(headers['content-type']).toBe(response?.headers['content-type']);
  const theirs = decodeMessage('master.Response', 'protobuf', Buffer.from(bytesOf(response?.body)));
  expect(missingKeys(theirs, decodeMessage('master.Response', 'protobuf', body))).toEqual([]);
}

/** Everything that Mesos told is told, whatever it is. */
function expectSameKeys({ response }: Recording, { headers, body }: HttpResponse): void {
  expect(headers['content-type']).toBe(response?.headers['content-type']);
  const missing = missingKeys(response?.body, JSON.parse(Buffer.from(body).toString()));
  expect(missing).toEqual([]);
}

/** The same answer, but for times, and for what names the program that answers. */
function expectSameFacts({ response }: Recording, { body }: HttpResponse): void {
  if (response?.body === '') {
    expect(Buffer.from(body).toString()).toBe('');
    return;
  }
  const plain = (text: string): unknown =>
    JSON.parse(text, (key, value) => (/_time$/.test(key) ? 'a time' : value));
  const theirs = JSON.stringify(response?.body, (key, value) =>
    /^build_|^git_/.test(key) ? undefined : value,
  );
  expect(plain(Buffer.from(body).toString())).toEqual(plain(theirs));
}
