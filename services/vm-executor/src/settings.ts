import {
  choiceSetting,
  defineSettings,
  durationMsSetting,
  integerSetting,
  optional,
  secretSetting,
  textSetting,
} from '@factory/runtime';
import { networkSettings, runDirSetting } from './network/settings.ts';

/** A factory's name on its machines: part of names of networks and tables. */
const instance = textSetting({
  env: 'FACTORY_INSTANCE',
  flag: 'instance',
  pattern: /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/,
  patternHint: 'up to 32 lower-case letters, digits and dashes',
  describe: 'Name of the factory that this host belongs to; several may share a machine.',
});
const hostDir = textSetting({
  env: 'FACTORY_HOST_DIR',
  flag: 'host-dir',
  describe: "Folder for this host's disks, leases and console logs.",
});
const libvirtSocket = textSetting({
  env: 'FACTORY_LIBVIRT_SOCKET',
  flag: 'libvirt-socket',
  default: '/run/libvirt/libvirt-sock',
  describe: "libvirtd's Unix socket.",
});

/** The settings of the executor. The agent gives it the `MESOS_…` variables besides. */
export const executorSettings = defineSettings({
  instance,
  hostDir,
  libvirtSocket,
  imageDir: textSetting({
    env: 'FACTORY_IMAGE_DIR',
    describe: 'Folder of the images, shared by the hosts: <name>/<sha256>.qcow2 and .json.',
  }),
  volumeDir: optional(
    textSetting({
      env: 'FACTORY_VOLUME_DIR',
      describe:
        'Folder of the volumes, shared by the hosts, with the file .factory-volumes in it; without it there are none.',
    }),
  ),
  imageCacheGiB: integerSetting({
    env: 'FACTORY_IMAGE_CACHE_GIB',
    min: 1,
    max: 64 * 1024,
    default: 64,
    describe: "What the host's copies of images may take; those that no machine needs make room.",
  }),
  hypervisor: choiceSetting({
    env: 'FACTORY_HYPERVISOR',
    choices: ['libvirt', 'simulated'],
    default: 'libvirt',
    describe: 'What runs the guests; the simulated one keeps them in memory.',
  }),
  secretKey: optional(
    secretSetting({
      env: 'FACTORY_CLUSTER_SECRET_KEY',
      describe:
        "The vm-scheduler's: opens administrators' passwords of Windows machines, for their seeds.",
    }),
  ),
  windowsDrivers: optional(
    textSetting({
      env: 'FACTORY_WINDOWS_DRIVERS',
      describe:
        'File of a CD with drivers (virtio-win.iso) that Windows machines with virtio devices get.',
    }),
  ),
  virtualisation: choiceSetting({
    env: 'FACTORY_VIRTUALISATION',
    choices: ['auto', 'kvm', 'tcg'],
    default: 'auto',
    describe: 'Whether guests run on KVM or are emulated; auto tries KVM with a guest.',
  }),
  powerOnsMax: optional(
    integerSetting({
      env: 'FACTORY_POWER_ONS_MAX',
      min: 1,
      max: 256,
      describe: 'Guests powered on at a time; by default as many as cores, at least 4.',
    }),
  ),
  metricsIntervalMs: durationMsSetting({
    env: 'FACTORY_METRICS_INTERVAL',
    default: 15_000,
    min: 1_000,
    max: 60_000,
    describe: 'How often it is looked at what machines use, with one call for all of a host.',
  }),
  stopGraceMs: durationMsSetting({
    env: 'FACTORY_STOP_GRACE',
    default: 20_000,
    max: 100_000,
    describe: 'How long a guest may take to power off before it is forced.',
  }),
  faultAt: optional(
    textSetting({
      env: 'FACTORY_FAULT_AT',
      pattern: /^[A-Za-z]+\/[A-Za-z]+\/(before|after)$/,
      patternHint: '<procedure>/<step>/before or <procedure>/<step>/after',
      describe: 'For tests: the executor kills itself at this point of a procedure.',
    }),
  ),
  ...networkSettings,
  idleExitMs: durationMsSetting({
    env: 'FACTORY_EXECUTOR_IDLE_EXIT',
    default: 15 * 60_000,
    describe: 'After this long without a machine the executor ends.',
  }),
});

/** The settings of the stand-down. */
export const standDownSettings = defineSettings({
  instance,
  libvirtSocket,
  runDir: runDirSetting,
  hostDir: optional(hostDir),
  graceMs: durationMsSetting({
    env: 'FACTORY_DOWN_GRACE',
    flag: 'grace',
    default: 8_000,
    max: 600_000,
    describe: 'How long guests may take to power off before they are forced.',
  }),
});
