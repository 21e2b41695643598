import { createHash } from 'node:crypto';
import type { MembershipRequest } from '@factory/contracts';
import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { TestCaller } from '../testing/factory.ts';

const EMAIL = 'Ada@Example.org';
const PASSWORD = 'correct horse battery';

describeOnEachStore('sessions', (test) => {
  const admin = () => test().factory.caller;
  const create = (memberships: readonly MembershipRequest[] = [{ role: 'member' }]) =>
    admin().ok('POST', '/v1/users', { email: EMAIL, name: 'Ada', memberships, password: PASSWORD });
  const signIn = (body: object = {}) =>
    test().factory.internal('POST', '/v1/sessions', {
      ...{ organisation: 'default', email: EMAIL, password: PASSWORD },
      ...body,
    });
  const hashOf = (token: string) => createHash('sha256').update(token).digest('hex');
  const principal = async (token: string, projectId?: string) => {
    const query = projectId === undefined ? '' : `?projectId=${projectId}`;
    const path = `/internal/v1/sessions/${hashOf(token)}${query}`;
    const answer = await test().factory.internal('GET', path);
    return answer.statusCode === 404 ? undefined : answer.json().principal;
  };
  /** A call as the gateway makes it for a session. */
  const asUser = async (token: string) => {
    const { projectId, ...more } = await principal(token);
    const { app } = test().factory.api;
    return new TestCaller(app, projectId, more.role, more.isPlatform, more);
  };

  it('begin with a password, and stand for a user in a project', async () => {
    const user = await create();
    expect(user).toMatchObject({ email: 'ada@example.org', state: 'active', password: null });
    const answer = await signIn();
    expect(answer.statusCode).toBe(201);
    const { token } = answer.json();
    expect(token).toMatch(/^fst_[\w-]{43}$/);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(await principal(token)).toMatchObject({
      ...{ actor: user.id, role: 'member', scope: 'organisation', isPlatform: true },
      projectId: admin().projectId,
    });
    const me = await (await asUser(token)).ok('GET', '/v1/me');
    expect(me).toMatchObject({
      user: { id: user.id },
      projects: [{ id: admin().projectId, name: 'default' }],
    });
    // What is kept can't be used.
    const kept = await test().factory.store.sessions.find(hashOf(token));
    expect(JSON.stringify(kept)).not.toContain(token);
    expect(JSON.stringify(kept)).not.toContain(PASSWORD);
  });

  it('give a cookie that scripts and other sites have not, where it is asked for', async () => {
    await create();
    const answer = await signIn({ cookie: true });
    expect(answer.json().token).toBeNull();
    expect(answer.headers['set-cookie']).toMatch(
      /^factory_session=fst_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Expires=/,
    );
  });

  it('are refused in the same words, whatever is wrong', async () => {
    const user = await create();
    const wrong = [
      await signIn({ password: 'not the password' }),
      await signIn({ email: 'bob@example.org' }),
      await signIn({ organisation: 'nobody' }),
    ];
    await admin().ok('PATCH', `/v1/users/${user.id}`, { state: 'disabled' });
    wrong.push(await signIn());
    const words = wrong.map((each) => ({ ...each.json(), requestId: '' }));
    expect(words[0]).toMatchObject({ status: 401, code: 'FACTORY_ERR_BAD_LOGIN' });
    for (const each of words) expect(each).toEqual(words[0]);
  });

  it('can not be guessed at quickly, of names that are there and that are not', async () => {
    await create();
    for (const email of [EMAIL, 'nobody@example.org']) {
      const guess = () => signIn({ email, password: 'a guess' });
      const codes: number[] = [];
      for (let index = 0; index < 6; index += 1) codes.push((await guess()).statusCode);
      expect(codes).toEqual([401, 401, 401, 401, 401, 429]);
      expect((await signIn({ email })).statusCode).toBe(429);
      test().clock.shift(1_001);
      expect((await guess()).statusCode).toBe(401);
      expect((await guess()).json()).toMatchObject({ status: 429, retryAfterSeconds: 2 });
    }
    test().clock.shift(60_000);
    expect((await signIn()).statusCode).toBe(201);
    expect((await signIn({ password: 'a guess' })).statusCode).toBe(401);
  });

  it('end by signing out, without use, after their time, and with a new password', async () => {
    const user = await create();
    const begin = async (): Promise<string> => (await signIn()).json().token;
    const [out, idle] = [await begin(), await begin()];
    const left = await (await asUser(out)).call('DELETE', '/v1/sessions/current');
    expect(left.statusCode).toBe(204);
    expect(left.headers['set-cookie']).toContain('factory_session=;');
    expect(await principal(out)).toBeUndefined();
    test().clock.shift(3_600_000);
    expect(await principal(idle)).toBeUndefined();
    const kept = await begin();
    const { items } = await admin().ok('GET', '/v1/users?email=ada@example.org');
    expect(items).toHaveLength(1);
    const reset = await admin().ok('POST', `/v1/users/${user.id}:resetPassword`);
    expect(reset.password).toHaveLength(20);
    expect(await principal(kept)).toBeUndefined();
    expect((await signIn()).statusCode).toBe(401);
    const again = (await signIn({ password: reset.password })).json().token;
    const change = { password: reset.password, newPassword: 'another long one' };
    const changed = await (await asUser(again)).call('POST', '/v1/me/password', change);
    expect(changed.statusCode).toBe(204);
    expect(await principal(again)).toBeUndefined();
    expect((await signIn({ password: 'another long one' })).statusCode).toBe(201);
    await admin().call('DELETE', `/v1/users/${user.id}`);
    expect((await signIn({ password: 'another long one' })).statusCode).toBe(401);
  });

  it('stand for what the user is in the project that they choose', async () => {
    const film = await admin().ok('POST', '/v1/projects', { name: 'film' });
    const closed = await admin().ok('POST', '/v1/projects', { name: 'closed' });
    await admin().call('DELETE', `/v1/projects/${closed.id}`);
    const studio = await admin().ok('POST', '/v1/organisations', { name: 'studio' });
    const path = `/v1/projects?organisationId=${studio.id}`;
    const [foreign] = (await admin().ok('GET', path)).items;
    await create([{ role: 'viewer' }, { role: 'admin', projectId: film.id }]);
    const { token } = (await signIn()).json();
    const inFilm = { role: 'admin', scope: 'project', projectId: film.id };
    expect(await principal(token, film.id)).toMatchObject(inFilm);
    expect(await principal(token, admin().projectId)).toMatchObject({ role: 'viewer' });
    expect(await principal(token, foreign.id)).toBeNull();
    expect(await principal(token, closed.id)).toBeNull();
  });

  it('are never somebody elsewhere by the word of another organisation', async () => {
    const studio = await admin().ok('POST', '/v1/organisations', { name: 'studio' });
    const [project] = (await admin().ok('GET', `/v1/projects?organisationId=${studio.id}`)).items;
    const boss = new TestCaller(test().factory.api.app, project.id, 'admin', false, {
      organisationId: studio.id,
    });
    const { organisationId } = await admin().ok('GET', `/v1/projects/${admin().projectId}`);
    const request = { email: 'eve@example.org', name: 'Eve', memberships: [] };
    const memberships = [{ organisationId, role: 'admin' }];
    const intruder = await boss.call('POST', '/v1/users', { ...request, memberships });
    expect(intruder.statusCode).toBe(400);
    const into = await boss.call('POST', '/v1/users', { ...request, organisationId });
    expect(into.statusCode).toBe(404);
    // Whose password another organisation's admins can set is nobody in that of the factory.
    const given = { ...request, organisationId: studio.id, memberships };
    expect((await admin().call('POST', '/v1/users', given)).statusCode).toBe(400);
    const helper = await create([{ organisationId: studio.id, role: 'operator' }]);
    expect((await boss.call('GET', `/v1/users/${helper.id}`)).statusCode).toBe(404);
    const { token } = (await signIn()).json();
    expect(await principal(token)).toMatchObject({ role: 'operator', isPlatform: false });
  });
});
