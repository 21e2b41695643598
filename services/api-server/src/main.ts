import { join } from 'node:path';
import { apiMigrations } from '@factory/migrations';
import {
  type Clock,
  createStorageHelper,
  createUndiciTransport,
  isPublicAddress,
  type Logger,
  listen,
  readSettings,
  runService,
} from '@factory/runtime';
import { migrate, openKnex, startEmbeddedPostgres } from '@factory/runtime/postgres';
import {
  createApiServer,
  createDownloads,
  createImageFiles,
  createPostgresJobQueue,
  createPostgresStore,
  createRedisJobQueue,
} from './index.ts';
import { settingsDefinition } from './settings.ts';

const GIB = 1024 ** 3;

runService({
  name: 'api-server',
  start: async ({ clock, random, logger }) => {
    const settings = readSettings(settingsDefinition, process.env);
    const embedded =
      settings.databaseUrl === undefined
        ? await startOwnPostgres(settings.dataDirectory, clock, logger)
        : undefined;
    const url = settings.databaseUrl ?? embedded?.url ?? '';
    await applyMigrations(url, logger);
    const store = createPostgresStore({ url, clock, random, logger });
    const jobs =
      settings.redisUrl === undefined
        ? createPostgresJobQueue(url, { clock, logger })
        : createRedisJobQueue(settings.redisUrl, { clock, logger });
    const helper = createStorageHelper({ clock, logger });
    const imageFolder = settings.imageDirectory ?? join(settings.dataDirectory, 'images');
    const files = createImageFiles(imageFolder, helper);
    const sizeBytesMax = settings.imageGiBMax * GIB;
    const outside = createUndiciTransport({
      allowsAddress: settings.imagesFromInside ? undefined : isPublicAddress,
    });
    // Receivers' answers are not read, and their addresses are looked at for each connection.
    const receivers = createUndiciTransport({
      allowsAddress: settings.webhooksToInside ? undefined : isPublicAddress,
    });
    const downloads = createDownloads({ clock, transport: outside, files, sizeBytesMax });
    const images = { files, downloads, sizeBytesMax };
    const { internalToken, secretKey, subnetCidr } = settings;
    const keys = { internalToken, secretKey, subnetCidr };
    let ownUrl = '';
    const api = await createApiServer({
      ...{ clock, random, logger, store, jobs, images, outside: receivers, ...keys },
      access: {
        sessions: { idleMs: settings.sessionIdleMs, totalMs: settings.sessionTotalMs },
        isCookieSecure: settings.cookieSecure,
      },
      selfUrl: () => settings.selfUrl ?? ownUrl,
      consoleLimits: { idleMs: settings.consoleIdleMs, totalMs: settings.consoleTotalMs },
    });
    await api.start();
    const server = await listen(api.app, {
      ...{ host: settings.host, port: settings.port },
      setBy: { host: settingsDefinition.host.env, port: settingsDefinition.port.env },
    });
    ownUrl = server.url;
    logger.info({ url: server.url }, 'listening');
    return {
      close: async () => {
        await api.close();
        await server.close();
        await jobs.close();
        await store.close();
        helper.close();
        await Promise.all([outside.close(), receivers.close()]);
        await embedded?.stop();
      },
    };
  },
});

async function startOwnPostgres(dataDirectory: string, clock: Clock, logger: Logger) {
  const directory = join(dataDirectory, 'postgres');
  const server = await startEmbeddedPostgres({ dataDirectory: directory, clock, logger });
  await server.ensureDatabase('factory');
  return { url: server.url('factory'), stop: () => server.stop() };
}

async function applyMigrations(url: string, logger: Logger): Promise<void> {
  const knex = openKnex(url, { poolMax: 2 });
  try {
    const applied = await migrate(knex, apiMigrations);
    if (applied.length > 0) logger.info({ applied }, 'applied migrations');
  } finally {
    await knex.destroy();
  }
}
