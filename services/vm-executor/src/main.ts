import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  createStorageHelper,
  createUndiciTransport,
  createWebSocketDialer,
  goBeforeOthers,
  identifyProcess,
  type Random,
  readSettings,
  runService,
  SecretBox,
  type ServiceContext,
  type SettingsOf,
  withProcessLock,
  writeFileAtomic,
} from '@factory/runtime';
import { readExecutorEnvironment } from 'mesos-core/client';
import { Consoles } from './console/consoles.ts';
import type { ConsolePort } from './console/port.ts';
import { createVmExecutor } from './executor.ts';
import type { VmExecutorOptions } from './executor-options.ts';
import { createGrantFiles } from './hardware/grant-files.ts';
import { createHostHardware } from './hardware/host-hardware.ts';
import type { HostHardware } from './hardware/port.ts';
import { createSysfsReader } from './hardware/sysfs.ts';
import { allowFolderWrites } from './host/folder-writes.ts';
import type { Hypervisor } from './hypervisor/port.ts';
import { createImageFolder } from './images/image-folder.ts';
import { createImagePublisher, type ImagePublisher } from './images/publisher.ts';
import { createPullTickets } from './images/pull-tickets.ts';
import { createMesosLink } from './mesos-link.ts';
import type { StatsPort } from './metrics/port.ts';
import type { HostNetworkPort } from './network/port.ts';
import { executorSettings } from './settings.ts';
import { removeCutOffWritesOn } from './storage/cut-off-writes.ts';
import type { VmStorage } from './storage/port.ts';
import { killingAt } from './vm/fault-at.ts';
import { createHeldLeases } from './volumes/held-leases.ts';
import type { VolumePort } from './volumes/port.ts';
import { createSharedVolumes } from './volumes/shared-volumes.ts';

type Settings = SettingsOf<typeof executorSettings>;
interface World {
  readonly hypervisor: Hypervisor;
  readonly hardware: HostHardware;
  readonly storage: VmStorage;
  readonly images: ImagePublisher;
  readonly network: HostNetworkPort;
  readonly consolePort: ConsolePort;
  readonly statsPort: StatsPort;
  readonly volumes?: VolumePort;
  readonly hostImages: NonNullable<VmExecutorOptions['hostImages']>;
}

/** An executor before this one on the same host has this long to end. */
const TAKE_OVER_TIMEOUT_MS = 60_000;
const GIB = 1024 ** 3;
/** Of an image made here; a disk may be as large. */
const IMAGE_BYTES_MAX = 64 * 1024 * GIB;
const PRESS_AGAIN_MS = 2_000;
const ORPHAN_SEARCH_MS = 120_000;
/** Measured with 20 emulated guests on 2 cores: all run after 10 s with 4 at a time, 18 s with 2. */
const POWER_ONS_MIN = 4;

runService({
  name: 'vm-executor',
  start: async (context) => {
    const settings = readSettings(executorSettings, process.env);
    const { clock, random, logger } = context;
    const environment = readExecutorEnvironment(process.env);
    // Guests that boot take all cores; those that are still to be made must not wait for them.
    goBeforeOthers();
    await mkdir(settings.hostDir, { recursive: true, mode: 0o711 });
    // First: what the one before has half done is nobody else's until it has ended.
    const unlock = await lockHost(context, settings.hostDir);
    const { consolePort, statsPort, ...world } =
      settings.hypervisor === 'simulated'
        ? await simulatedWorld(context, settings)
        : await libvirtWorld(context, settings, environment.agentUrl);
    const transport = createUndiciTransport();
    const executor = createVmExecutor({
      clock,
      random,
      logger,
      link: createMesosLink({ clock, random, logger, transport, environment }),
      ...world,
      windowsDriversPath: settings.windowsDrivers,
      secrets: settings.secretKey === undefined ? undefined : boxOf(settings.secretKey, random),
      stats: { port: statsPort, intervalMs: settings.metricsIntervalMs },
      consoles: new Consoles({
        ...{ clock, logger, port: consolePort },
        dialer: createWebSocketDialer(clock),
      }),
      faults: killingAt(settings.faultAt, () => process.kill(process.pid, 'SIGKILL')),
      settings: {
        powerOnsMax: settings.powerOnsMax ?? Math.max(POWER_ONS_MIN, availableParallelism()),
        powerOff: { graceMs: settings.stopGraceMs, pressAgainMs: PRESS_AGAIN_MS },
        idleExitMs: settings.idleExitMs,
        orphanSearchMs: ORPHAN_SEARCH_MS,
      },
    });
    await executor.start();
    executor.ended.then((why) => {
      logger.info({ why }, 'nothing more to do');
      // The same way out as for everybody who ends this process.
      process.kill(process.pid, 'SIGTERM');
    });
    return {
      async close() {
        await executor.close();
        await transport.close();
        unlock();
      },
    };
  },
});

function boxOf(key: string, random: Random): SecretBox {
  return new SecretBox(key, random, executorSettings.secretKey.env);
}

/** One executor at a time works on a host's VMs; it says who it is in `executor.json`. */
async function lockHost({ clock }: ServiceContext, hostDir: string): Promise<() => void> {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const lock = { name: `vm-executor ${hostDir}`, clock, timeoutMs: TAKE_OVER_TIMEOUT_MS };
  withProcessLock(lock, () => {
    held.resolve();
    return released.promise;
  }).catch(held.reject);
  await held.promise;
  await removeCutOffWritesOn(hostDir);
  const identity = await identifyProcess(process.pid);
  await writeFileAtomic(join(hostDir, 'executor.json'), JSON.stringify(identity));
  return released.resolve;
}

/** Real guests. Imported only here: the simulated world needs neither libvirt nor root. */
async function libvirtWorld(
  context: ServiceContext,
  settings: Settings,
  agentUrl: string,
): Promise<World> {
  const { clock, random, logger } = context;
  const { instance, hostDir, imageDir, libvirtSocket: socketPath } = settings;
  const [
    libvirt,
    { createNetworkOfThisHost },
    { createFileStorage },
    { prepareHost },
    disks,
    cache,
    { createLibvirtConsoles },
    { createLibvirtStats },
  ] = await Promise.all([
    import('./hypervisor/libvirt.ts'),
    import('./network/this-host.ts'),
    import('./storage/files.ts'),
    import('./prepare-host.ts'),
    import('./host/qemu-img.ts'),
    import('./images/image-cache.ts'),
    import('./console/libvirt-consoles.ts'),
    import('./metrics/libvirt-stats.ts'),
  ]);
  const { createLibvirtHypervisor } = libvirt;
  const helper = createStorageHelper({ clock, logger });
  const tickets = createPullTickets({ clock, logger });
  const images = cache.createImageCache({
    tickets,
    ...{ clock, logger, hostDir },
    images: createImageFolder(imageDir, helper),
    sizeBytesMax: settings.imageCacheGiB * GIB,
  });
  await images.prepare();
  const domainType = prepareHost({ ...context, ...settings, images });
  // Whoever defines a domain gets the error; until then nobody waits for it.
  domainType.catch(() => undefined);
  return {
    consolePort: createLibvirtConsoles({ clock, logger, socketPath }),
    statsPort: createLibvirtStats({ clock, logger, socketPath }),
    hostImages: { cache: images, tickets },
    storage: createFileStorage({ hostDir, images, logger, tools: disks.qemuDiskTools }),
    images: createImagePublisher({
      clock,
      helper,
      folder: imageDir,
      sizeBytesMax: IMAGE_BYTES_MAX,
    }),
    ...sharedVolumes(context, settings),
    hardware: createHostHardware({
      reader: createSysfsReader(),
      grants: createGrantFiles(hostDir),
    }),
    hypervisor: createLibvirtHypervisor({
      clock,
      random,
      logger,
      instance,
      socketPath,
      domainType: () => domainType,
    }),
    network: await createNetworkOfThisHost({ clock, instance, settings, agentUrl }),
  };
}

/** Helpers of their own: volumes that hang leave images alone, and the other way round. */
function sharedVolumes({ clock, logger }: ServiceContext, settings: Settings): Partial<World> {
  const { volumeDir: folder, hostDir } = settings;
  if (folder === undefined) return {};
  const helper = createStorageHelper({ clock, logger });
  return {
    volumes: createSharedVolumes({
      ...{ folder, clock, helper, allowFolderWrites },
      held: createHeldLeases(hostDir),
    }),
  };
}

/** Guests in this process's memory: they end with it. */
async function simulatedWorld(context: ServiceContext, settings: Settings): Promise<World> {
  const { clock, random, logger } = context;
  const [
    { SimulatedHost },
    { createSimulatedHypervisor },
    { createMemoryStorage },
    { createSimulatedVolumes },
    { createSimulatedConsoles },
    { createSimulatedStats },
    { createMemoryPublisher },
  ] = await Promise.all([
    import('./hypervisor/simulated-host.ts'),
    import('./hypervisor/simulated.ts'),
    import('./storage/memory.ts'),
    import('./volumes/simulated.ts'),
    import('./console/simulated-consoles.ts'),
    import('./metrics/simulated-stats.ts'),
    import('./images/publisher-memory.ts'),
  ]);
  const helper = createStorageHelper({ clock, logger });
  const manifests = await createImageFolder(settings.imageDir, helper).newestOfAll();
  helper.close();
  const images = manifests.map(({ readyMarker, ...facts }) => ({ ...facts, readyMarker }));
  const host = new SimulatedHost({ clock, random, images });
  const present = manifests.map(({ name, version }) => ({ name, version, percent: 100 }));
  const cache = { presence: () => present, stage: async () => undefined };
  return {
    hostImages: { cache, tickets: createPullTickets({ clock, logger }) },
    hypervisor: createSimulatedHypervisor(host),
    storage: createMemoryStorage(host),
    images: createMemoryPublisher(host),
    network: host.network,
    volumes: createSimulatedVolumes(host.sharedStorage, clock),
    hardware: createHostHardware({ reader: host.hardware, grants: host.hardware }),
    consolePort: createSimulatedConsoles(host),
    statsPort: createSimulatedStats(host),
  };
}
