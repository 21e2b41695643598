import { clusterMigrations } from '@factory/migrations';
import {
  createUndiciTransport,
  listen,
  readSettings,
  runService,
  SecretBox,
} from '@factory/runtime';
import { migrate, openKnex } from '@factory/runtime/postgres';
import { openMasters, readClientTls } from 'mesos-core/client';
import {
  createFrameworkFinder,
  createMesosFramework,
  createPostgresStore,
  createSealedStore,
  createVmScheduler,
} from './index.ts';
import { settingsDefinition } from './settings.ts';

runService({
  name: 'vm-scheduler',
  start: async ({ clock, logger, random }) => {
    const settings = readSettings(settingsDefinition, process.env);
    const tls = readClientTls(process.env);
    const masters = openMasters(settings.masters, {
      ...{ clock, random, logger, setting: settingsDefinition.masters.env },
      scheme: tls === undefined ? 'http' : 'https',
    });
    const { secretKey } = settings;
    const secrets = new SecretBox(secretKey, random, settingsDefinition.secretKey.env);
    const knex = openKnex(settings.databaseUrl);
    await migrate(knex, clusterMigrations);
    const transport = createUndiciTransport({ tls });
    const framework = createMesosFramework({
      clock,
      random,
      logger,
      transport,
      masters: masters.detector ?? masters.list,
      role: settings.role,
      principal: settings.principal,
      findLeft: createFrameworkFinder({
        ...{ clock, random, transport, masters: masters.candidates },
        ...{ role: settings.role, principal: settings.principal },
      }),
      onFenced: (error) => {
        logger.error({ err: error }, 'this scheduler must end');
        process.exit(1);
      },
    });
    const service = createVmScheduler({
      clock,
      logger,
      random,
      framework,
      store: createSealedStore(createPostgresStore(knex), secrets),
      role: settings.role,
      executorCommand: settings.executorCommand,
      pullsMax: settings.pullsMax,
      secrets,
    });
    await service.start();
    const server = await listen(service.app, {
      ...{ host: settings.host, port: settings.port },
      setBy: { host: settingsDefinition.host.env, port: settingsDefinition.port.env },
    });
    logger.info({ url: server.url }, 'listening');
    return {
      close: async () => {
        await service.close();
        await masters.close();
        await server.close();
        await transport.close();
        await knex.destroy();
      },
    };
  },
});
