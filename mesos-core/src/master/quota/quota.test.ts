import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Encoding,
  formatResources,
  type MasterCall,
  parseResources,
  type QuotaConfig,
  type QuotaRequest,
  type ValueScalar,
} from '../../protocol/index.ts';
import { operatorAnswer, operatorCall } from '../testing/operator.ts';
import { endWorld, startSmallWorld } from '../testing/small-world.ts';
import {
  FRAMEWORK,
  launch,
  type TestAgent,
  type TestScheduler,
  taskOn,
  type World,
} from '../testing/world.ts';

let world: World;
let agent: TestAgent;
let eng: TestScheduler;

beforeEach(async () => {
  ({ world, agent, scheduler: eng } = await startSmallWorld());
});

afterEach(() => endWorld(world));

const send = (call: MasterCall, encoding: Encoding = 'json') => operatorCall(world, call, encoding);

const scalars = (text: string): Record<string, ValueScalar> =>
  Object.fromEntries(
    text.split(';').map((each) => {
      const [name = '', value] = each.split(':');
      return [name, { value: Number(value) }];
    }),
  );

function config(role: string, guarantees = '', limits = ''): QuotaConfig {
  return {
    role,
    ...(guarantees === '' ? {} : { guarantees: scalars(guarantees) }),
    ...(limits === '' ? {} : { limits: scalars(limits) }),
  };
}

const update = (quota_configs: readonly QuotaConfig[], force = false): MasterCall => ({
  ...{ type: 'UPDATE_QUOTA', update_quota: { quota_configs, force } },
});
const set = (quota_request: QuotaRequest): MasterCall => ({
  ...{ type: 'SET_QUOTA', set_quota: { quota_request } },
});
const remove = (role: string): MasterCall => ({ type: 'REMOVE_QUOTA', remove_quota: { role } });

async function status(encoding: Encoding = 'json') {
  const response = await operatorAnswer(world, { type: 'GET_QUOTA' }, encoding);
  if (response.type !== 'GET_QUOTA') throw new Error('another answer');
  return response.get_quota.status;
}

const cpu = (value: number) => ({ name: 'cpus', type: 'SCALAR', scalar: { value } }) as const;
const startOps = () => world.startScheduler('ops', { ...FRAMEWORK, roles: ['ops'] });
const outstanding = (scheduler: TestScheduler): string => {
  const gone = new Set(scheduler.of('RESCIND').map(({ rescind }) => rescind.offer_id.value));
  const offers = scheduler.offers.filter(({ id }) => !gone.has(id.value));
  const resources = offers.flatMap((each) => each.resources ?? []);
  return formatResources(resources.map(({ allocation_info: _, ...each }) => each));
};

describe.each(['json', 'protobuf'] as const)("an operator's calls in %s", (encoding) => {
  it('set, show and remove quota', async () => {
    expect(await status(encoding)).toEqual({});
    const configs = [config('eng', 'cpus:2', 'cpus:4;mem:4096'), config('ops', '', 'cpus:0')];
    const answer = await send(update(configs, true), encoding);
    expect(answer).toMatchObject({ statusCode: 200, body: '' });
    const infos = [{ role: 'eng', guarantee: [cpu(2)] }, { role: 'ops' }];
    expect(await status(encoding)).toEqual({ infos, configs });
    await send(update([config('ops')]), encoding);
    expect(await send(remove('eng'), encoding)).toMatchObject({ statusCode: 200, body: '' });
    expect(await status(encoding)).toEqual({});
  });

  it('set quota in the older form: what is guaranteed is the limit, too', async () => {
    const request = { role: 'ops', guarantee: [cpu(3)] };
    expect(await send(set(request), encoding)).toMatchObject({ statusCode: 200, body: '' });
    expect(await status(encoding)).toEqual({
      infos: [{ role: 'ops', guarantee: [cpu(3)] }],
      configs: [config('ops', 'cpus:3', 'cpus:3')],
    });
  });
});

describe('a limit', () => {
  it('is never exceeded by offers', async () => {
    await send(update([config('eng', '', 'cpus:3')]));
    await world.run(2000);
    expect(outstanding(eng)).toBe('cpus:3; mem:8192');
  });

  it('takes back what is offered beyond it', async () => {
    expect(outstanding(eng)).toBe('cpus:8; mem:8192');
    await send(update([config('eng', '', 'cpus:3')]));
    expect(eng.of('RESCIND')).toHaveLength(1);
  });

  it('that is wide enough takes nothing back', async () => {
    await send(update([config('eng', '', 'cpus:8')]));
    expect(eng.of('RESCIND')).toEqual([]);
  });

  it('is for subroles together', async () => {
    const sub = await world.startScheduler('sub', { ...FRAMEWORK, roles: ['ops/a'] });
    await send(update([config('ops', '', 'cpus:2'), config('eng', '', 'cpus:1')]));
    await world.run(2000);
    expect(outstanding(sub)).toContain('cpus:2;');
  });

  it('below what tasks use is refused unless it is forced', async () => {
    await world.call(eng, launch(eng.offer, taskOn(eng.offer, 'a', 'cpus:4;mem:128')));
    const answer = await send(update([config('eng', '', 'cpus:2')]));
    expect(answer).toMatchObject({
      statusCode: 400,
      body:
        "Invalid QuotaConfig: Role 'eng' is already consuming 'cpus:4.1; mem:160'; this is more " +
        "than the requested limits 'cpus:2' (use 'force' flag to bypass this check)",
    });
    expect((await send(update([config('eng', '', 'cpus:2')], true))).statusCode).toBe(200);
    expect(eng.updates('a')).toEqual(['TASK_RUNNING']);
  });
});

describe('a guarantee', () => {
  it('takes from others what they are offered', async () => {
    const ops = await startOps();
    expect(outstanding(ops)).toBe('{}');
    await send(update([config('ops', 'cpus:6;mem:1024', 'cpus:6;mem:1024')]));
    await world.run(2000);
    expect(outstanding(ops)).toBe('cpus:6; mem:1024');
    expect(outstanding(eng)).toBe('cpus:2; mem:7168');
  });

  it('takes nothing from roles that have no more than is guaranteed to them', async () => {
    await send(update([config('eng', 'cpus:8')], true));
    const ops = await startOps();
    await send(update([config('ops', 'cpus:6')], true));
    await world.run(2000);
    expect(eng.of('RESCIND')).toEqual([]);
    expect(outstanding(ops)).toBe('{}');
  });

  it('takes only as many offers as it needs, though several roles get one at once', async () => {
    for (const name of ['b', 'c', 'd']) await world.startAgent(name, 'cpus:8;mem:8192');
    await world.run(2000);
    expect(eng.offers).toHaveLength(4);
    await send(update([config('ops', 'cpus:6'), config('qa', 'cpus:7'), config('eng', 'cpus:16')]));
    expect(eng.of('RESCIND')).toHaveLength(2);
  });

  it('takes nothing back while enough is free', async () => {
    await world.startAgent('agent-2', 'cpus:8;mem:8192');
    await world.run(100);
    const offers = eng.offers.map(({ id }) => id);
    const filters = { refuse_seconds: 60 };
    await world.call(eng, { type: 'DECLINE', decline: { offer_ids: offers.slice(0, 1), filters } });
    await send(update([config('ops', 'cpus:6')]));
    expect(eng.of('RESCIND')).toEqual([]);
  });

  it('is there for the role under the next master, too', async () => {
    await send(update([config('ops', 'cpus:6;mem:1024')]));
    await world.stopMaster();
    await world.startMaster();
    await world.run(30_000);
    const ops = await startOps();
    await world.run(2000);
    expect(outstanding(ops)).toContain('cpus:6;');
    expect((await status()).configs).toEqual([config('ops', 'cpus:6;mem:1024')]);
  });
});

describe('calls that can not be', () => {
  const refusal = (body: string) => ({ statusCode: 400, body: `Invalid QuotaConfig: ${body}` });

  it('more than the cluster has, unless it is forced', async () => {
    const capacity = "exceed cluster capacity 'cpus:8; mem:8192'";
    expect(await send(update([config('eng', 'cpus:9')]))).toMatchObject(
      refusal(
        `total quota guarantees 'cpus:9' ${capacity} (use 'force' flag to bypass this check)`,
      ),
    );
    expect((await send(update([config('eng', 'cpus:9')], true))).statusCode).toBe(200);
    const request = { role: 'ops', guarantee: [cpu(1)] };
    expect(await send(set(request))).toMatchObject({
      statusCode: 409,
      body:
        "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota " +
        `guarantees 'cpus:10' ${capacity}`,
    });
    expect((await send(set({ ...request, force: true }))).statusCode).toBe(200);
  });

  it('more for children than for their parent', async () => {
    await send(update([config('eng', 'cpus:3')]));
    const children = [config('eng/a', 'cpus:2'), config('eng/b', 'cpus:2')];
    expect(await send(update(children))).toMatchObject(
      refusal(
        "Invalid quota configuration. Parent role 'eng' with guarantees (cpus:3) does not contain " +
          "the sum of its children's guarantees (cpus:4)",
      ),
    );
    expect((await send(update(children.slice(0, 1)))).statusCode).toBe(200);
    expect(await send(remove('eng'))).toMatchObject({
      statusCode: 400,
      body:
        "Failed to remove quota: Invalid quota configuration. Parent role 'eng' with guarantees " +
        "({}) does not contain the sum of its children's guarantees (cpus:2)",
    });
  });

  it('guarantees beyond limits, odd roles and odd values', async () => {
    const tries = [
      [
        config('eng', 'cpus:3', 'cpus:2'),
        "'QuotaConfig.guarantees' {cpus: 3} is not contained within the 'QuotaConfig.limits' {cpus: 2}",
      ],
      [config('a//b'), "Invalid 'QuotaConfig.role': Role 'a//b' contains two adjacent slashes"],
      [
        { role: 'eng', guarantees: { cpus: { value: -1 } } },
        "Invalid guarantee configuration {'cpus': -1}: Negative values not supported",
      ],
      [
        { role: 'eng', limits: { mem: { value: 2 * 1024 ** 4 } } },
        "Invalid 'QuotaConfig.limits': {'mem': 2199023255552} is invalid: values greater than 1 " +
          'exabyte (1099511627776) are not supported',
      ],
    ] as const;
    for (const [each, body] of tries)
      expect(await send(update([each]))).toMatchObject(refusal(body));
    expect(await status()).toEqual({});
  });

  it('removing a quota that is not, and setting one twice in the older form', async () => {
    expect(await send(remove('eng'))).toMatchObject({
      ...{ statusCode: 400, body: "Failed to remove quota: Role 'eng' has no quota set" },
    });
    const request = { role: 'eng', guarantee: [cpu(1)] };
    await send(set(request));
    expect(await send(set(request))).toMatchObject({
      statusCode: 400,
      body:
        "Failed to validate set quota request: Cannot set quota for role 'eng' which already has " +
        'quota',
    });
  });

  it('an older request that is no request', async () => {
    const reserved = { ...cpu(1), reservations: [{ type: 'DYNAMIC' as const, role: 'eng' }] };
    const tries: readonly (readonly [QuotaRequest, string])[] = [
      [{ role: 'eng' }, "QuotaInfo with empty 'guarantee'"],
      [{ guarantee: [cpu(1)] }, 'QuotaInfo must specify a role'],
      [
        { role: '.', guarantee: [cpu(1)] },
        "QuotaInfo with invalid role: Role component '.' is invalid",
      ],
      [{ role: 'eng', guarantee: [reserved] }, 'QuotaInfo must not contain any ReservationInfo'],
      [
        { role: 'eng', guarantee: [cpu(1), cpu(2)] },
        "QuotaInfo contains duplicate resource name 'cpus'",
      ],
      [
        { role: 'eng', guarantee: parseResources('ports:[1-2]') },
        'QuotaInfo must not include non-scalar resources',
      ],
    ];
    for (const [request, why] of tries) {
      const body = `Failed to validate set quota request: ${why}`;
      expect(await send(set(request))).toMatchObject({ statusCode: 400, body });
    }
  });
});

it('agents that are away for a moment count for the capacity', async () => {
  world.network.cut(agent.origin, 'http://master:5050');
  await world.run(20_000);
  expect((await send(update([config('eng', 'cpus:8')]))).statusCode).toBe(200);
});

describe.each(['', '/master'])('the older endpoint %s/roles', (prefix) => {
  it('shows quota, and what roles consume of it: not what they are only offered', async () => {
    await world.call(eng, launch(eng.offer, taskOn(eng.offer, 'a', 'cpus:1;mem:128')));
    await world.run(2000);
    await send(update([config('eng', 'cpus:2', 'cpus:4'), config('ops', '', 'cpus:0')], true));
    const reservations = [{ type: 'DYNAMIC' as const, role: 'eng/a' }];
    const resources = [{ ...cpu(2), reservations }];
    const agent_id = { value: agent.agent.agentId ?? '' };
    await send({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, resources } });
    const { body } = await world.master.app.inject({ method: 'GET', url: `${prefix}/roles` });
    const { roles } = JSON.parse(body);
    const consumed = { cpus: 3.1, mem: 160 };
    expect(roles.map(({ quota }: { quota: unknown }) => quota)).toEqual([
      { role: 'eng', guarantee: { cpus: 2 }, limit: { cpus: 4 }, consumed },
      { role: 'eng/a', guarantee: {}, limit: {}, consumed: { cpus: 2 } },
      { role: 'ops', guarantee: {}, limit: { cpus: 0 }, consumed: {} },
    ]);
  });
});

describe.each(['', '/master'])('the older endpoint %s/quota', (prefix) => {
  async function inject(method: 'GET' | 'POST' | 'DELETE', path: string, payload?: string) {
    const url = `${prefix}${path}`;
    const response = await world.master.app.inject({
      ...{ method, url },
      ...(payload === undefined ? {} : { payload, headers: { 'content-type': 'text/plain' } }),
    });
    await world.run(100);
    return response;
  }

  it('sets, shows and removes quota', async () => {
    const request = { role: 'eng/a', guarantee: [cpu(3)], force: true };
    expect((await inject('GET', '/quota')).json()).toEqual({});
    await send(update([config('eng', 'cpus:3')]));
    const answer = await inject('POST', '/quota', JSON.stringify(request));
    expect(answer).toMatchObject({ statusCode: 200, body: '' });
    expect((await inject('GET', '/quota')).json()).toEqual(await status());
    expect((await inject('DELETE', '/quota/eng/a')).statusCode).toBe(200);
    expect((await status()).configs).toEqual([config('eng', 'cpus:3')]);
  });

  it('says what is wrong', async () => {
    const refused = async (answer: ReturnType<typeof inject>, body: RegExp) => {
      const { statusCode, body: text } = await answer;
      expect(statusCode).toBe(400);
      expect(text).toMatch(body);
    };
    await refused(inject('POST', '/quota', '{'), /^Failed to parse set quota request JSON '{': /);
    const odd = inject('POST', '/quota', '{"role":1}');
    await refused(odd, /^Failed to validate set quota request JSON '{"role":1}': /);
    await refused(inject('DELETE', '/quota'), /expected 3 tokens, found 2 tokens$/);
    const none =
      /^Failed to remove quota for path '.master.quota.eng': Role 'eng' has no quota set$/;
    await refused(inject('DELETE', '/quota/eng'), none);
  });
});
