import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MasterCall, MasterResponse } from '../../../mesos-core/src/protocol/index.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { ask } from './support/raw-http.ts';
import { openTarget, operate, type Target } from './support/target.ts';
import { decode, ENCODINGS } from './support/wire.ts';

/** No framework has it: what is examined here is in nobody's way. */
const ROLE = 'conformance-quota';
const CPU = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } } as const;
/** More than any cluster has. */
const TOO_MANY = { cpus: { value: 1e9 } };
const WORDS = 'total quota guarantees';

describe.each(ENCODINGS)('quota, weights and roles in %s', (encoding) => {
  let target: Target;

  beforeAll(async () => {
    target = await openTarget();
  }, 60_000);
  afterEach(async () => {
    await send(update({}));
    await send({
      type: 'UPDATE_WEIGHTS',
      update_weights: { weight_infos: [{ role: ROLE, weight: 1 }] },
    });
  });
  afterAll(() => target.stop());

  const update = (config: object, force = false): MasterCall => ({
    type: 'UPDATE_QUOTA',
    update_quota: { force, quota_configs: [{ role: ROLE, ...config }] },
  });

  async function send(call: MasterCall): Promise<{ status: number; body: string }> {
    const { status, body } = await operate(target.master, encoding, call);
    return { status, body: body.toString() };
  }

  async function read(call: MasterCall): Promise<MasterResponse> {
    const { status, body } = await operate(target.master, encoding, call);
    expect(status).toBe(200);
    return decode(encoding, 'master.Response', body);
  }

  async function quota() {
    const response = await read({ type: 'GET_QUOTA' });
    if (response.type !== 'GET_QUOTA') throw new Error(`another answer: ${response.type}`);
    const { infos = [], configs = [] } = response.get_quota.status;
    const own = ({ role }: { readonly role?: string | undefined }) => role === ROLE;
    return { infos: infos.filter(own), configs: configs.filter(own) };
  }

  async function get(path: string): Promise<string> {
    const { status, body } = await ask({ url: `${target.master}${path}`, method: 'GET' });
    expect(status).toBe(200);
    return body.toString();
  }

  it('UPDATE_QUOTA sets guarantees and limits that GET_QUOTA and /quota show, and ends them', async () => {
    const guarantees = { cpus: { value: 1 } };
    const limits = { cpus: { value: 2 }, mem: { value: 512 } };
    expect(await send(update({ guarantees, limits }))).toEqual({ status: 200, body: '' });
    const config = { role: ROLE, guarantees, limits };
    expect(await quota()).toMatchObject({
      ...{ infos: [{ role: ROLE, guarantee: [CPU] }], configs: [config] },
    });
    expect(JSON.parse(await get('/quota')).configs).toContainEqual(config);
    expect(JSON.parse(await get('/master/quota')).configs).toContainEqual(config);
    expect(await send(update({}))).toEqual({ status: 200, body: '' });
    expect(await quota()).toEqual({ infos: [], configs: [] });
  });

  it('UPDATE_QUOTA of more than the cluster has is 400, unless it is forced', async () => {
    const refused = await send(update({ guarantees: TOO_MANY }));
    expect(refused.status).toBe(400);
    expect(refused.body).toMatch(new RegExp(`^Invalid QuotaConfig: ${WORDS} 'cpus:1000000000'`));
    expect((await send(update({ guarantees: TOO_MANY }, true))).status).toBe(200);
  });

  it('UPDATE_QUOTA of a guarantee beyond its limit, or of less than nothing, is 400', async () => {
    const [one, two] = [{ cpus: { value: 1 } }, { cpus: { value: 2 } }];
    const beyond = await send(update({ guarantees: two, limits: one }));
    expect(beyond.status).toBe(400);
    expect(beyond.body).toMatch(/is not contained within the 'QuotaConfig.limits'/);
    expect(await send(update({ limits: { cpus: { value: -2 } } }))).toEqual({
      status: 400,
      body:
        "Invalid QuotaConfig: Invalid limit configuration {'cpus': -2}: Negative values not " +
        'supported',
    });
  });

  it('UPDATE_QUOTA of more for children than for their parent is 400', async () => {
    const child = { role: `${ROLE}/a`, guarantees: { cpus: { value: 1 } } };
    const { status, body } = await send(update(child));
    expect(status).toBe(400);
    expect(body).toMatch(/does not contain the sum of its children's guarantees \(cpus:1\)/);
  });

  it('SET_QUOTA and REMOVE_QUOTA set and end quota in the older form', async () => {
    const quota_request = { role: ROLE, guarantee: [CPU] };
    const set: MasterCall = { type: 'SET_QUOTA', set_quota: { quota_request } };
    expect(await send(set)).toEqual({ status: 200, body: '' });
    expect((await quota()).infos).toMatchObject([{ role: ROLE, guarantee: [CPU] }]);
    expect(await send(set)).toEqual({
      status: 400,
      body: `Failed to validate set quota request: Cannot set quota for role '${ROLE}' which already has quota`,
    });
    const remove: MasterCall = { type: 'REMOVE_QUOTA', remove_quota: { role: ROLE } };
    expect(await send(remove)).toEqual({ status: 200, body: '' });
    expect((await send(remove)).status).toBe(400);
  });

  it('UPDATE_WEIGHTS sets weights that GET_WEIGHTS, GET_ROLES, /weights and /roles show', async () => {
    const info = { role: ROLE, weight: 2.5 };
    const call: MasterCall = { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [info] } };
    expect(await send(call)).toEqual({ status: 200, body: '' });
    const weights = await read({ type: 'GET_WEIGHTS' });
    expect(weights).toMatchObject({
      get_weights: { weight_infos: expect.arrayContaining([info]) },
    });
    expect(await read({ type: 'GET_ROLES' })).toMatchObject({
      get_roles: {
        roles: expect.arrayContaining([expect.objectContaining({ name: ROLE, weight: 2.5 })]),
      },
    });
    expect(JSON.parse(await get('/weights'))).toContainEqual(info);
    expect(JSON.parse(await get('/roles')).roles).toContainEqual({
      ...{ name: ROLE, weight: 2.5, frameworks: [] },
      ...{ resources: {}, allocated: {}, offered: {}, reserved: {} },
      quota: { role: ROLE, guarantee: {}, limit: {}, consumed: {} },
    });
  });

  it('UPDATE_WEIGHTS with a weight that is not positive is 400', async () => {
    const { status, body } = await send({
      ...{ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: ROLE, weight: 0 }] } },
    });
    expect(status).toBe(400);
    expect(body).toMatch(/Invalid weight '0': Weights must be positive$/);
  });
});

proveCoverage(import.meta.url);
