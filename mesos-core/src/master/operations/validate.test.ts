import { describe, expect, it } from 'vitest';
import { type OfferOperation, parseResources, type Resource } from '../../protocol/index.ts';
import { inOurForm } from './operation-form.ts';
import { type OperationContext, operationProblem } from './validate.ts';

const CPUS: Resource = {
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value: 1 },
  allocation_info: { role: 'eng' },
  reservations: [{ type: 'DYNAMIC', role: 'eng', principal: 'ops' }],
};
const DISK: Resource = { ...CPUS, name: 'disk', scalar: { value: 100 } };
const VOLUME: Resource = {
  ...DISK,
  disk: {
    persistence: { id: 'v1', principal: 'ops' },
    volume: { container_path: 'data', mode: 'RW' },
  },
};
const { allocation_info: _, ...PLAIN_VOLUME } = VOLUME;
const BY_FRAMEWORK: OperationContext = {
  principal: 'ops',
  framework: { id: 'f1', roles: ['eng', 'qa'], sharesResources: false },
  total: parseResources('cpus:4;disk:500'),
  used: [],
};
const BY_OPERATOR: OperationContext = { ...BY_FRAMEWORK, framework: undefined };

const reserve = (...resources: Resource[]): OfferOperation => ({
  type: 'RESERVE',
  reserve: { resources },
});
const create = (...volumes: Resource[]): OfferOperation => ({
  type: 'CREATE',
  create: { volumes },
});
const destroy = (...volumes: Resource[]): OfferOperation => ({
  type: 'DESTROY',
  destroy: { volumes },
});
const unreserve = (...resources: Resource[]): OfferOperation => ({
  type: 'UNRESERVE',
  unreserve: { resources },
});
const grow = (volume: Resource, addition: Resource): OfferOperation => ({
  type: 'GROW_VOLUME',
  grow_volume: { volume, addition },
});
const shrink = (volume: Resource, value: number): OfferOperation => ({
  type: 'SHRINK_VOLUME',
  shrink_volume: { volume, subtract: { value } },
});
const withDisk = (disk: Resource['disk']): Resource => ({ ...DISK, disk });
const volumeNamed = (id: string): Resource => {
  const { persistence: __, ...rest } = VOLUME.disk ?? {};
  return withDisk({ ...rest, persistence: { id, principal: 'ops' } });
};
const dynamic = (role: string) => ({ type: 'DYNAMIC' as const, role, principal: 'ops' });

describe('an operation that is in order', () => {
  const stored = { ...BY_FRAMEWORK, total: [PLAIN_VOLUME] };
  it.each<[string, OfferOperation, OperationContext]>([
    ['reserves', reserve(CPUS), BY_FRAMEWORK],
    ['unreserves', unreserve(CPUS), BY_FRAMEWORK],
    ['creates', create(VOLUME), BY_FRAMEWORK],
    ['destroys', destroy(VOLUME), stored],
    ['grows', grow(VOLUME, DISK), stored],
    ['shrinks', shrink(VOLUME, 10), stored],
    ['is an operator’s', create(PLAIN_VOLUME), BY_OPERATOR],
  ])('%s', (_name, operation, context) => {
    expect(operationProblem(operation, context)).toBeUndefined();
  });
});

describe('an operation that is not in order', () => {
  const shared = { ...VOLUME, shared: {} };
  const mount = withDisk({ ...VOLUME.disk, source: { type: 'MOUNT', mount: { root: '/d' } } });
  const statics = { ...CPUS, reservations: [{ type: 'STATIC' as const, role: 'eng' }] };
  const refined = (role: string) => ({ ...CPUS, reservations: [dynamic('eng'), dynamic(role)] });
  it.each<[RegExp, OfferOperation]>([
    [/^Resource cpus.* is not dynamically reserved$/, reserve(statics)],
    [/no principal set$/, reserve({ ...CPUS, reservations: [{ type: 'DYNAMIC', role: 'eng' }] })],
    [
      /but the resource was allocated to role 'eng'$/,
      reserve({ ...CPUS, reservations: [dynamic('qa')] }),
    ],
    [
      /but the framework only has roles '\{ eng, qa \}'$/,
      reserve({ ...CPUS, allocation_info: { role: 'x' }, reservations: [dynamic('x')] }),
    ],
    [/must already be reserved$/, reserve(VOLUME)],
    [
      /Invalid resources: Invalid scalar resource: value < 0$/,
      reserve({ ...CPUS, scalar: { value: -1 } }),
    ],
    [/role '\*' cannot be reserved$/, reserve({ ...CPUS, reservations: [dynamic('*')] })],
    [/role 'qa' is not a refinement of 'eng'$/, reserve(refined('qa'))],
    [/is not dynamically reserved$/, unreserve(statics)],
    [/Please destroy the persistent volume first then unreserve the resource$/, unreserve(VOLUME)],
    [/^Not a persistent volume: Resource disk.* does not have DiskInfo$/, create(DISK)],
    [/^Persistence ID 'v1' is not unique$/, create(VOLUME, VOLUME)],
    [/contains invalid characters$/, create(volumeNamed('a/b'))],
    [/with no SHARED_RESOURCES capability$/, create(shared)],
    [
      /^Invalid resources: Expecting 'volume' to be set/,
      create(withDisk({ persistence: { id: 'v' } })),
    ],
    [
      /Persistent volumes cannot be created from unreserved/,
      create({ ...VOLUME, reservations: [] }),
    ],
    [/^Persistent volumes not found$/, destroy(VOLUME)],
    [/must be greater than zero$/, grow(VOLUME, { ...DISK, scalar: { value: 0 } })],
    [/^Incompatible resources/, grow(VOLUME, CPUS)],
    [/^Growing a shared persistent volume is not supported$/, grow(shared, DISK)],
    [/must be greater than zero$/, shrink(VOLUME, 0)],
    [/must be smaller than the size/, shrink(VOLUME, 100)],
    [/MOUNT disk is not supported$/, shrink(mount, 10)],
    [/^Shrinking a shared persistent volume is not supported$/, shrink(shared, 10)],
    [
      /not managed by a resource provider$/,
      { type: 'DESTROY_DISK', destroy_disk: { source: DISK } },
    ],
  ])('%s', (problem, operation) => {
    expect(operationProblem(operation, BY_FRAMEWORK)).toMatch(problem);
  });

  it('destroys what is in use', () => {
    const context = { ...BY_FRAMEWORK, total: [PLAIN_VOLUME], used: [PLAIN_VOLUME] };
    expect(operationProblem(destroy(VOLUME), context)).toBe('Persistent volumes in use');
  });

  it("is an operator's on allocated resources", () => {
    expect(operationProblem(reserve(CPUS), BY_OPERATOR)).toMatch(/only allows reservations to be/);
  });

  it.each(['..', 'eng/..', '-x', 'a b', '/eng'])(
    'reserves for the role %s, which would be no safe name of a directory',
    (role) => {
      const { allocation_info: __, ...plain } = CPUS;
      const operation = reserve({ ...plain, reservations: [dynamic(role)] });
      expect(operationProblem(operation, BY_OPERATOR)).toMatch(
        /^Invalid resources: Invalid reservation role: Role/,
      );
    },
  );

  it('reserves another amount than its source has, or several kinds at once', () => {
    const { reservations: __, ...open } = CPUS;
    const from = (source: Resource[], ...resources: Resource[]): OfferOperation => ({
      type: 'RESERVE',
      reserve: { source, resources },
    });
    const problems = [
      from([{ ...open, scalar: { value: 2 } }], CPUS),
      from([open, CPUS], CPUS),
      from([open], CPUS, refined('eng/ui')),
    ].map((operation) => operationProblem(operation, BY_FRAMEWORK));
    expect(problems[0]).toMatch(/^Source and target resources should refer to identical resource/);
    expect(problems[1]).toMatch(/^Invalid source: Mixed reservations are not supported/);
    expect(problems[2]).toMatch(/^Invalid resources: Mixed reservations are not supported/);
    expect(operationProblem(from([open], CPUS), BY_FRAMEWORK)).toBeUndefined();
  });
});

describe('our form of an operation', () => {
  it('has refined reservations and the mark of the role', () => {
    const legacy: Resource = {
      ...{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 } },
      ...{ role: 'eng', reservation: { principal: 'ops' } },
    };
    expect(inOurForm(reserve(legacy), 'eng')).toEqual(reserve(CPUS));
  });

  it('keeps marks that are there', () => {
    expect(inOurForm(reserve(CPUS), 'qa')).toEqual(reserve(CPUS));
  });
});
