import fc from 'fast-check';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { BatchRequestSchema } from './batch.ts';
import { ExchangeRequestSchema, LINK_LIMITS } from './cluster-link.ts';
import {
  ApiKeyIdSchema,
  BatchIdSchema,
  ClusterIdSchema,
  ConsoleTicketIdSchema,
  EnrolmentTokenIdSchema,
  HoldIdSchema,
  ID_PREFIXES,
  ImageIdSchema,
  OperationIdSchema,
  OrganisationIdSchema,
  ProjectIdSchema,
  SessionIdSchema,
  SubnetIdSchema,
  UserIdSchema,
  VmIdSchema,
  VolumeIdSchema,
  WebhookIdSchema,
} from './ids.ts';
import {
  LabelsSchema,
  NameSchema,
  type SecurityRule,
  SshPublicKeySchema,
  type VmNetwork,
  type VmSpec,
  VmSpecSchema,
  type VolumeMount,
} from './vm.ts';
import type { VmHardware } from './vm-hardware.ts';
import { ChangesQuerySchema, ChangesSchema } from './vm-scheduler-api.ts';
import { parseVmTaskId, vmTaskId } from './vm-task.ts';

const accepts = (schema: TSchema, value: unknown): boolean => Compile(schema).Check(value);

const ID_SCHEMAS: Readonly<Record<keyof typeof ID_PREFIXES, TSchema>> = {
  vm: VmIdSchema,
  batch: BatchIdSchema,
  organisation: OrganisationIdSchema,
  project: ProjectIdSchema,
  cluster: ClusterIdSchema,
  subnet: SubnetIdSchema,
  volume: VolumeIdSchema,
  operation: OperationIdSchema,
  consoleTicket: ConsoleTicketIdSchema,
  enrolmentToken: EnrolmentTokenIdSchema,
  apiKey: ApiKeyIdSchema,
  user: UserIdSchema,
  session: SessionIdSchema,
  webhook: WebhookIdSchema,
  image: ImageIdSchema,
  hold: HoldIdSchema,
};

describe('ids', () => {
  const kinds = Object.keys(ID_PREFIXES) as (keyof typeof ID_PREFIXES)[];

  it.each(kinds)('of the kind %s are of no other kind', (kind) => {
    fc.assert(
      fc.property(fc.uuid({ version: 7 }), (uuid) => {
        for (const other of kinds) {
          const id = `${ID_PREFIXES[other]}_${uuid.replaceAll('-', '')}`;
          expect(accepts(ID_SCHEMAS[kind], id)).toBe(other === kind);
        }
      }),
      { numRuns: 20 },
    );
  });

  it.each(['', 'vm_', `vm_${'0'.repeat(31)}`, `vm_${'G'.repeat(32)}`, `vm_${'A'.repeat(32)}`])(
    'are not like %j',
    (text) => {
      expect(accepts(VmIdSchema, text)).toBe(false);
      expect(accepts(VmIdSchema, `vm_${'0'.repeat(32)}\n`)).toBe(false);
    },
  );

  it('of tasks are made of the VM and the attempt, and taken apart again', () => {
    const vmIds = fc.stringMatching(/^[0-9a-f]{32}$/).map((hex) => `vm_${hex}`);
    fc.assert(
      fc.property(vmIds, fc.nat(), fc.string(), (vmId, attempt, text) => {
        expect(parseVmTaskId(vmTaskId(vmId, attempt))).toEqual({ vmId, attempt });
        expect(parseVmTaskId(text)).toBeUndefined();
      }),
    );
    expect(parseVmTaskId(`${vmTaskId(`vm_${'0'.repeat(32)}`, 1)}.1`)).toBeUndefined();
  });
});

describe('what people write', () => {
  it.each([
    ['a', true],
    ['web-1', true],
    ['0'.repeat(63), true],
    ['0'.repeat(64), false],
    ['-a', false],
    ['a-', false],
    ['A', false],
    ['a_b', false],
    ['a.b', false],
    ['', false],
    ['a\n', false],
  ])('is a name: %j %s', (text, isName) => {
    expect(accepts(NameSchema, text)).toBe(isName);
  });

  it('is a public key of one line', () => {
    expect(accepts(SshPublicKeySchema, 'ssh-ed25519 AAAAC3Nz me@host')).toBe(true);
    expect(accepts(SshPublicKeySchema, 'ssh-ed25519 AAAAC3Nz')).toBe(true);
    expect(accepts(SshPublicKeySchema, 'ssh-ed25519 AAAA x\nssh-rsa BBBB')).toBe(false);
    expect(accepts(SshPublicKeySchema, '-----BEGIN OPENSSH PRIVATE KEY-----')).toBe(false);
  });

  it('are labels whose every key is one', () => {
    expect(accepts(LabelsSchema, { 'team/name': 'a', x: '' })).toBe(true);
    expect(accepts(LabelsSchema, { 'no spaces': 'x' })).toBe(false);
    expect(accepts(LabelsSchema, { 'no spaces': { any: 'thing' } })).toBe(false);
    expect(accepts(LabelsSchema, { a: 5 })).toBe(false);
    expect(accepts(LabelsSchema, { a: 'x'.repeat(256) })).toBe(false);
  });

  it.each([
    [{ count: 8, vcpus: 1, memoryMiB: 128 }, true],
    [{ totalVcpus: 20, shapes: [{ vcpus: 8, memoryMiB: 1_024 }] }, true],
    [{ count: 0 }, false],
    [{ count: 1_000_000_000 }, false],
    [{ count: 1.5 }, false],
    [{ memoryMiB: '128' }, false],
    [{ shapes: [] }, false],
    [{ surprise: true }, false],
  ])('is a batch: %j %s', (more, isBatch) => {
    const request = { name: 'first', image: 'micro', ...more };
    expect(accepts(BatchRequestSchema, request)).toBe(isBatch);
  });
});

describe('what services say to each other', () => {
  it('bounds how much comes at once', () => {
    const reports = { vms: [], plans: [], operations: [] };
    const request = { protocolVersion: 1, epoch: 1, appliedCommandSeq: 0, waitMs: 0, reports };
    expect(accepts(ExchangeRequestSchema, request)).toBe(true);
    expect(accepts(ExchangeRequestSchema, { ...request, waitMs: LINK_LIMITS.waitMsMax + 1 })).toBe(
      false,
    );
    expect(accepts(ExchangeRequestSchema, { ...request, epoch: 0 })).toBe(false);
    const vms = Array(LINK_LIMITS.vmReportsPerExchangeMax + 1).fill({});
    expect(accepts(ExchangeRequestSchema, { ...request, reports: { ...reports, vms } })).toBe(
      false,
    );
  });

  it('still understands a peer that leaves out what was added later', () => {
    expect(accepts(ChangesQuerySchema, { after: 0, waitMs: 0 })).toBe(true);
    expect(accepts(ChangesSchema, { revision: 0, vms: [], operations: [] })).toBe(true);
  });
});

describe('what a host is told of a machine', () => {
  const network = {
    subnetId: `sub_${'0'.repeat(32)}`,
    ...{ cidr: '10.80.0.0/16', gatewayAddress: '10.80.0.1', ipAddress: '10.80.0.2' },
    macAddress: '52:54:00:12:34:56',
  } as VmNetwork;
  const plain: VmSpec = {
    ...{ hostname: 'a', image: { name: 'micro' }, vcpus: 1, memoryMiB: 128, diskGiB: 1, network },
    ...{ sshPublicKeys: [], userData: '' },
  };
  const rule: SecurityRule = {
    direction: 'in',
    protocol: 'tcp',
    ports: [22, 22],
    action: 'accept',
  };
  const hardware: VmHardware = {
    ...{ firmware: 'uefi-secure', os: 'windows', devices: 'emulated', tpm: true, gpus: 1 },
    cpu: { model: 'host', pinned: true, numaNodes: 2, hugepages: '1G' },
  };
  const volume = {
    volumeId: `vol_${'0'.repeat(32)}`,
    ...{ kind: 'directory', tag: 'textures', guestPath: '/mnt/textures' },
    ...{ readOnly: false, leaseEpoch: 1 },
  } as VolumeMount;

  it('may be as little as before, or all there is', () => {
    expect(accepts(VmSpecSchema, plain)).toBe(true);
    const rich: VmSpec = {
      ...plain,
      ...{ image: { name: 'micro', version: 'a'.repeat(64) }, hardware, volumes: [volume] },
      nics: [{ ...network, vni: 17, egress: 'nat', dnsDomain: 'lab', securityRules: [rule] }],
    };
    expect(accepts(VmSpecSchema, rich)).toBe(true);
  });

  it.each([
    ['a version that is no checksum', { image: { name: 'micro', version: '../../etc/passwd' } }],
    ['a model with a quote in it', { hardware: { cpu: { model: "host'/><evil" } } }],
    ['a tag with a blank', { volumes: [{ ...volume, tag: 'a b' }] }],
    ['a path of a guest that is not from its root', { volumes: [{ ...volume, guestPath: 'a' }] }],
    ['a path with a line end', { volumes: [{ ...volume, guestPath: '/a\nb' }] }],
    [
      'a port beyond the last',
      { nics: [{ ...network, securityRules: [{ ...rule, ports: [1, 65536] }] }] },
    ],
  ])('has never %s', (_what, wrong) => {
    expect(accepts(VmSpecSchema, { ...plain, ...wrong })).toBe(false);
  });
});
