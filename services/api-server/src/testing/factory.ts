import type {
  ExchangeResponse,
  OrganisationId,
  ProjectId,
  Role,
  VmAssignment,
} from '@factory/contracts';
import {
  type Clock,
  createIdGenerator,
  type HttpTransport,
  silentLogger,
  systemClock,
  systemRandom,
} from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import type { Principal } from '../http/principal.ts';
import { type ApiServer, createApiServer } from '../index.ts';
import { MemoryJobQueue } from '../jobs/memory-queue.ts';
import type { JobQueue } from '../jobs/queue.ts';
import type { ApiStore } from '../store/api-store.ts';
import { TestCluster } from './cluster.ts';
import type { TestDatabaseHandle } from './stores.ts';

export const INTERNAL_TOKEN = 'internal-token-of-the-tests';
const SECRET_KEY = '42'.repeat(32);

/** Calls the API like the gateway does, as one project. */
export class TestCaller {
  readonly #app: FastifyInstance;
  readonly projectId: ProjectId;
  readonly principal: Principal;
  readonly #more: Partial<Principal>;

  constructor(
    app: FastifyInstance,
    projectId: ProjectId,
    role: string = 'admin',
    isPlatform = true,
    more: Partial<Principal> = {},
  ) {
    this.#app = app;
    this.projectId = projectId;
    this.#more = more;
    const organisationId = `org_${(isPlatform ? '1' : '2').repeat(32)}` as OrganisationId;
    this.principal = {
      actor: `key_${'1'.repeat(32)}`,
      organisationId,
      projectId,
      role: role as Role,
      scope: 'organisation',
      isPlatform,
      ...more,
    };
  }

  /** Other projects are of an organisation that does not run the factory. */
  as(role: string, projectId = this.projectId): TestCaller {
    const isOwn = projectId === this.projectId;
    return new TestCaller(this.#app, projectId, role, isOwn, isOwn ? this.#more : {});
  }

  call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ) {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    return this.#app.inject({
      method,
      url,
      headers: {
        authorization: `Bearer ${INTERNAL_TOKEN}`,
        'x-factory-principal': JSON.stringify(this.principal),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(payload === undefined ? {} : { payload }),
    });
  }

  /** A call that must succeed; gives the parsed answer. */
  async ok(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, body?: unknown) {
    const answer = await this.call(method, url, body);
    if (answer.statusCode >= 300) throw new Error(`${answer.statusCode}: ${answer.body}`);
    return answer.json();
  }
}

type InjectedAnswer = Promise<Awaited<ReturnType<TestCaller['call']>>>;

/** An api-server on a database of its own, with its default project. */
export interface TestFactory {
  readonly api: ApiServer;
  readonly store: ApiStore;
  readonly caller: TestCaller;
  /** A cluster that is enrolled and has a session. */
  join(name: string): Promise<TestCluster>;
  /** A call with the internal token. */
  internal(method: 'GET' | 'POST', url: string, body?: object): InjectedAnswer;
  close(): Promise<void>;
}

export async function startFactory(
  database: TestDatabaseHandle,
  options: {
    readonly clock?: Clock;
    readonly jobs?: JobQueue;
    readonly subnetCidr?: string;
    readonly outside?: HttpTransport;
  } = {},
): Promise<TestFactory> {
  const { clock = systemClock, subnetCidr = '10.80.0.0/16' } = options;
  const store = database.connect(clock);
  const jobs = options.jobs ?? new MemoryJobQueue(clock, silentLogger);
  const api = await createApiServer({
    clock,
    random: systemRandom,
    logger: silentLogger,
    store,
    jobs,
    internalToken: INTERNAL_TOKEN,
    secretKey: SECRET_KEY,
    subnetCidr,
    access: { passwordCost: { logN: 4, r: 1, p: 1 } },
    ...(options.outside === undefined ? {} : { outside: options.outside }),
  });
  await api.start();
  const internal = (method: 'GET' | 'POST', url: string, body?: object) =>
    api.app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${INTERNAL_TOKEN}` },
      ...(body === undefined ? {} : { payload: body }),
    });
  const bootstrap = (clusters: readonly string[]) =>
    internal('POST', '/internal/v1/bootstrap', { clusters });
  const { projectId } = (await bootstrap([])).json();
  const [owner] = await store.tenancy.listOrganisations({ limit: 1 });
  if (owner === undefined) throw new Error('the factory has no organisation');
  return {
    api,
    store,
    caller: new TestCaller(api.app, projectId, 'admin', true, { organisationId: owner.id }),
    internal,
    join: async (name) => {
      const { clusters } = (await bootstrap([name])).json();
      const cluster = new TestCluster(api.app, clock, name);
      await cluster.enrol(clusters[0].token);
      await cluster.openSession();
      return cluster;
    },
    close: async () => {
      await api.close();
      await jobs.close();
      await api.app.close();
    },
  };
}

/** The machines that commands assign. */
export function assignedIn(response: ExchangeResponse): VmAssignment[] {
  return response.commands.flatMap(({ command }) =>
    command.kind === 'assignVms' ? command.vms : [],
  );
}

/** A project that has nothing. */
export function otherProject(): ProjectId {
  return createIdGenerator(systemClock, systemRandom)('prj') as ProjectId;
}
