import {
  createServerPool,
  createUndiciTransport,
  listen,
  readSettings,
  runService,
  StartError,
} from '@factory/runtime';
import { Redis } from 'ioredis';
import {
  createApiGateway,
  createMemoryNonceStore,
  createMemoryRateLimiter,
  createRedisNonceStore,
  createRedisRateLimiter,
} from './index.ts';
import { settingsDefinition } from './settings.ts';

const API_SERVER_CHECK = { path: '/health/ready', intervalMs: 1_000 };
const SEVERAL_WITHOUT_REDIS =
  'several gateways (FACTORY_GATEWAYS) share replay protection and request rates in Redis: set ' +
  'REDIS_URL; without it a request that was sent to one could be sent again to another';

runService({
  name: 'api-gateway',
  start: async ({ clock, logger, random }) => {
    const settings = readSettings(settingsDefinition, process.env);
    if (settings.gateways > 1 && settings.redisUrl === undefined) {
      throw new StartError(SEVERAL_WITHOUT_REDIS);
    }
    const transport = createUndiciTransport();
    const { apiServers } = settings;
    const pool = createServerPool({ clock, transport, urls: apiServers, check: API_SERVER_CHECK });
    // A request does not wait for a Redis that is away: it gets a 503.
    const redisOptions = { maxRetriesPerRequest: 1, connectTimeout: 5_000, commandTimeout: 2_000 };
    const redis =
      settings.redisUrl === undefined ? undefined : new Redis(settings.redisUrl, redisOptions);
    redis?.on('error', (error: unknown) => logger.warn({ err: error }, 'Redis is away'));
    const app = createApiGateway({
      clock,
      logger,
      random,
      transport: pool,
      place: pool.place,
      nonces:
        redis === undefined ? createMemoryNonceStore(clock) : createRedisNonceStore(redis, clock),
      rateLimiter:
        redis === undefined
          ? createMemoryRateLimiter(clock, settings.requestsPerSecond)
          : createRedisRateLimiter(redis, settings.requestsPerSecond),
      apiServer: apiServers[0] ?? '',
      internalToken: settings.internalToken,
    });
    const server = await listen(app, {
      ...{ host: settings.host, port: settings.port },
      setBy: { host: settingsDefinition.host.env, port: settingsDefinition.port.env },
    });
    logger.info({ url: server.url }, 'listening');
    return {
      close: async () => {
        await server.close();
        await pool.close();
        await transport.close();
        redis?.disconnect();
      },
    };
  },
});
