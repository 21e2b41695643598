import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeMessage, decodeProtobuf, encodeProtobuf, fromJson, toJson } from './codec.ts';
import { requestEncoding, responseEncoding } from './content-type.ts';
import { CodecError, type MessageName } from './index.ts';
import { RecordDecoder } from './recordio.ts';
import { validateSchedulerCall } from './validation.ts';

type Json = { readonly [name: string]: unknown };
type Recording = {
  readonly name: string;
  readonly to?: string;
  readonly event?: Json;
  readonly request?: { readonly path: string; readonly headers?: Headers; readonly body?: unknown };
  readonly response?: { readonly status: number; readonly body?: unknown };
};
type Headers = { readonly 'content-type'?: string; readonly accept?: string };

const file = new URL('../../fixtures/recordings.jsonl', import.meta.url);
const recordings: readonly Recording[] = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

function api(recording: Recording): 'scheduler' | 'executor' | 'agent' | 'master' {
  if (recording.request?.path === '/api/v1/scheduler') return 'scheduler';
  if (recording.request?.path === '/api/v1/executor') return 'executor';
  return recording.to === 'agent' ? 'agent' : 'master';
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !('base64' in value);
}

function bytesOf(body: unknown): Uint8Array {
  if (typeof body === 'object' && body !== null && 'base64' in body) {
    return Buffer.from(String(body.base64), 'base64');
  }
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Protobuf can't say that a list is there but empty. */
function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyLists);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([, field]) => !(Array.isArray(field) && field.length === 0))
    .map(([name, field]) => [name, withoutEmptyLists(field)]);
  return Object.fromEntries(entries);
}

/** The master prints `checkpoint` in its AgentInfo by hand; v1 AgentInfo has no such field. */
function withoutAgentCheckpoint(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAgentCheckpoint);
  if (typeof value !== 'object' || value === null) return value;
  const isAgentInfo = 'hostname' in value && 'attributes' in value && 'port' in value;
  const entries = Object.entries(value)
    .filter(([name]) => !(isAgentInfo && name === 'checkpoint'))
    .map(([name, field]) => [name, withoutAgentCheckpoint(field)]);
  return Object.fromEntries(entries);
}

const answers = recordings.flatMap((recording): [string, MessageName, Json][] => {
  const { name, event, response } = recording;
  if (event !== undefined) {
    return [[name, name.startsWith('executor') ? 'executor.Event' : 'scheduler.Event', event]];
  }
  const who = api(recording);
  // The older endpoints answer in a form of their own.
  const isOperatorApi = recording.request?.path === '/api/v1';
  const isMessage =
    isOperatorApi && isObject(response?.body) && who !== 'scheduler' && who !== 'executor';
  return isMessage ? [[name, `${who}.Response`, response.body as Json]] : [];
});

describe('messages recorded from Apache Mesos 1.12', () => {
  it('are as many as expected', () => {
    expect(answers.length).toBeGreaterThanOrEqual(77);
  });

  it.each(answers)('%s (%s) is printed as it was', (_name, type, json) => {
    const printed = JSON.parse(JSON.stringify(toJson(type, fromJson(type, json))));
    expect(printed).toEqual(withoutAgentCheckpoint(json));
  });

  it.each(answers)('%s (%s) survives protobuf', (_name, type, json) => {
    const decoded = decodeProtobuf(type, encodeProtobuf(type, fromJson(type, json)));
    const expected = withoutEmptyLists(withoutAgentCheckpoint(json));
    expect(JSON.parse(JSON.stringify(toJson(type, decoded)))).toEqual(expected);
  });
});

describe('calls recorded with Apache Mesos 1.12', () => {
  const accepted = recordings.filter(
    ({ request, response }) => isObject(request?.body) && response?.status !== 400,
  );
  it.each(
    accepted
      .filter(({ response }) => response?.status !== 415)
      .map((recording) => [recording.name, recording] as const),
  )('%s is read', (_name, recording) => {
    const type: MessageName = `${api(recording)}.Call`;
    const call = fromJson(type, recording.request?.body);
    expect(recording.request?.body).toMatchObject(call);
    const decoded = decodeProtobuf(type, encodeProtobuf(type, call));
    expect(decoded).toEqual(withoutEmptyLists(call));
  });

  const refused = recordings.filter(
    ({ name, response }) =>
      typeof response?.body === 'string' &&
      [400, 406, 415].includes(response.status) &&
      !/stream id|call before|unknown executor|UPDATE_QUOTA bad|gone framework/.test(name),
  );
  it.each(refused.map((recording) => [recording.name, recording] as const))(
    '%s is refused in the same words',
    (_name, recording) => {
      const { request, response } = recording;
      const refuse = (): void => {
        const encoding = requestEncoding(request?.headers?.['content-type']);
        const type: MessageName = `${api(recording)}.Call`;
        const call = decodeMessage(type, encoding, bytesOf(request?.body));
        if (type === 'scheduler.Call') validateSchedulerCall(call as never);
        responseEncoding(request?.headers?.accept);
      };
      expect(refuse).toThrow(new RegExp(`^${RegExp.escape(String(response?.body))}$`));
    },
  );
});

describe('protobuf recorded from Apache Mesos 1.12', () => {
  it.each(
    recordings
      .filter(({ name }) => name.startsWith('operator protobuf'))
      .map((recording) => [recording.name, recording] as const),
  )('%s is read and written as it was', (_name, { request, response }) => {
    const call = bytesOf(request?.body);
    const answer = bytesOf(response?.body);
    expect(encodeProtobuf('master.Call', decodeProtobuf('master.Call', call))).toEqual(call);
    const decoded = decodeProtobuf('master.Response', answer);
    expect(decoded.type).not.toBe('UNKNOWN');
    const again = decodeProtobuf('master.Response', encodeProtobuf('master.Response', decoded));
    expect(again).toEqual(decoded);
    expect(encodeProtobuf('master.Response', decoded).length).toBe(answer.length);
  });

  it('a stream of events is read', () => {
    const stream = recordings.find(({ name }) => name.startsWith('protobuf SUBSCRIBE'));
    const events = new RecordDecoder()
      .push(bytesOf(stream?.response?.body))
      .map((record) => decodeProtobuf('scheduler.Event', record));
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['SUBSCRIBED', 'HEARTBEAT']),
    );
    expect(events[0]).toMatchObject({
      subscribed: { heartbeat_interval_seconds: 15, master_info: { version: '1.12.0' } },
    });
  });

  it('what is not protobuf is a CodecError', () => {
    const bytes = Buffer.from('//8BAg==', 'base64');
    expect(() => decodeProtobuf('scheduler.Call', bytes)).toThrow(CodecError);
  });
});
