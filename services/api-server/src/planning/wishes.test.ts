import type { HostCapacity } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { describeScarce, describeUnmet, hostsAsRequired } from './wishes.ts';

const shape = { vcpus: 4, memoryMiB: 4_096 };

function host(
  resources: Readonly<Record<string, readonly [free: number, total: number]>> | undefined,
  gpuModel?: string,
): HostCapacity {
  return {
    ...{ agentId: 'a', hostName: 'a', active: true, totalVcpus: 8, freeVcpus: 8 },
    ...{ totalMemoryMiB: 65_536, freeMemoryMiB: 65_536 },
    attributes: gpuModel === undefined ? [] : [{ name: 'gpu_model', type: 'text', text: gpuModel }],
    ...(resources === undefined
      ? {}
      : {
          resources: Object.fromEntries(
            Object.entries(resources).map(([name, [free, total]]) => [name, { free, total }]),
          ),
        }),
  };
}

describe('hardware that only few hosts have', () => {
  const inPages = { hardware: { cpu: { hugepages: '1G' } } } as const;

  it('is named when no host has it, or not as much', () => {
    expect(describeScarce(inPages, shape, [host({}), host({})])).toBe(
      ', no host has 1 GiB huge pages',
    );
    const few = [host({ hugepages_1g: [2, 2] }), host({})];
    expect(describeScarce(inPages, shape, few)).toBe(', no host has 4 1 GiB huge pages');
    const pinned = { hardware: { cpu: { pinned: true } } };
    expect(describeScarce(pinned, shape, [host({})])).toBe(', no host has CPUs to pin');
  });

  it('is counted when it is in use, and not mentioned where there is enough', () => {
    const gpus = { hardware: { gpus: 2 } };
    const hosts = [host({ gpus: [1, 2] }), host({ gpus: [2, 2] })];
    expect(describeScarce(gpus, shape, hosts)).toBe(', 1 host has too few graphics cards free');
    expect(describeScarce(gpus, shape, hosts.slice(1))).toBe('');
    expect(describeScarce({}, shape, hosts)).toBe('');
  });

  it('may be on hosts that do not tell what they have', () => {
    expect(describeScarce(inPages, shape, [host(undefined), host({})])).toBe('');
  });

  it('of a model is had by the hosts that say so', () => {
    const wishes = { hardware: { gpus: 1, gpuModel: 'A100' } };
    const hosts = [host({}, 'A100'), host({}, 'T4'), host({})];
    expect(hostsAsRequired(wishes, hosts)).toEqual(hosts.slice(0, 1));
    expect(describeUnmet(wishes, hosts)).toBe(', 2 hosts are not as required (gpu_model is A100)');
  });
});
