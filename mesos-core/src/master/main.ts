import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  defineSettings,
  integerSetting,
  listen,
  readSettings,
  runService,
  textSetting,
} from '@factory/runtime';
import { createFileRegistryStore, createMaster } from './index.ts';

/** Mesos' own names: `--work_dir` or `MESOS_WORK_DIR`. */
const settingsDefinition = defineSettings({
  ip: textSetting({
    env: 'MESOS_IP',
    flag: 'ip',
    default: '127.0.0.1',
    describe: 'Address to listen on.',
  }),
  port: integerSetting({
    env: 'MESOS_PORT',
    flag: 'port',
    default: 5050,
    min: 0,
    max: 65535,
    describe: 'Port to listen on.',
  }),
  hostname: textSetting({
    env: 'MESOS_HOSTNAME',
    flag: 'hostname',
    default: '127.0.0.1',
    describe: 'Name under which others reach this master.',
  }),
  workDir: textSetting({
    env: 'MESOS_WORK_DIR',
    flag: 'work_dir',
    default: '/var/lib/mesos/master',
    describe: 'Folder of the registry.',
  }),
  cluster: textSetting({
    env: 'MESOS_CLUSTER',
    flag: 'cluster',
    default: 'mesos',
    describe: 'Name of the cluster, for people.',
  }),
});

runService({
  name: 'mesos-master',
  start: async ({ clock, logger, random }) => {
    const options = Object.fromEntries(
      ['ip', 'port', 'hostname', 'work_dir', 'cluster'].map((name) => [
        name,
        { type: 'string' as const },
      ]),
    );
    const { values } = parseArgs({ options });
    const settings = readSettings(settingsDefinition, process.env, values);
    await mkdir(settings.workDir, { recursive: true });
    const { hostname, ip, port } = settings;
    const master = await createMaster({
      clock,
      random,
      logger: logger.child({ cluster: settings.cluster }),
      registry: createFileRegistryStore(settings.workDir),
      address: { hostname, ip, port },
    });
    const server = await listen(master.app, { host: ip, port });
    logger.info({ url: server.url }, 'listening');
    return {
      close: async () => {
        await master.close();
        await server.close();
      },
    };
  },
});
