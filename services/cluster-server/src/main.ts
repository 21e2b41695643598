import { clusterMigrations } from '@factory/migrations';
import {
  createServerPool,
  createStorageHelper,
  createUndiciTransport,
  createWebSocketAcceptor,
  createWebSocketDialer,
  listen,
  readSettings,
  runService,
} from '@factory/runtime';
import { migrate, openKnex } from '@factory/runtime/postgres';
import { openMasters, readClientTls } from 'mesos-core/client';
import { readAttributes } from './attributes.ts';
import { measureStorage } from './conformance/storage.ts';
import { imageHere } from './images/reader.ts';
import { createImageShelf } from './images/shelf.ts';
import {
  createClusterServer,
  createGoneMarker,
  createHostReader,
  createPostgresStore,
  LinkClient,
  VmSchedulerClient,
} from './index.ts';
import { settingsDefinition } from './settings.ts';
import { createVolumeKeeper } from './volume-keeper.ts';

const DAY_MS = 24 * 3_600_000;

runService({
  name: 'cluster-server',
  start: async ({ clock, logger, random }) => {
    const settings = readSettings(settingsDefinition, process.env);
    const tls = readClientTls(process.env);
    const masters = openMasters(settings.masters, {
      ...{ clock, random, logger, setting: settingsDefinition.masters.env },
      scheme: tls === undefined ? 'http' : 'https',
    });
    const knex = openKnex(settings.databaseUrl);
    await migrate(knex, clusterMigrations);
    const transport = createUndiciTransport();
    const gateways = createServerPool({ clock, transport, urls: settings.apiUrls, repeats: false });
    const helper = createStorageHelper({ clock, logger });
    // Helpers of their own: to measure volumes takes long, and may hang where images don't.
    const volumeHelper = createStorageHelper({ clock, logger });
    const { volumeDirectory: folder } = settings;
    const volumes =
      folder === undefined
        ? undefined
        : createVolumeKeeper({ clock, logger, helper: volumeHelper, folder });
    const mesosTransport = createUndiciTransport({ tls });
    let ownUrl = '';
    const imageShelf = createImageShelf(settings.imageDirectory, helper);
    const service = createClusterServer({
      clock,
      random,
      logger,
      name: settings.name,
      enrolmentToken: settings.enrolmentToken,
      store: createPostgresStore(knex),
      linkClient: new LinkClient({
        ...{ clock, random, transport: gateways, place: gateways.place },
        url: settings.apiUrls[0] ?? '',
        words: { region: settings.region, attributes: readAttributes(settings.attributes) },
      }),
      vmScheduler: new VmSchedulerClient(transport, settings.vmScheduler),
      readHosts: createHostReader({
        ...{ transport: mesosTransport, clock, masters: masters.candidates },
      }),
      readImages: async () => (await imageShelf.all()).map(imageHere),
      imageShelf,
      volumes,
      markAgentGone: createGoneMarker({
        ...{ transport: mesosTransport, clock, masters: masters.candidates },
      }),
      onFenced: () => process.exit(1),
      metricsIntervalMs: settings.metricsIntervalMs,
      keyMaxAgeMs: settings.keyDays * DAY_MS,
      conformance: {
        measureStorage: () =>
          measureStorage({ clock, random, helper, folder: settings.imageDirectory }),
      },
      consoles: {
        dialer: createWebSocketDialer(clock),
        acceptor: createWebSocketAcceptor(clock),
        url: () => settings.relayUrl ?? ownUrl,
      },
    });
    const server = await listen(service.app, {
      ...{ host: settings.host, port: settings.port },
      setBy: { host: settingsDefinition.host.env, port: settingsDefinition.port.env },
    });
    ownUrl = server.url;
    service.start();
    logger.info({ url: server.url }, 'listening');
    return {
      close: async () => {
        await service.close();
        volumes?.close();
        helper.close();
        volumeHelper.close();
        await masters.close();
        await server.close();
        await transport.close();
        await mesosTransport.close();
        await knex.destroy();
      },
    };
  },
});
