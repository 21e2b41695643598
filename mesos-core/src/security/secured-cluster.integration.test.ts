import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createUndiciTransport,
  type HttpTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type MesosCluster,
  startMesosCluster,
} from '../../../test/conformance/mesos/support/cluster.ts';
import { type Credential, MasterOperatorClient, SchedulerClient } from '../client/index.ts';
import { type Offer, parseResources, type SchedulerEvent } from '../protocol/index.ts';
import { makeCertificates } from '../testing/certificates.ts';
import { readTls } from './tls.ts';

const FRAMEWORK = {
  ...{ name: 'secured', user: 'root', checkpoint: true, roles: ['eng'], principal: 'scheduler' },
  capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
} as const;
const SCHEDULER = { principal: 'scheduler', secret: 's3cret' };
const EXECUTOR = new URL('../../fixtures/secured-executor.ts', import.meta.url).pathname;

let cluster: MesosCluster;
let env: Record<string, string>;
let transport: HttpTransport;

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'secured-'));
  const at = (name: string) => join(directory, name);
  const tlsEnv = makeCertificates(directory);
  await Promise.all([
    writeFile(at('credentials'), 'scheduler s3cret\nagent a1\noperator o2\n', { mode: 0o600 }),
    writeFile(at('credential'), 'agent a1\n', { mode: 0o600 }),
    writeFile(at('key'), 'key of the tokens\n', { mode: 0o600 }),
  ]);
  env = {
    ...tlsEnv,
    LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: 'true',
  };
  transport = createUndiciTransport({ tls: readTls(env)?.client });
  cluster = await startMesosCluster({
    ...{ directory, env, scheme: 'https' },
    masterFlags: [
      ...['--authenticate_http_frameworks', '--authenticate_http_readwrite'],
      ...['--authenticate_http_readonly', '--authenticate_agents'],
      ...[`--credentials=${at('credentials')}`, `--jwt_secret_key=${at('key')}`],
    ],
    agentFlags: [
      ...['--authenticate_http_readwrite', '--authenticate_http_executors'],
      ...[`--credential=${at('credential')}`, `--http_credentials=file://${at('credentials')}`],
      `--jwt_secret_key=${at('key')}`,
    ],
  });
});

afterAll(async () => {
  await transport.close();
  await cluster.stop();
});

it('runs a task of an executor of its own, all over TLS and with everybody authenticated', async () => {
  const events: SchedulerEvent[] = [];
  const client = new SchedulerClient({
    ...{ transport, clock: systemClock, random: systemRandom, logger: silentLogger },
    masters: [cluster.masterUrl],
    credential: SCHEDULER,
    frameworkInfo: FRAMEWORK,
    onEvent: (event) => {
      events.push(event);
    },
  });
  // It ends with the framework.
  const over = client.run().catch(() => undefined);
  const offer = await waitFor(systemClock, 'an offer', 20_000, () => firstOffer(events));
  await client.call({
    type: 'ACCEPT',
    accept: {
      offer_ids: [offer.id],
      operations: [{ type: 'LAUNCH', launch: { task_infos: [taskOn(offer)] } }],
    },
  });
  const update = await waitFor(systemClock, 'the task to run', 20_000, () =>
    events.find((event) => event.type === 'UPDATE'),
  );
  expect(update).toMatchObject({ update: { status: { state: 'TASK_RUNNING' } } });
  await client.call({ type: 'TEARDOWN' });
  await client.stop();
  await over;
});

it.each<[string, Credential | undefined, number]>([
  ['nobody', undefined, 401],
  ['somebody with a wrong secret', { principal: 'operator', secret: 'x' }, 401],
  ['an operator', { principal: 'operator', secret: 'o2' }, 200],
])('answers %s', async (_who, credential, status) => {
  const options = { transport, clock: systemClock, url: cluster.masterUrl };
  const client = new MasterOperatorClient(credential ? { ...options, credential } : options);
  const answer = await client.call({ type: 'GET_HEALTH' }).then(
    () => 200,
    (error: { status: number }) => error.status,
  );
  expect(answer).toBe(status);
});

it('talks to nobody without a certificate of the authority', async () => {
  const { client } = readTls(env) ?? {};
  const anonymous = createUndiciTransport({
    tls: { authorities: client?.authorities, verifiesServer: true },
  });
  const request = { method: 'GET', url: `${cluster.masterUrl}/health`, timeoutMs: 5000 } as const;
  await expect(anonymous.request(request)).rejects.toThrow();
  await anonymous.close();
});

it('shows no secret in the arguments of its processes', () => {
  const argv = readFileSync(`/proc/${cluster.masterPid}/cmdline`, 'utf8');
  expect(argv).toContain('--credentials=');
  expect(argv).not.toMatch(/s3cret|key of the tokens/);
});

function firstOffer(events: readonly SchedulerEvent[]): Offer | undefined {
  return events.flatMap((event) => (event.type === 'OFFERS' ? (event.offers.offers ?? []) : []))[0];
}

function taskOn(offer: Offer) {
  return {
    ...{ name: 'a', task_id: { value: 'a' }, agent_id: offer.agent_id },
    resources: parseResources('cpus:1;mem:64'),
    executor: {
      ...({ type: 'CUSTOM', executor_id: { value: 'e' }, name: 'e' } as const),
      command: { value: `exec ${process.execPath} ${EXECUTOR}` },
      resources: parseResources('cpus:0.1;mem:64'),
    },
  };
}
