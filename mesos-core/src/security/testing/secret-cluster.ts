import { FRAMEWORK, launch, type TestAgent, taskOn, World } from '../../master/testing/world.ts';
import { type ListedRoute, routesMadeBy } from '../../testing/route-list.ts';
import { parseAcls } from '../acls.ts';
import { createAuthenticator } from '../authenticator.ts';
import { createAuthorizer } from '../authorizer.ts';
import { signJwt } from '../jwt.ts';
import type { Realm } from '../realms.ts';

const KEY = 'key of the tokens';
const SCHEDULER_CREDENTIAL = { principal: 'scheduler', secret: 's' };
const AGENT_CREDENTIAL = { principal: 'agent', secret: 's' };
/** Who is authenticated, and may nothing. */
export const STRANGER = `Bearer ${signJwt({ sub: 'stranger' }, KEY)}`;
/** Who sees all. */
export const ADMINISTRATOR = `Bearer ${signJwt({ sub: 'administrator' }, KEY)}`;

const ofAdministrator = { principals: { values: ['administrator'] } };

/** The cluster works, the administrator sees all, and a stranger is somebody who may nothing. */
const ACLS = {
  permissive: false,
  register_agents: [{ principals: { values: ['agent'] }, agents: { type: 'ANY' } }],
  reserve_resources: [{ principals: { values: ['agent', 'scheduler'] }, roles: { type: 'ANY' } }],
  register_frameworks: [{ principals: { values: ['scheduler'] }, roles: { type: 'ANY' } }],
  view_frameworks: [{ ...ofAdministrator, users: { type: 'ANY' } }],
  view_executors: [{ ...ofAdministrator, users: { type: 'ANY' } }],
  view_tasks: [{ ...ofAdministrator, users: { type: 'ANY' } }],
  view_roles: [{ ...ofAdministrator, roles: { type: 'ANY' } }],
  run_tasks: [{ principals: { values: ['scheduler'] }, users: { type: 'ANY' } }],
};

const MASTER_REALMS = [
  ...(['mesos-master-readonly', 'mesos-master-readwrite'] as const),
  ...(['mesos-master-scheduler', 'mesos-master-agent'] as const),
];
const AGENT_REALMS = [
  ...(['mesos-agent-readonly', 'mesos-agent-readwrite', 'mesos-agent-executor'] as const),
];

/** A cluster in which all names have `secret` in them. */
export interface SecretCluster {
  readonly world: World;
  readonly agent: TestAgent;
  /** A path of the agent's files. */
  readonly sandbox: string;
  readonly masterRoutes: readonly ListedRoute[];
  readonly agentRoutes: readonly ListedRoute[];
}

function authenticators(...realms: readonly Realm[]) {
  const options = { credentials: [SCHEDULER_CREDENTIAL, AGENT_CREDENTIAL], jwtSecretKey: KEY };
  return new Map(realms.map((realm) => [realm, createAuthenticator({ realm, ...options })]));
}

/** All names in it have `secret` in them. */
export async function startSecretCluster(): Promise<SecretCluster> {
  const authorizer = createAuthorizer(parseAcls(JSON.stringify(ACLS)));
  const world = new World({
    security: {
      master: {
        authorizer,
        authenticators: authenticators(...MASTER_REALMS),
      },
      agent: {
        authorizer,
        authenticators: authenticators(...AGENT_REALMS),
        credential: AGENT_CREDENTIAL,
        executorTokenKey: KEY,
      },
      scheduler: SCHEDULER_CREDENTIAL,
    },
  });
  const masterRoutes = await routesMadeBy(async () => {
    await world.startMaster();
    await world.master.app.ready();
  });
  const { promise: started, resolve } = Promise.withResolvers<TestAgent>();
  const agentRoutes = await routesMadeBy(async () => {
    const agent = await world.startAgent('agent-1', 'cpus:8;mem:8192;cpus(secret-role):1');
    await agent.agent.app.ready();
    resolve(agent);
  });
  const agent = await started;
  for (const name of ['secret-over', 'secret-living']) {
    const info = { ...FRAMEWORK, name, user: 'secret-user', roles: ['secret-role'] };
    const framework = await world.startScheduler(name, { ...info, failover_timeout: 3600 });
    await world.run(2000);
    const secretTask = taskOn(framework.offer, `${name}-task`);
    await world.call(framework, launch(framework.offer, secretTask));
    if (name === 'secret-over') await world.call(framework, { type: 'TEARDOWN' });
  }
  const sandbox = agent.executors[0]?.request.directory ?? '';
  return { world, agent, sandbox, masterRoutes, agentRoutes };
}
