import { signUcloud, type UcloudParams } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { KEY_ID, PRINCIPAL, SECRET, World } from './testing/world.ts';

const PARAMS = { Action: 'DescribeUHostInstance', Limit: '10', PublicKey: KEY_ID };

async function world(allowsUcloud = true) {
  const made = await World.create();
  made.apiServer.allowsUcloud = allowsUcloud;
  made.apiServer.answer = () => ({ RetCode: 0, Action: 'DescribeUHostInstanceResponse' });
  return made;
}

const signed = (params: UcloudParams, secret = SECRET) =>
  new URLSearchParams({ ...params, Signature: signUcloud(params, secret) }).toString();

describe('a UCloud-style action', () => {
  it('goes on as its key, from the query, a form or JSON', async () => {
    const { apiServer, send } = bound(await world());
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const json = { 'content-type': 'application/json' };
    const object = { ...PARAMS, Limit: 10, Signature: signUcloud(PARAMS, SECRET) };
    const answers = [
      await send('GET', `/?${signed(PARAMS)}`),
      await send('POST', '/ucloud', { headers: form, body: signed(PARAMS) }),
      await send('POST', '/', { headers: json, body: JSON.stringify(object) }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.problem()).toMatchObject({ RetCode: 0 });
    }
    expect(apiServer.seen).toHaveLength(3);
    for (const seen of apiServer.seen) {
      expect(seen.url).toBe('/internal/v1/ucloud');
      expect(seen.headers['x-factory-principal']).toBe(JSON.stringify(PRINCIPAL));
      expect(JSON.parse(seen.body)).toEqual(PARAMS);
    }
  });

  it('is refused with 200 and a code of its own', async () => {
    const { apiServer, send } = bound(await world());
    const code = async (query: string) => {
      const answer = await send('GET', `/?${query}`);
      expect(answer.status).toBe(200);
      return answer.problem().RetCode;
    };
    const { Action: _action, ...without } = PARAMS;
    expect(await code('')).toBe(160);
    expect(await code(signed(without))).toBe(160);
    expect(await code('Action=DescribeImage')).toBe(170);
    expect(await code(signed(PARAMS, 'a guess'))).toBe(171);
    expect(await code(signed({ ...PARAMS, PublicKey: 'key_unknown' }))).toBe(171);
    expect(await code(`${signed(PARAMS)}&Limit=100`)).toBe(230);
    expect(apiServer.seen).toEqual([]);
  });

  it('is only for keys that allow what can be sent again', async () => {
    const { apiServer, send } = bound(await world(false));
    expect((await send('GET', `/?${signed(PARAMS)}`)).problem()).toMatchObject({ RetCode: 299 });
    expect(apiServer.seen).toEqual([]);
  });

  it('has the rate of its key', async () => {
    const { send } = bound(await world());
    const codes: number[] = [];
    for (let index = 0; index < 21; index += 1) {
      codes.push((await send('GET', `/?${signed(PARAMS)}`)).problem().RetCode);
    }
    expect(codes.slice(-2)).toEqual([0, 153]);
  });

  it('finds no api-server, and says so', async () => {
    const { apiServer, send } = bound(await world());
    apiServer.answer = () => {
      throw new Error('not today');
    };
    expect((await send('GET', `/?${signed(PARAMS)}`)).problem()).toMatchObject({ RetCode: 150 });
  });
});

function bound(made: World) {
  return { apiServer: made.apiServer, send: made.send.bind(made) };
}
