import { createUndiciTransport, listen, readSettings, runService } from '@factory/runtime';
import { Redis } from 'ioredis';
import {
  createApiGateway,
  createMemoryNonceStore,
  createMemoryRateLimiter,
  createRedisNonceStore,
  createRedisRateLimiter,
} from './index.ts';
import { settingsDefinition } from './settings.ts';

runService({
  name: 'api-gateway',
  start: async ({ clock, logger, random }) => {
    const settings = readSettings(settingsDefinition, process.env);
    const transport = createUndiciTransport();
    // A request does not wait for a Redis that is away: it gets a 503.
    const redisOptions = { maxRetriesPerRequest: 1, connectTimeout: 5_000, commandTimeout: 2_000 };
    const redis =
      settings.redisUrl === undefined ? undefined : new Redis(settings.redisUrl, redisOptions);
    redis?.on('error', (error: unknown) => logger.warn({ err: error }, 'Redis is away'));
    const app = createApiGateway({
      clock,
      logger,
      random,
      transport,
      nonces: redis === undefined ? createMemoryNonceStore(clock) : createRedisNonceStore(redis),
      rateLimiter:
        redis === undefined
          ? createMemoryRateLimiter(clock, settings.requestsPerSecond)
          : createRedisRateLimiter(redis, settings.requestsPerSecond),
      apiServer: settings.apiServer,
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
        await transport.close();
        redis?.disconnect();
      },
    };
  },
});
