import { afterEach, describe, expect, it } from 'vitest';
import { AgentOperatorClient, MasterOperatorClient } from '../client/index.ts';
import { parseResources } from '../protocol/index.ts';
import { parseAcls } from '../security/acls.ts';
import { createAuthenticator } from '../security/authenticator.ts';
import { createAuthorizer } from '../security/authorizer.ts';
import type { AgentSecurity } from '../security/index.ts';
import { signJwt } from '../security/jwt.ts';
import type { Realm } from '../security/realms.ts';
import { FRAMEWORK, launch, taskOn, World } from './testing/world.ts';

const SCHEDULER = { principal: 'scheduler', secret: 's3' };
const AGENT = { principal: 'agent', secret: 'a1' };
const KEY = 'key of the tokens';

let world: World;
afterEach(() => world.close());

function authenticators(...realms: readonly Realm[]) {
  const options = { credentials: [SCHEDULER, AGENT], jwtSecretKey: KEY };
  return new Map(realms.map((realm) => [realm, createAuthenticator({ realm, ...options })]));
}

async function start(
  options: {
    acls?: unknown;
    agent?: Partial<AgentSecurity>;
    scheduler?: { token: string } | { principal: string; secret: string };
    realms?: readonly Realm[];
  } = {},
): Promise<void> {
  const { acls = {}, agent = {}, scheduler = SCHEDULER } = options;
  const { realms = ['mesos-master-scheduler', 'mesos-master-agent'] } = options;
  const authorizer = createAuthorizer(parseAcls(JSON.stringify(acls)));
  world = new World({
    security: {
      master: {
        authorizer,
        authenticators: authenticators(...realms),
      },
      agent: {
        authorizer,
        authenticators: authenticators('mesos-agent-executor', 'mesos-agent-readwrite'),
        credential: AGENT,
        executorTokenKey: KEY,
        ...agent,
      },
      scheduler,
    },
  });
  await world.startMaster();
}

describe('a cluster where everybody authenticates', () => {
  it.each([
    ['a password', SCHEDULER],
    ['a token', { token: signJwt({ sub: 'scheduler' }, KEY) }],
  ])('runs tasks of a framework with %s', async (_what, scheduler) => {
    await start({ scheduler });
    await world.startAgent('agent-1');
    const framework = await world.startScheduler('scheduler');
    await world.call(framework, launch(framework.offer, taskOn(framework.offer, 'a')));
    expect(framework.updates('a').at(-1)).toBe('TASK_RUNNING');
  });

  it('keeps out a framework with a wrong secret', async () => {
    await start({ scheduler: { principal: 'scheduler', secret: 'wrong' } });
    const framework = await world.startScheduler('scheduler');
    await world.run(60_000);
    expect(framework.events).toEqual([]);
  });

  it('keeps out an agent without a credential', async () => {
    await start({ agent: { credential: undefined } });
    const { agent } = await world.startAgent('agent-1');
    await world.run(60_000);
    expect(agent.agentId).toBeUndefined();
  });

  it('keeps out an executor whose token is signed by another', async () => {
    await start({ agent: { executorTokenKey: 'another key' } });
    const { executors } = await world.startAgent('agent-1');
    const framework = await world.startScheduler('scheduler');
    await world.call(framework, launch(framework.offer, taskOn(framework.offer, 'a')));
    await world.run(120_000);
    expect(executors[0]?.events).toEqual([]);
    expect(framework.updates('a').at(-1)).toMatch(/^TASK_FAILED/);
  });

  it('lets an executor speak for nobody else', async () => {
    await start();
    const { agent } = await world.startAgent('agent-1');
    const framework = await world.startScheduler('scheduler');
    await world.call(framework, launch(framework.offer, taskOn(framework.offer, 'a')));
    const token = signJwt({ fid: framework.id, eid: 'executor-1', cid: 'an earlier run' }, KEY);
    const { statusCode } = await agent.app.inject({
      ...{ method: 'POST', url: '/api/v1/executor' },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      payload: JSON.stringify({
        type: 'MESSAGE',
        framework_id: { value: framework.id },
        executor_id: { value: 'executor-1' },
        message: { data: '' },
      }),
    });
    expect(statusCode).toBe(403);
  });

  it('answers operators of agents who authenticate', async () => {
    await start();
    const { origin } = await world.startAgent('agent-1');
    const transport = world.network.transport('operator');
    const ask = async (credential?: { principal: string; secret: string }) => {
      const options = { transport, clock: world.clock, url: origin };
      const client = new AgentOperatorClient(credential ? { ...options, credential } : options);
      const answer = client.call({ type: 'GET_HEALTH' }).catch((error: unknown) => error);
      await world.run(100);
      return answer;
    };
    expect(await ask()).toMatchObject({ status: 401 });
    expect(await ask(AGENT)).toMatchObject({ get_health: { healthy: true } });
  });
});

describe('a framework that may not run as root', () => {
  const acls = {
    run_tasks: [
      { principals: { values: ['scheduler'] }, users: { values: ['nobody'] } },
      { principals: { type: 'NONE' }, users: { type: 'ANY' } },
    ],
  };

  it('is told so, and still runs as others', async () => {
    await start({ acls });
    await world.startAgent('agent-1');
    const framework = await world.startScheduler('scheduler', { ...FRAMEWORK, user: 'root' });
    const asRoot = taskOn(framework.offer, 'a');
    const asNobody = {
      ...taskOn(framework.offer, 'b'),
      executor: { ...asRoot.executor, executor_id: { value: 'e' }, command: { user: 'nobody' } },
    };
    await world.call(framework, launch(framework.offer, asRoot, asNobody));
    expect(framework.updates('a')).toEqual(['TASK_ERROR REASON_TASK_UNAUTHORIZED']);
    expect(framework.statuses('a')[0]?.message).toBe("Not authorized to launch as user 'root'");
    expect(framework.updates('b').at(-1)).toBe('TASK_RUNNING');
  });
});

describe('an operation that ACLs forbid', () => {
  it('is OPERATION_ERROR, and the resources stay as they are', async () => {
    const principals = { values: ['scheduler'] };
    await start({ acls: { reserve_resources: [{ principals, roles: { type: 'NONE' } }] } });
    await world.startAgent('agent-1');
    const framework = await world.startScheduler('scheduler');
    const reservations = [{ type: 'DYNAMIC' as const, role: 'eng', principal: 'scheduler' }];
    const resources = parseResources('cpus:1').map((each) => ({ ...each, reservations }));
    const id = { value: 'r1' };
    const operations = [{ id, type: 'RESERVE' as const, reserve: { resources } }];
    const accept = { offer_ids: [framework.offer.id], operations };
    await world.call(framework, { type: 'ACCEPT', accept });
    expect(framework.of('UPDATE_OPERATION_STATUS')).toMatchObject([
      {
        update_operation_status: {
          status: {
            operation_id: id,
            state: 'OPERATION_ERROR',
            message: "Not authorized to reserve resources as 'scheduler'",
          },
        },
      },
    ]);
    await world.run(6000);
    expect(framework.offer.resources?.flatMap((each) => each.reservations ?? [])).toEqual([]);
  });
});

describe('somebody who looks', () => {
  const acls = {
    view_frameworks: [
      { principals: { values: ['alice'] }, users: { values: ['nobody'] } },
      { principals: { type: 'NONE' }, users: { type: 'ANY' } },
    ],
    view_roles: [
      { principals: { values: ['alice'] }, roles: { values: ['ops'] } },
      { principals: { type: 'NONE' }, roles: { type: 'ANY' } },
    ],
  };

  it('sees only what the ACLs let him see', async () => {
    await start({
      acls,
      realms: ['mesos-master-scheduler', 'mesos-master-agent', 'mesos-master-readwrite'],
    });
    await world.startAgent('agent-1');
    const hidden = await world.startScheduler('hidden', FRAMEWORK);
    await world.call(hidden, launch(hidden.offer, taskOn(hidden.offer, 'a')));
    await world.startScheduler('shown', { ...FRAMEWORK, user: 'nobody', roles: ['ops'] });
    const transport = world.network.transport('operator');
    const client = new MasterOperatorClient({
      ...{ transport, clock: world.clock, url: 'http://master:5050', credential: SCHEDULER },
    });
    const pending = Promise.all([
      client.call({ type: 'GET_STATE' }),
      client.call({ type: 'GET_ROLES' }),
    ]);
    await world.run(100);
    const [{ get_state }, { get_roles }] = await pending;
    // The scheduler may see nothing.
    expect(get_state.get_frameworks?.frameworks ?? []).toEqual([]);
    expect(get_state.get_tasks?.tasks ?? []).toEqual([]);
    expect(get_state.get_executors?.executors ?? []).toEqual([]);
    expect(get_roles.roles ?? []).toEqual([]);
    expect(get_state.get_agents?.agents).toHaveLength(1);
    const { app } = world.master;
    const ask = async (type: string) => {
      const authorization = `Bearer ${signJwt({ sub: 'alice' }, KEY)}`;
      const headers = { 'content-type': 'application/json', authorization };
      const payload = JSON.stringify({ type });
      return (await app.inject({ method: 'POST', url: '/api/v1', headers, payload })).json();
    };
    const seen = await ask('GET_STATE');
    const names = seen.get_state.get_frameworks.frameworks.map(
      (each: { framework_info: { user: string } }) => each.framework_info.user,
    );
    expect(names).toEqual(['nobody']);
    expect(seen.get_state.get_tasks.tasks).toEqual([]);
    const roles = (await ask('GET_ROLES')).get_roles.roles;
    expect(roles.map(({ name }: { name: string }) => name)).toEqual(['ops']);
  });
});
