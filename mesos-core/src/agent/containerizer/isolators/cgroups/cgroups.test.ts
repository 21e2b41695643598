import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseResources } from '../../../../protocol/index.ts';
import { entitlementOf, formatBytes } from '../entitlement.ts';
import { createCgroupsIsolator } from './cgroups-isolator.ts';
import { type CgroupVersion, controlsFor, type Subsystem } from './controls.ts';
import { cgroupMounts, mountsBelow } from './hierarchy.ts';

const ALL: ReadonlySet<Subsystem> = new Set(['cpu', 'cpuacct', 'memory', 'pids']);
const SETTINGS = { enableCfs: true, limitSwap: false, pidsMax: 64 };
const MIB = 1024 * 1024;

function controls(
  version: CgroupVersion,
  text: string,
  limits: Readonly<Record<string, number>> = {},
  settings = SETTINGS,
) {
  const entitlement = entitlementOf({ resources: parseResources(text), limits });
  const all = controlsFor(version, ALL, entitlement, settings);
  return Object.fromEntries(all.map(({ file, value }) => [file, value]));
}

describe('control files', () => {
  it('are those of version 1, with the numbers of Mesos', () => {
    expect(controls(1, 'cpus:1.5;mem:128')).toEqual({
      'cpu.shares': '1536',
      'cpu.cfs_period_us': '100000',
      'cpu.cfs_quota_us': '150000',
      'memory.soft_limit_in_bytes': String(128 * MIB),
      'memory.limit_in_bytes': String(128 * MIB),
      'pids.max': '64',
    });
  });

  it('are those of version 2', () => {
    expect(controls(2, 'cpus:1.5;mem:128')).toEqual({
      'cpu.weight': '59',
      'cpu.max': '150000 100000',
      'memory.low': String(128 * MIB),
      'memory.max': String(128 * MIB),
      'pids.max': '64',
    });
  });

  it('let others come first where CPUs are only lent', () => {
    const cpus = parseResources('cpus:2').map((each) => ({ ...each, revocable: {} }));
    const entitlement = entitlementOf({ resources: cpus });
    const all = controlsFor(1, new Set(['cpu']), entitlement, SETTINGS);
    expect(all[0]).toEqual({ subsystem: 'cpu', file: 'cpu.shares', value: '20' });
  });

  it('have limits above the request, and none where the limit is infinite', () => {
    expect(controls(1, 'cpus:1;mem:64', { cpus: 2, mem: 256 })).toMatchObject({
      'cpu.shares': '1024',
      'cpu.cfs_quota_us': '200000',
      'memory.soft_limit_in_bytes': String(64 * MIB),
      'memory.limit_in_bytes': String(256 * MIB),
    });
    const infinite = { cpus: Infinity, mem: Infinity };
    expect(controls(1, 'cpus:1;mem:64', infinite)).toMatchObject({
      'cpu.cfs_quota_us': '-1',
      'memory.limit_in_bytes': '-1',
    });
    expect(controls(2, 'cpus:1;mem:64', infinite)).toMatchObject({
      'cpu.max': 'max 100000',
      'memory.max': 'max',
    });
  });

  it('never go below what the kernel and Mesos ask for', () => {
    expect(controls(1, 'cpus:0.001;mem:1')).toMatchObject({
      'cpu.shares': '2',
      'cpu.cfs_quota_us': '1000',
      'memory.limit_in_bytes': String(32 * MIB),
    });
  });

  it('leave idle CPUs to everyone without CFS', () => {
    expect(controls(1, 'cpus:1', {}, { ...SETTINGS, enableCfs: false })).not.toHaveProperty(
      'cpu.cfs_quota_us',
    );
  });
});

describe('the cgroups of a machine', () => {
  const unified = 'cgroup2 /sys/fs/cgroup cgroup2 rw,relatime 0 0';

  it('are of version 2 on a host of today', () => {
    const mounts = cgroupMounts(unified, 'cpuset cpu io memory hugetlb pids\n');
    expect(mounts?.version).toBe(2);
    expect(mounts?.roots.memory).toBe('/sys/fs/cgroup');
  });

  it('are only those below --cgroups_hierarchy', () => {
    const text = `${unified}\ncgroup2 /mnt/cgroup cgroup2 rw 0 0\nproc /mnt2 proc rw 0 0`;
    expect(mountsBelow(text, '/mnt')).toBe('cgroup2 /mnt/cgroup cgroup2 rw 0 0');
    expect(mountsBelow(text, '/')).toBe(text);
  });

  it('are of version 1 where both are mounted', () => {
    const text = [
      'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0',
      'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0',
      'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
    ].join('\n');
    expect(cgroupMounts(text, '')).toEqual({
      version: 1,
      roots: {
        cpu: '/sys/fs/cgroup/cpu,cpuacct',
        cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
        memory: '/sys/fs/cgroup/memory',
      },
    });
  });

  it('are none where nothing is mounted', () => {
    expect(cgroupMounts('tmpfs /tmp tmpfs rw 0 0', '')).toBeUndefined();
  });
});

describe('the cgroups isolator on a tree of version 2', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cgroup2-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const container = {
    ...{ key: 'c', containerId: 'c', frameworkId: 'f', executorId: 'e', directory: '/work' },
    ...{ user: undefined, resources: parseResources('cpus:1;mem:64') },
  };

  function isolator() {
    const roots = Object.fromEntries([...ALL].map((name) => [name, root]));
    return createCgroupsIsolator({
      ...{ clock: new VirtualClock(), logger: silentLogger, root: 'mesos' },
      mounts: { version: 2, roots },
      ...{ subsystems: ALL, settings: SETTINGS },
    });
  }

  it('hands the controllers down, writes the limits, and moves the process', async () => {
    const cgroups = isolator();
    await cgroups.prepare?.(container);
    await cgroups.isolate?.(container, 4711);
    const read = (file: string) => readFile(join(root, 'mesos', file), 'utf8');
    // A plain file keeps the last of the writes; the kernel takes each.
    expect(await read('cgroup.subtree_control')).toBe('+pids');
    expect(await read('c/memory.max')).toBe(String(64 * MIB));
    expect(await read('c/cgroup.procs')).toBe('4711\n');
    await cgroups.update?.({ ...container, limits: { mem: 128 } });
    expect(await read('c/memory.max')).toBe(String(128 * MIB));
  });

  it('tells an OOM kill in the words of Mesos, with the memory that was used', async () => {
    const cgroups = isolator();
    await mkdir(join(root, 'mesos', 'c'), { recursive: true });
    const write = (file: string, text: string) => writeFile(join(root, 'mesos', 'c', file), text);
    await write('memory.events', 'low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n');
    expect(await cgroups.explain?.(container)).toBeUndefined();
    await write('memory.events', 'low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\n');
    await write('memory.peak', `${64 * MIB}\n`);
    await write('memory.stat', 'anon 1000\nfile 24\n');
    expect(await cgroups.explain?.(container)).toEqual({
      reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
      message:
        'Memory limit exceeded: Requested: 64MB Maximum Used: 64MB\n' +
        '\nMEMORY STATISTICS: \nanon 1000\nfile 24\n',
      resources: [{ name: 'mem', type: 'SCALAR', scalar: { value: 64 } }],
    });
  });

  it('measures CPU time and memory', async () => {
    const cgroups = isolator();
    await mkdir(join(root, 'mesos', 'c'), { recursive: true });
    const write = (file: string, text: string) => writeFile(join(root, 'mesos', 'c', file), text);
    await write('cpu.stat', 'usage_usec 3\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 4\n');
    await write('memory.stat', 'anon 1000\nfile 24\n');
    await write('memory.current', '1024\n');
    expect(await cgroups.usage?.(container, 1)).toMatchObject({
      cpus_user_time_secs: 2,
      cpus_system_time_secs: 0.5,
      cpus_nr_periods: 4,
      cpus_limit: 1,
      mem_total_bytes: 1024,
      mem_rss_bytes: 1000,
      mem_limit_bytes: 64 * MIB,
    });
  });
});

describe('a number of bytes', () => {
  it('is in the greatest unit that fits', () => {
    expect([0, 1023, 1024, 33_554_432, 33_558_528].map(formatBytes)).toEqual([
      ...['0B', '1023B', '1KB', '32MB', '32772KB'],
    ]);
  });
});
