import { stripVTControlCharacters } from 'node:util';
import type { Batch, BatchId, ProjectId, Subnet, SubnetId, Vm, VmId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  describeCounts,
  formatBatches,
  formatOne,
  formatSubnets,
  formatVms,
  type OutputFormat,
} from './format.ts';

const vm: Vm = {
  id: `vm_${'1'.repeat(32)}` as VmId,
  name: 'first-0001',
  projectId: `prj_${'1'.repeat(32)}` as ProjectId,
  batchId: `bat_${'1'.repeat(32)}` as BatchId,
  batchName: 'first',
  clusterId: null,
  hostName: 'host-1',
  image: 'micro',
  vcpus: 1,
  memoryMiB: 128,
  diskGiB: 1,
  ipAddress: '10.80.0.2',
  macAddress: '52:54:00:00:00:01',
  desiredState: 'running',
  generation: 1,
  appliedGeneration: 1,
  state: 'running',
  guestReady: true,
  reason: null,
  message: null,
  stateSince: '2026-01-01T00:00:00.000Z',
  timeline: { accepted: 1 },
  createdAt: '2026-01-01T00:00:00.000Z',
};
const failed: Vm = {
  ...vm,
  name: 'first-0002',
  hostName: null,
  ipAddress: null,
  state: 'failed',
  guestReady: false,
  reason: 'IMAGE_MISSING',
  message: 'there is no micro',
};
const batch: Batch = {
  id: vm.batchId,
  name: 'first',
  projectId: vm.projectId,
  state: 'active',
  image: 'micro',
  count: 8,
  totalVcpus: null,
  vmCounts: { starting: 2, running: 6 },
  readyCount: 4,
  settled: false,
  pendingReason: null,
  labels: {},
  createdAt: vm.createdAt,
};

const plain = (text: string): string[] => stripVTControlCharacters(text).split('\n');

describe('output for people', () => {
  it('shows machines in columns', () => {
    expect(plain(formatVms([vm, failed], 'table'))).toEqual([
      'NAME        STATE            ADDRESS    HOST    VCPUS  MEMORY   REASON',
      'first-0001  running (ready)  10.80.0.2  host-1  1      128 MiB',
      'first-0002  failed           -          -       1      128 MiB  IMAGE_MISSING: there is no micro',
    ]);
  });

  it('shows more on request', () => {
    const [head = '', line = ''] = plain(formatVms([vm], 'wide'));
    expect(head.split(/\s+/)).toEqual(
      'NAME STATE ADDRESS HOST VCPUS MEMORY REASON BATCH IMAGE MAC FURTHER WANTED ID'.split(' '),
    );
    expect(line).toContain(vm.id);
  });

  it('shows batches with what their machines do', () => {
    expect(plain(describeCounts(batch))).toEqual(['6 running (4 ready), 2 starting']);
    expect(plain(formatBatches([batch], 'table'))).toEqual([
      'NAME   STATE   MACHINES  BY STATE                         WAITING FOR',
      'first  active  8         6 running (4 ready), 2 starting',
    ]);
  });

  it('says so when there is nothing', () => {
    expect(formatVms([], 'table')).toBe('No machines.');
    expect(formatBatches([], 'wide')).toContain('./factory batch create');
  });
});

describe('output for programs', () => {
  it('is the whole thing', () => {
    expect(JSON.parse(formatVms([vm, failed], 'json'))).toEqual([vm, failed]);
    expect(parse(formatVms([vm], 'yaml'))).toEqual([vm]);
    expect(JSON.parse(formatOne(batch, 'json'))).toEqual(batch);
    expect(parse(formatOne(batch, 'yaml'))).toEqual(batch);
    expect(formatVms([], 'json')).toBe('[]');
  });

  it('is names, one a line, to feed other programs', () => {
    expect(formatVms([vm, failed], 'name')).toBe('first-0001\nfirst-0002');
    expect(formatVms([], 'name')).toBe('');
    expect(formatOne(vm, 'name')).toBe('first-0001');
  });

  it.each(['json', 'yaml', 'name'] satisfies OutputFormat[])('has no colours (%s)', (format) => {
    const text = formatVms([vm, failed], format);
    expect(stripVTControlCharacters(text)).toBe(text);
  });
});

describe('subnets', () => {
  const subnet: Subnet = {
    id: `sub_${'1'.repeat(32)}` as SubnetId,
    name: 'render',
    projectId: vm.projectId,
    cidr: '10.20.0.0/24',
    gatewayAddress: '10.20.0.1',
    egress: 'nat',
    dnsDomain: 'render.internal',
    securityRules: [],
    vni: 7,
    addressCount: 253,
    usedAddressCount: 8,
    createdAt: vm.createdAt,
  };

  it('are shown with how full they are', () => {
    expect(stripVTControlCharacters(formatSubnets([subnet], 'table')).split('\n')).toEqual([
      'NAME    NETWORK       IN USE    EGRESS  SECURITY RULES',
      'render  10.20.0.0/24  8 of 253  nat     0',
    ]);
    expect(formatSubnets([], 'table')).toContain('./factory subnet create');
  });
});
