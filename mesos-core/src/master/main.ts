import { mkdir } from 'node:fs/promises';
import { listen, type RunningService, runService, type ServiceContext } from '@factory/runtime';
import { readMasterFlags } from './flags.ts';
import { createFileRegistryStore, createMaster } from './index.ts';

runService({ name: 'mesos-master', start });

async function start({ clock, random, logger }: ServiceContext): Promise<RunningService> {
  const flags = readMasterFlags(process.argv.slice(2), process.env);
  const { ip, port, hostname = ip, workDir, cluster } = flags;
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const master = await createMaster({
    ...{ clock, random, settings: flags },
    logger: logger.child({ cluster }),
    registry: createFileRegistryStore(workDir),
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
}
