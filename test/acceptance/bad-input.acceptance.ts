import { randomBytes } from 'node:crypto';
import {
  authorizationHeader,
  NONCE_HEADER,
  signRequest,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import { systemClock } from '@factory/runtime';
import { readConnection } from '../../cli/src/client/connection.ts';
import { expectThat } from '../support/acceptance.ts';
import { startRealFactory } from '../support/real-factory.ts';

/** Bad input gets a 4xx problem+json that names the field, and creates no row. */
const factory = await startRealFactory('--hypervisor', 'simulated');
try {
  const { keyId, secret } = await readConnection(factory.layout);
  const good = { name: 'bad', image: 'micro', count: 1, vcpus: 1, memoryMiB: 128 };
  const cases = [
    {
      what: 'unknown image',
      body: { ...good, image: 'no-such-image' },
      status: 422,
      field: 'image',
    },
    { what: 'count 0', body: { ...good, count: 0 }, status: 400, field: 'count' },
    { what: '10^9 machines', body: { ...good, count: 1e9 }, status: 400, field: 'count' },
    {
      what: 'memory as text',
      body: { ...good, memoryMiB: '128' },
      status: 400,
      field: 'memoryMiB',
    },
    { what: 'bad JSON', body: '{"name":', status: 400, field: 'body' },
    {
      what: 'a body of 10 MB',
      body: { ...good, userData: 'x'.repeat(10_000_000) },
      status: 413,
      field: 'body',
    },
    { what: 'a wrong signature', body: good, status: 401, field: 'authorization', secret: 'wrong' },
    {
      what: 'a clock off by an hour',
      body: good,
      status: 401,
      field: TIMESTAMP_HEADER,
      offSeconds: -3600,
    },
    { what: 'no signature', body: good, status: 401, field: 'authorization', isUnsigned: true },
  ];
  for (const each of cases) {
    const { isUnsigned = false, offSeconds = 0 } = each;
    const body = typeof each.body === 'string' ? each.body : JSON.stringify(each.body);
    const timestamp = String(Math.floor(systemClock.nowMs() / 1000) + offSeconds);
    const nonce = randomBytes(18).toString('base64url');
    const parts = { method: 'POST', pathWithQuery: '/v1/batches', body, timestamp, nonce };
    const signature = signRequest(each.secret ?? secret, parts);
    const signed = {
      authorization: authorizationHeader(keyId, signature),
      [TIMESTAMP_HEADER]: timestamp,
      [NONCE_HEADER]: nonce,
    };
    const answer = await factory.transport.request({
      method: 'POST',
      url: `${factory.url}/v1/batches`,
      headers: { 'content-type': 'application/json', ...(isUnsigned ? {} : signed) },
      body,
      timeoutMs: 20_000,
    });
    const problem = JSON.parse(Buffer.from(answer.body).toString('utf8'));
    const isProblem =
      answer.headers['content-type']?.startsWith('application/problem+json') === true;
    const isRight = answer.status === each.status && isProblem && problem.field === each.field;
    const got = `${answer.status} ${problem.code} (${problem.field}): ${problem.detail}`;
    expectThat(`${each.what}: ${each.status}, names ${each.field}`, isRight, got);
  }
  expectThat('no batch was made', (await factory.client.batches()).length === 0);
  expectThat('no machine was made', (await factory.client.vms({})).length === 0);
} finally {
  await factory.remove();
}
