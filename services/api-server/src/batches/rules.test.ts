import type { BatchRequest } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { DEFAULT_SHAPES, ruleBatch } from './rules.ts';

const base = { name: 'render', image: 'micro' };
const shapes = [
  { vcpus: 48, memoryMiB: 4096 },
  { vcpus: 20, memoryMiB: 2048 },
];

describe('the rules between the fields of a batch', () => {
  it('fill in what is left out', () => {
    expect(ruleBatch({ ...base, count: 2 })).toEqual({
      kind: 'sound',
      wish: {
        ...base,
        size: { kind: 'count', count: 2, shape: { vcpus: 1, memoryMiB: 512 } },
        priority: 0,
        preemptible: false,
        clusters: {},
        diskGiB: 1,
        sshPublicKeys: [],
        userData: '',
        labels: {},
        wishes: {},
        securityRules: [],
      },
      cards: [{ subnet: 'default' }],
    });
    expect(ruleBatch({ ...base, totalVcpus: 200 })).toMatchObject({
      wish: { size: { kind: 'cores', totalVcpus: 200, shapes: DEFAULT_SHAPES } },
    });
  });

  const refused: readonly [string, BatchRequest][] = [
    ['count', base],
    ['count', { ...base, count: 1, totalVcpus: 8 }],
    ['shapes', { ...base, count: 1, shapes }],
    ['vcpus', { ...base, totalVcpus: 8, vcpus: 2 }],
    ['memoryMiB', { ...base, totalVcpus: 8, memoryMiB: 512 }],
    ['shapes', { ...base, totalVcpus: 48, shapes: [...shapes, { vcpus: 48, memoryMiB: 64 }] }],
    ['totalVcpus', { ...base, totalVcpus: 50, shapes }],
    ['totalVcpus', { ...base, totalVcpus: 100_000, shapes: [{ vcpus: 1, memoryMiB: 64 }] }],
    ['name', { ...base, name: 'n'.repeat(61), count: 10 }],
    [
      'requirements[0].pattern',
      { ...base, count: 1, requirements: [{ name: 'rack', op: 'regex', pattern: '(?=r1)' }] },
    ],
    [
      'requirements[0].min',
      { ...base, count: 1, requirements: [{ name: 'cores', op: 'range', min: 2, max: 1 }] },
    ],
    [
      'requirements[0]',
      { ...base, count: 1, requirements: [{ name: 'rack', op: 'in', values: ['\0'] }] },
    ],
    ['hardware.gpuModel', { ...base, count: 1, hardware: { gpuModel: 'A100' } }],
    ['hardware.cpu.numaNodes', { ...base, count: 1, hardware: { cpu: { numaNodes: 2 } } }],
    ['hardware.cpu.hugepages', { ...base, count: 1, hardware: { cpu: { hugepages: '1G' } } }],
    ['group', { ...base, totalVcpus: 8, group: { id: 'a', rule: 'affinity' } }],
    ['userData', { ...base, count: 1, userData: '\0' }],
    ['userData', { ...base, count: 1, userData: 'é'.repeat(40_000) }],
    ['network.ipAddress', { ...base, count: 2, network: { subnet: 'a', ipAddress: '10.0.0.2' } }],
    [
      'nics[0].ipAddress',
      { ...base, totalVcpus: 2, nics: [{ subnet: 'a', ipAddress: '10.0.0.2' }] },
    ],
    [
      'securityRules[0].ports',
      {
        ...base,
        count: 1,
        securityRules: [{ direction: 'in', protocol: 'icmp', ports: [1, 2], action: 'drop' }],
      },
    ],
    ['labels.a', { ...base, count: 1, labels: { a: '\ud800' } }],
  ];
  it.each(refused)('refuse %s of %j', (field, request) => {
    expect(ruleBatch(request)).toMatchObject({ kind: 'invalid', field });
  });

  it('say what would do instead', () => {
    expect(ruleBatch({ ...base, totalVcpus: 70, shapes })).toMatchObject({
      detail: 'no machines with 48, 20 vCPUs add up to 70; 68 would do',
    });
  });
});
