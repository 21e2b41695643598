import {
  createApiGateway,
  createMemoryNonceStore,
  createMemoryRateLimiter,
} from '@factory/api-gateway';
import {
  type ApiServer,
  createApiServer,
  createMemoryStore as createApiStore,
  MemoryDatabase,
  MemoryJobQueue,
} from '@factory/api-server';
import {
  createClusterServer,
  createMemoryStore as createClusterStore,
  LinkClient,
  VmSchedulerClient,
} from '@factory/cluster-server';
import type { ConsoleKind } from '@factory/contracts';
import {
  type ByteChannel,
  createUndiciTransport,
  createWebSocketAcceptor,
  createWebSocketDialer,
  type ListeningServer,
  listen,
  NORMAL_END,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { adminHeaders } from '../support/principal.ts';
import { FakeCluster } from './fake-cluster.ts';

const INTERNAL_TOKEN = 'the internal token';
const PORTS = { clock: systemClock, random: systemRandom, logger: silentLogger };
const LOOPBACK = { host: '127.0.0.1', port: 0 };
const HOST = { active: true, totalVcpus: 8, totalMemoryMiB: 8_192, freeVcpus: 8 };

/** How consoles are to behave. */
export interface ConsoleFactoryOptions {
  readonly idleMs?: number;
  readonly totalMs?: number;
}

/**
 * Gateways, api-servers and a cluster-server on real sockets, and one machine. Users reach the first
 * gateway and api-server, the cluster the second ones; both api-servers have the same store.
 */
export class ConsoleFactory {
  readonly cluster = new FakeCluster();
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly #transport = createUndiciTransport();
  readonly #database = new MemoryDatabase();
  readonly #users: ByteChannel[] = [];
  #api: ApiServer | undefined;
  #headers: Readonly<Record<string, string>> = {};
  gatewayUrl = '';
  clusterServerUrl = '';
  vmPath = '';

  async start({ idleMs = 60_000, totalMs = 120_000 }: ConsoleFactoryOptions = {}): Promise<void> {
    const limits = { idleMs, totalMs };
    const first = await this.#startApi(limits);
    const second = await this.#startApi(limits);
    this.#api = first.api;
    this.gatewayUrl = first.gatewayUrl;
    const answer = await first.api.app.inject({
      method: 'POST',
      url: '/internal/v1/bootstrap',
      headers: { authorization: `Bearer ${INTERNAL_TOKEN}` },
      payload: { clusters: ['idc-1'] },
    });
    const { projectId, clusters } = answer.json();
    this.#headers = adminHeaders(projectId, INTERNAL_TOKEN);
    await this.#startClusterServer(clusters[0].token, second.gatewayUrl);
    await this.#makeMachine();
  }

  /** A call as the gateway would pass it on. */
  async call(method: 'GET' | 'POST', url: string, payload?: object) {
    const answer = await this.#api?.app.inject({
      ...{ method, url, headers: this.#headers },
      ...(payload === undefined ? {} : { payload }),
    });
    return answer?.json();
  }

  /** A ticket's path. */
  async ticket(kind: ConsoleKind): Promise<string> {
    const { path } = await this.call('POST', `${this.vmPath}:console`, { kind });
    return path;
  }

  /** A WebSocket at the gateway. @throws WebSocketRefusedError */
  async dial(path: string): Promise<ByteChannel> {
    const url = `${this.gatewayUrl}${path}`;
    const dialer = createWebSocketDialer(systemClock);
    const user = await dialer.dial({ url, protocols: ['binary'], timeoutMs: 10_000 });
    this.#users.push(user);
    return user;
  }

  /** Has all users leave, and waits until the guests have seen it. */
  async endConsoles(): Promise<void> {
    for (const user of this.#users.splice(0)) user.close(NORMAL_END);
    await Promise.all(this.cluster.guests.map(({ channel }) => channel.ended));
  }

  /** A user's console and the guest's end of it. */
  async open(
    kind: ConsoleKind,
  ): Promise<{ readonly user: ByteChannel; readonly guest: ByteChannel }> {
    const count = this.cluster.guests.length;
    const user = await this.dial(await this.ticket(kind));
    const opened = await waitFor(
      systemClock,
      'the guest',
      10_000,
      () => this.cluster.guests[count],
    );
    return { user, guest: opened.channel };
  }

  /** Ends the api-server that has the users' sockets. */
  async closeApi(): Promise<void> {
    await this.#api?.close();
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    await this.#transport.close();
  }

  async #startApi(consoleLimits: { readonly idleMs: number; readonly totalMs: number }) {
    const jobs = new MemoryJobQueue(systemClock, silentLogger);
    let selfUrl = '';
    const api = await createApiServer({
      ...{ ...PORTS, jobs, consoleLimits, internalToken: INTERNAL_TOKEN },
      store: createApiStore(this.#database),
      secretKey: '42'.repeat(32),
      subnetCidr: '10.80.0.0/16',
      selfUrl: () => selfUrl,
    });
    await api.start();
    const server = await this.#listen(api.app);
    selfUrl = server.url;
    this.#closers.push(() => api.close());
    const gateway = createApiGateway({
      ...{ ...PORTS, transport: this.#transport, internalToken: INTERNAL_TOKEN },
      nonces: createMemoryNonceStore(systemClock),
      rateLimiter: createMemoryRateLimiter(systemClock, 1_000),
      apiServer: server.url,
    });
    return { api, gatewayUrl: (await this.#listen(gateway)).url };
  }

  async #startClusterServer(token: string, url: string): Promise<void> {
    const { url: scheduler } = await this.#listen(this.cluster.app);
    const service = createClusterServer({
      ...PORTS,
      name: 'idc-1',
      enrolmentToken: token,
      store: createClusterStore(),
      linkClient: new LinkClient({ ...PORTS, transport: this.#transport, url }),
      vmScheduler: new VmSchedulerClient(this.#transport, scheduler),
      readHosts: async () => [
        { ...HOST, agentId: 'agent-1', hostName: 'host-1', freeMemoryMiB: 8_192 },
      ],
      readImages: async () => [{ name: 'micro' }],
      markAgentGone: async () => undefined,
      onFenced: () => undefined,
      consoles: {
        dialer: createWebSocketDialer(systemClock),
        acceptor: createWebSocketAcceptor(systemClock),
        url: () => this.clusterServerUrl,
      },
    });
    this.clusterServerUrl = (await this.#listen(service.app)).url;
    service.start();
    this.#closers.push(() => service.close());
  }

  async #makeMachine(): Promise<void> {
    const request = { name: 'web', image: 'micro', count: 1, memoryMiB: 64 };
    const batch = await waitFor(systemClock, 'the cluster', 10_000, async () => {
      const answer = await this.call('POST', '/v1/batches', request);
      return answer.id === undefined ? undefined : answer;
    });
    const vm = await waitFor(systemClock, 'the machine', 10_000, async () => {
      const { items } = await this.call('GET', `/v1/vms?batchId=${batch.id}`);
      return items[0]?.state === 'running' ? items[0] : undefined;
    });
    this.vmPath = `/v1/vms/${vm.id}`;
  }

  async #listen(app: Parameters<typeof listen>[0]): Promise<ListeningServer> {
    const server = await listen(app, { ...LOOPBACK, graceMs: 200 });
    this.#closers.push(() => server.close());
    return server;
  }
}
