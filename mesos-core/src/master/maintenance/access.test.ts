import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeMessage, type MasterCall } from '../../protocol/index.ts';
import { parseAcls } from '../../security/acls.ts';
import { createAuthenticator } from '../../security/authenticator.ts';
import { createAuthorizer } from '../../security/authorizer.ts';
import { World } from '../testing/world.ts';

const credentials = [{ principal: 'alice', secret: 'a1' }];
const realm = 'mesos-master-readwrite';

let world: World;

beforeEach(async () => {
  const authenticators = new Map([[realm, createAuthenticator({ realm, credentials })]] as const);
  const nobody = { type: 'NONE' } as const;
  const [principals, machines, agents] = [{ type: 'ANY' }, nobody, nobody];
  const authorizer = createAuthorizer(
    parseAcls(
      JSON.stringify({
        get_maintenance_schedules: [{ principals, machines }],
        get_maintenance_statuses: [{ principals, machines }],
        update_maintenance_schedules: [{ principals, machines }],
        start_maintenances: [{ principals, machines }],
        stop_maintenances: [{ principals, machines }],
        drain_agents: [{ principals, agents }],
        deactivate_agents: [{ principals, agents }],
        reactivate_agents: [{ principals, agents }],
      }),
    ),
  );
  world = new World({ security: { master: { authenticators, authorizer } } });
  await world.startMaster();
});

afterEach(() => world.close());

const authorization = `Basic ${Buffer.from('alice:a1').toString('base64')}`;
const machines = [{ hostname: 'agent-1', ip: '127.0.0.1' }];
const agent_id = { value: 'S0' };
const CALLS: readonly MasterCall[] = [
  { type: 'GET_MAINTENANCE_SCHEDULE' },
  { type: 'GET_MAINTENANCE_STATUS' },
  { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: {} } },
  { type: 'START_MAINTENANCE', start_maintenance: { machines } },
  { type: 'STOP_MAINTENANCE', stop_maintenance: { machines } },
  { type: 'DRAIN_AGENT', drain_agent: { agent_id } },
  { type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } },
  { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } },
];

describe('whoever may not', () => {
  it.each(CALLS)('$type is answered with 403', async (call) => {
    const { statusCode } = await world.master.app.inject({
      ...{ method: 'POST', url: '/api/v1' },
      headers: { authorization, 'content-type': 'application/json' },
      payload: Buffer.from(encodeMessage('master.Call', 'json', call)),
    });
    expect(statusCode).toBe(403);
  });

  it.each([
    ['GET', '/maintenance/schedule'],
    ['POST', '/maintenance/schedule'],
    ['GET', '/master/maintenance/status'],
    ['POST', '/machine/down'],
    ['POST', '/master/machine/up'],
  ] as const)('%s %s is answered with 403', async (method, url) => {
    const body = url.includes('machine/') ? machines : {};
    const { statusCode } = await world.master.app.inject({
      ...{ method, url, headers: { authorization, 'content-type': 'application/json' } },
      ...(method === 'POST' ? { payload: JSON.stringify(body) } : {}),
    });
    expect(statusCode).toBe(403);
  });
});
