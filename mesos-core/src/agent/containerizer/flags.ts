import {
  booleanSetting,
  choiceSetting,
  integerSetting,
  optional,
  textSetting,
} from '@factory/runtime';
import { durationFlag, namesOf } from '../../command-line.ts';

/** The agent's flags about containers: Mesos' names. */
export const CONTAINERIZER_FLAGS = {
  runtimeDir: optional(
    textSetting({
      ...namesOf('runtime_dir'),
      describe: 'where what is known of running containers is kept; default: <work_dir>/run',
      pattern: /^\//,
      patternHint: 'an absolute path',
    }),
  ),
  launcher: optional(
    choiceSetting({
      ...namesOf('launcher'),
      describe:
        'linux follows the processes of a container by a cgroup, posix by their session; ' +
        'default: linux for root where the kernel has cgroups',
      choices: ['posix', 'linux'],
    }),
  ),
  isolation: textSetting({
    ...namesOf('isolation'),
    describe:
      'isolators, separated by commas: posix/cpu, posix/mem, disk/du, cgroups/cpu, cgroups/mem, ' +
      'cgroups/pids, cgroups/all, namespaces/pid, namespaces/ipc, namespaces/uts, namespaces/net, ' +
      'filesystem/linux, posix/rlimits, linux/capabilities, linux/nnp',
    default: 'posix/cpu,posix/mem',
  }),
  effectiveCapabilities: optional(
    textSetting({
      ...namesOf('effective_capabilities'),
      describe:
        'with linux/capabilities, what containers have that name none: {"capabilities":["NET_RAW"]}',
    }),
  ),
  boundingCapabilities: optional(
    textSetting({
      ...namesOf('bounding_capabilities'),
      describe: 'with linux/capabilities, the most that containers may have, as JSON',
    }),
  ),
  imageProviders: textSetting({
    ...namesOf('image_providers'),
    describe: 'kinds of images that containers may have, with filesystem/linux: docker',
    default: '',
  }),
  dockerStoreDir: optional(
    textSetting({
      ...namesOf('docker_store_dir'),
      describe: 'where the layers of images are kept; default: <work_dir>/store/docker',
      pattern: /^\//,
      patternHint: 'an absolute path',
    }),
  ),
  dockerRegistry: textSetting({
    ...namesOf('docker_registry'),
    describe:
      'URL of the registry for names without one, or a directory with images in it: root file ' +
      'systems (directories or tar archives), OCI layouts and archives, docker save archives',
    default: 'https://registry-1.docker.io',
  }),
  cgroupsHierarchy: optional(
    textSetting({
      ...namesOf('cgroups_hierarchy'),
      describe: 'only cgroups that are mounted below this are used; default: wherever they are',
      pattern: /^\//,
      patternHint: 'an absolute path',
    }),
  ),
  dockerConfig: optional({
    ...textSetting({
      ...namesOf('docker_config'),
      describe:
        "Docker's config.json with credentials for registries, or the path of a file that holds it",
    }),
    secret: true,
  }),
  cgroupsRoot: textSetting({
    ...namesOf('cgroups_root'),
    describe: 'name of the cgroup that those of containers are in',
    default: 'mesos',
    pattern: /^[\w-]+(\/[\w-]+)*$/,
    patternHint: 'a relative path',
  }),
  cgroupsEnableCfs: booleanSetting({
    ...namesOf('cgroups_enable_cfs'),
    describe: 'limits of cpus hold even when the machine is idle',
    default: false,
  }),
  cgroupsLimitSwap: booleanSetting({
    ...namesOf('cgroups_limit_swap'),
    describe: 'swap counts against the limit of memory',
    default: false,
  }),
  cgroupsPidsMax: optional(
    integerSetting({
      ...namesOf('cgroups_pids_max'),
      describe: 'how many processes and threads a container may have, with cgroups/pids',
      min: 1,
    }),
  ),
  enforceContainerDiskQuota: booleanSetting({
    ...namesOf('enforce_container_disk_quota'),
    describe: 'with disk/du, end containers that use more disk than is theirs',
    default: false,
  }),
  containerDiskWatchIntervalMs: durationFlag(
    'container_disk_watch_interval',
    15_000,
    'between the measurements of disk/du',
  ),
};
