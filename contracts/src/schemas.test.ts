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
  ID_PREFIXES,
  OperationIdSchema,
  ProjectIdSchema,
  SubnetIdSchema,
  VmIdSchema,
} from './ids.ts';
import { LabelsSchema, NameSchema, SshPublicKeySchema } from './vm.ts';
import { ChangesQuerySchema, ChangesSchema } from './vm-scheduler-api.ts';
import { parseVmTaskId, vmTaskId } from './vm-task.ts';

const accepts = (schema: TSchema, value: unknown): boolean => Compile(schema).Check(value);

const ID_SCHEMAS: Readonly<Record<keyof typeof ID_PREFIXES, TSchema>> = {
  vm: VmIdSchema,
  batch: BatchIdSchema,
  project: ProjectIdSchema,
  cluster: ClusterIdSchema,
  subnet: SubnetIdSchema,
  operation: OperationIdSchema,
  apiKey: ApiKeyIdSchema,
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
