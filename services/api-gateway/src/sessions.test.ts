import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { INTERNAL_TOKEN, World } from './testing/world.ts';

const TOKEN = `fst_${'t'.repeat(43)}`;
const HASH = createHash('sha256').update(TOKEN).digest('hex');
const PROJECT = `prj_${'1'.repeat(32)}`;
const STRANGE = `prj_${'2'.repeat(32)}`;
const bearer = { authorization: `Bearer ${TOKEN}` };
const cookie = { cookie: `theme=dark; factory_session=${TOKEN}` };

/** A gateway before an api-server that knows one session, until it is over. */
async function signedIn() {
  const world = await World.create();
  const seen: string[] = [];
  const state = { isOver: false, lookups: 0 };
  world.apiServer.answer = (request) => {
    const { url, headers } = request;
    if (!url.startsWith('/internal/v1/sessions/')) {
      seen.push(`${request.method} ${url} ${headers['x-factory-principal']}`);
      return { ok: true };
    }
    state.lookups += 1;
    if (headers.authorization !== `Bearer ${INTERNAL_TOKEN}`) throw new Error('not for you');
    if (!url.includes(HASH) || state.isOver) {
      throw Object.assign(new Error('no such session'), { statusCode: 404 });
    }
    const project = new URL(url, 'http://api').searchParams.get('projectId') ?? 'first';
    return { principal: project === STRANGE ? null : { project } };
  };
  return { world, seen, state };
}

describe('a session', () => {
  it('stands for what the api-server says of it, by token or by cookie', async () => {
    const { world, seen, state } = await signedIn();
    expect((await world.send('GET', '/v1/vms', { headers: bearer })).status).toBe(200);
    expect((await world.send('GET', '/v1/vms', { headers: cookie })).status).toBe(200);
    expect(seen).toEqual(Array(2).fill('GET /v1/vms {"project":"first"}'));
    expect(state.lookups).toBe(1);
    // Nobody but the caller has the token.
    expect(JSON.stringify(world.apiServer.seen)).not.toContain(TOKEN);
  });

  it('works in the project that is chosen, and in no other', async () => {
    const { world, seen } = await signedIn();
    const choose = (project: string) =>
      world.send('GET', '/v1/vms', { headers: { ...bearer, 'x-factory-project': project } });
    expect((await choose(PROJECT)).status).toBe(200);
    expect(seen).toEqual([`GET /v1/vms {"project":"${PROJECT}"}`]);
    await world.clock.run(10_000);
    expect((await choose(STRANGE)).problem()).toMatchObject({
      ...{ status: 404, field: 'x-factory-project' },
    });
    expect((await choose('prj_1/../x')).problem()).toMatchObject({ status: 400 });
  });

  it('changes nothing by cookie for a page of another site', async () => {
    const { world, seen } = await signedIn();
    const refused = await world.send('DELETE', '/v1/vms/vm_1', { headers: cookie });
    expect(refused.problem()).toMatchObject({ status: 401, field: 'x-factory-csrf' });
    expect(seen).toEqual([]);
    const headers = { ...cookie, 'x-factory-csrf': '1' };
    expect((await world.send('DELETE', '/v1/vms/vm_1', { headers })).status).toBe(200);
    await world.clock.run(10_000);
    expect((await world.send('DELETE', '/v1/vms/vm_1', { headers: bearer })).status).toBe(200);
  });

  it('is over at once where it signs out, and within seconds elsewhere', async () => {
    const { world, state } = await signedIn();
    await world.send('DELETE', '/v1/sessions/current', { headers: bearer });
    state.isOver = true;
    const after = await world.send('GET', '/v1/vms', { headers: bearer });
    expect(after.problem()).toMatchObject({ status: 401, code: 'FACTORY_ERR_NO_SESSION' });
    const guessed = { authorization: `Bearer fst_${'x'.repeat(43)}` };
    expect((await world.send('GET', '/v1/vms', { headers: guessed })).problem()).toMatchObject({
      code: 'FACTORY_ERR_NO_SESSION',
    });
  });

  it('has a rate, like a key', async () => {
    const { world } = await signedIn();
    const codes: number[] = [];
    for (let index = 0; index < 21; index += 1) {
      codes.push((await world.send('GET', '/v1/vms', { headers: bearer })).status);
    }
    expect(codes.at(-2)).toBe(200);
    expect(codes.at(-1)).toBe(429);
  });
});

describe('signing in', () => {
  it('goes on unsigned, with the address it comes from, and not too often', async () => {
    const { world } = await signedIn();
    const signIn = () => world.send('POST', '/v1/sessions', { body: '{}' });
    expect((await signIn()).status).toBe(200);
    const [seen] = world.apiServer.seen;
    expect(seen).toMatchObject({ url: '/v1/sessions', body: '{}' });
    expect(seen?.headers).toMatchObject({ authorization: `Bearer ${INTERNAL_TOKEN}` });
    expect(seen?.headers).toHaveProperty('x-factory-client-address');
    expect(seen?.headers).not.toHaveProperty('x-factory-principal');
    for (let index = 0; index < 19; index += 1) await signIn();
    expect((await signIn()).status).toBe(429);
  });
});
