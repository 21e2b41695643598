import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAMEWORK, RawFramework } from './support/framework.ts';
import { ask, type RawRequest } from './support/raw-http.ts';
import { openTarget, operate, type Target } from './support/target.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

const JSON_TYPE = { 'content-type': 'application/json', accept: 'application/json' };
const PROTOBUF_TYPE = {
  ...{ 'content-type': 'application/x-protobuf', accept: 'application/x-protobuf' },
};
const SCHEDULER = '/api/v1/scheduler';
const OPERATOR = '/api/v1';

interface Refusal {
  readonly what: string;
  readonly path: string;
  readonly request?: Omit<RawRequest, 'url'>;
  readonly status: number;
  /** What the text begins with. */
  readonly text: string;
}

const json = (body: unknown) => ({ headers: JSON_TYPE, body: JSON.stringify(body) });
const subscribe = { type: 'SUBSCRIBE', subscribe: { framework_info: FRAMEWORK } };

/** As a Mesos 1.12 answers, from the recordings. */
const REFUSALS: readonly Refusal[] = [
  {
    ...{ what: 'no Content-Type', path: SCHEDULER, status: 400 },
    request: { headers: { accept: 'application/json' }, body: '{}' },
    text: "Expecting 'Content-Type' to be present",
  },
  {
    ...{ what: 'another Content-Type', path: SCHEDULER, status: 415 },
    request: { headers: { ...JSON_TYPE, 'content-type': 'text/plain' }, body: '{}' },
    text: "Expecting 'Content-Type' of application/json or application/x-protobuf",
  },
  {
    ...{ what: 'an Accept that can not be met', path: SCHEDULER, status: 406 },
    request: { ...json(subscribe), headers: { ...JSON_TYPE, accept: 'text/html' } },
    text: "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
  },
  {
    ...{ what: 'JSON that is cut off', path: SCHEDULER, status: 400 },
    request: { headers: JSON_TYPE, body: '{"type":' },
    text: 'Failed to parse body into JSON: syntax error at line 1 near: ',
  },
  {
    ...{ what: 'an unknown call', path: SCHEDULER, status: 400 },
    request: json({ type: 'NO_SUCH_CALL' }),
    text: "Failed to validate scheduler::Call: Expecting 'type' to be present",
  },
  {
    ...{ what: 'an empty call', path: SCHEDULER, status: 400 },
    request: json({}),
    text: "Failed to validate scheduler::Call: Expecting 'type' to be present",
  },
  {
    ...{ what: 'bytes that are no protobuf', path: SCHEDULER, status: 400 },
    request: { headers: PROTOBUF_TYPE, body: Buffer.from('//8BAg==', 'base64') },
    text: 'Failed to parse body into Call protobuf',
  },
  {
    ...{ what: 'SUBSCRIBE without a framework', path: SCHEDULER, status: 400 },
    request: json({ type: 'SUBSCRIBE' }),
    text: "Failed to validate scheduler::Call: Expecting 'subscribe' to be present",
  },
  {
    ...{ what: 'a call before SUBSCRIBE', path: SCHEDULER, status: 400 },
    request: json({ type: 'REVIVE', framework_id: { value: 'nobody' } }),
    text: 'Framework cannot be found',
  },
  {
    ...{ what: 'GET', path: SCHEDULER, status: 405, request: { method: 'GET' } },
    text: "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.",
  },
  {
    ...{ what: 'an unknown call', path: OPERATOR, status: 400 },
    request: json({ type: 'GET_LOST' }),
    text: "Failed to validate master::Call: Expecting 'type' to be present",
  },
  {
    ...{ what: 'JSON that is cut off', path: OPERATOR, status: 400 },
    request: { headers: JSON_TYPE, body: '{' },
    text: 'Failed to parse body into JSON: syntax error at line 1 near: ',
  },
  {
    ...{ what: 'GET', path: OPERATOR, status: 405, request: { method: 'GET' } },
    text: "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.",
  },
];

describe('the master refuses', () => {
  it.each(REFUSALS)('$what at $path with $status', async ({ path, request, status, text }) => {
    const answer = await ask({ url: target.master + path, ...request });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.body.toString().slice(0, text.length)).toBe(text);
    if (status === 405) expect(answer.headers.allow).toBe('POST');
  });

  it.each([
    ['a wrong stream id', '00000000-0000-4000-8000-000000000000', "didn't match the stream ID"],
    ['no stream id', '', "All non-subscribe calls should include the 'Mesos-Stream-Id' header"],
  ])('%s with 400, and the framework goes on', async (_what, streamId, text) => {
    const framework = await RawFramework.subscribe(target.master, 'json');
    const call = { type: 'REVIVE', framework_id: { value: framework.id } };
    const answer = await ask({
      url: target.master + SCHEDULER,
      headers: streamId === '' ? JSON_TYPE : { ...JSON_TYPE, 'mesos-stream-id': streamId },
      body: JSON.stringify(call),
    });
    expect(answer.status).toBe(400);
    expect(answer.body.toString()).toContain(text);
    expect((await framework.call({ type: 'REVIVE' })).status).toBe(202);
    await framework.teardown();
  });

  it.each<[string, object, string]>([
    [
      'role and roles',
      { role: 'a', roles: ['b'] },
      "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
    ],
    [
      'a role with a space',
      { roles: ['a b'] },
      "'FrameworkInfo.roles' contains invalid role: Role component 'a b' is invalid",
    ],
  ])('a framework with %s by an ERROR on its stream', async (_what, info, text) => {
    const framework = await RawFramework.open(target.master, 'json', info);
    expect((await framework.next('ERROR')).error.message).toContain(text);
    await framework.ended();
  });
});

describe('the master tolerates', () => {
  it('fields that it does not know, at any depth', async () => {
    const body = JSON.stringify({
      type: 'GET_HEALTH',
      new_in_2040: { a: [1, { b: null }] },
      get_metrics: { timeout: { nanoseconds: 1, femtoseconds: 2 } },
    });
    const answer = await ask({ url: target.master + OPERATOR, headers: JSON_TYPE, body });
    expect(answer.status).toBe(200);
  });

  it('protobuf fields that it does not know', async () => {
    // GET_HEALTH, then field 1000 with a varint, and field 1001 with two bytes.
    const body = Buffer.from('0801c03e07ca3e026869', 'hex');
    const answer = await ask({ url: target.master + OPERATOR, headers: PROTOBUF_TYPE, body });
    expect(answer.status).toBe(200);
  });

  it('a body of 100 MB, with an answer that says so, and goes on', async () => {
    const body = Buffer.alloc(100 * 1024 * 1024, 32);
    for (const path of [SCHEDULER, OPERATOR]) {
      const answer = await ask({ url: target.master + path, headers: JSON_TYPE, body });
      expect([400, 413]).toContain(answer.status);
      expect(answer.body.toString()).not.toBe('');
    }
    expect((await operate(target.master, 'json', { type: 'GET_HEALTH' })).status).toBe(200);
  });
});
