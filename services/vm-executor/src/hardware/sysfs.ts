import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hasErrorCode } from '@factory/runtime';
import { parseCpuList } from './cpu-list.ts';
import type { HardwareReader, HostCpu, HostNode, IommuGroup } from './port.ts';

const PAGE_FOLDERS = { '2M': 'hugepages-2048kB', '1G': 'hugepages-1048576kB' } as const;
/** Class of bridges: they stay with the host, and carry nothing of a guest's. */
const BRIDGE = /^0x06/;

/**
 * Reads a host as Linux shows it
 * (https://docs.kernel.org/admin-guide/abi-testing.html, sysfs-devices-node, sysfs-bus-pci).
 */
export function createSysfsReader(root = '/sys'): HardwareReader {
  const cpuRoot = join(root, 'devices/system/cpu');
  const nodeRoot = join(root, 'devices/system/node');
  const pciRoot = join(root, 'bus/pci/devices');

  async function cpuOf(cpu: number): Promise<HostCpu> {
    const folder = join(cpuRoot, `cpu${cpu}`, 'topology');
    const id = await textOf(join(folder, 'core_id'));
    const socket = await textOf(join(folder, 'physical_package_id'));
    return { cpu, core: id === undefined ? `cpu ${cpu}` : `${socket}/${id}` };
  }

  async function nodeOf(name: string, online: ReadonlySet<number>): Promise<HostNode> {
    const folder = join(nodeRoot, name);
    const cpus = parseCpuList((await textOf(join(folder, 'cpulist'))) ?? '');
    const pages = async (size: keyof typeof PAGE_FOLDERS) => {
      const pool = join(folder, 'hugepages', PAGE_FOLDERS[size]);
      const total = Number((await textOf(join(pool, 'nr_hugepages'))) ?? 0);
      return { total, free: Number((await textOf(join(pool, 'free_hugepages'))) ?? 0) };
    };
    return {
      node: Number(name.slice('node'.length)),
      cpus: await Promise.all(cpus.filter((cpu) => online.has(cpu)).map(cpuOf)),
      hugepages: { '2M': await pages('2M'), '1G': await pages('1G') },
    };
  }

  async function groupOf(address: string): Promise<IommuGroup | undefined> {
    const folder = join(pciRoot, address, 'iommu_group');
    const target = await orUndefined(readlink(folder));
    if (target === undefined) return undefined;
    const addresses = (await orUndefined(readdir(join(folder, 'devices')))) ?? [];
    const devices = await Promise.all(
      addresses.toSorted().map(async (each) => {
        const kind = (await textOf(join(pciRoot, each, 'class'))) ?? '';
        const driver = await orUndefined(readlink(join(pciRoot, each, 'driver')));
        const found = { address: each, driver: driver && basename(driver) };
        return BRIDGE.test(kind) ? [] : [found];
      }),
    );
    return { id: basename(target), devices: devices.flat() };
  }

  return {
    async nodes() {
      const online = new Set(parseCpuList((await textOf(join(cpuRoot, 'online'))) ?? ''));
      const names = (await orUndefined(readdir(nodeRoot))) ?? [];
      const nodes = names.filter((name) => /^node\d+$/.test(name));
      if (nodes.length > 0) return Promise.all(nodes.map((name) => nodeOf(name, online)));
      // A kernel without NUMA.
      const none = { total: 0, free: 0 };
      const cpus = await Promise.all([...online].map(cpuOf));
      return [{ node: 0, cpus, hugepages: { '2M': none, '1G': none } }];
    },
    async pciDevice(address) {
      const kind = await textOf(join(pciRoot, address, 'class'));
      if (kind === undefined) return undefined;
      const node = Number((await textOf(join(pciRoot, address, 'numa_node'))) ?? -1);
      return { address, node: node < 0 ? undefined : node, group: await groupOf(address) };
    },
  };
}

/** Trimmed; undefined when there is no such file. */
function textOf(path: string): Promise<string | undefined> {
  return orUndefined(readFile(path, 'utf8').then((text) => text.trim()));
}

async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
