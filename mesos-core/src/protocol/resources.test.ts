import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Resource } from './messages.ts';
import { formatResources, parseResources } from './resource-text.ts';
import {
  addResources,
  allocateResources,
  containsResources,
  equalResources,
  isAllocatableTo,
  isDynamicallyReserved,
  normalizeResources,
  popReservation,
  pushReservation,
  type Resources,
  reservationRole,
  scalarAmount,
  scalarQuantities,
  subtractResources,
  toLegacyFormat,
  toRefinedFormat,
  unallocateResources,
} from './resources.ts';

const scalar = (name: string, value: number): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
});
const volume = (id: string, value = 10): Resource => ({
  ...scalar('disk', value),
  disk: { persistence: { id }, volume: { container_path: 'data', mode: 'RW' } },
});

/** More kinds than are compared one by one. */
const manyKinds = (count: number): Resources =>
  Array.from({ length: count }, (_, index) => ({
    ...scalar('cpus', 1),
    reservations: [{ type: 'DYNAMIC', role: `role-${index}` }],
  }));

const kindArbitrary = fc.oneof(
  fc
    .record({ name: fc.constantFrom('cpus', 'mem'), units: fc.integer({ min: 0, max: 9999 }) })
    .map(({ name, units }) => scalar(name, units / 1000)),
  fc.array(fc.record({ begin: fc.nat(30), length: fc.nat(5) }), { maxLength: 3 }).map(
    (parts): Resource => ({
      name: 'ports',
      type: 'RANGES',
      ranges: { range: parts.map(({ begin, length }) => ({ begin, end: begin + length })) },
    }),
  ),
  fc
    .subarray(['a', 'b', 'c'])
    .map((item): Resource => ({ name: 'cards', type: 'SET', set: { item } })),
);
const resourceArbitrary = fc
  .record({
    resource: kindArbitrary,
    roles: fc.constantFrom([], ['eng'], ['eng', 'eng/ui']),
    isRevocable: fc.boolean(),
  })
  .map(({ resource, roles, isRevocable }): Resource => {
    const reservations = roles.map((role) => ({ type: 'STATIC' as const, role }));
    return {
      ...resource,
      ...(reservations.length === 0 ? {} : { reservations }),
      ...(isRevocable ? { revocable: {} } : {}),
    };
  });
const resourcesArbitrary = fc.array(resourceArbitrary, { maxLength: 6 });
/** Ranges and sets add up by union, so only scalars obey the laws of sums. */
const scalarsArbitrary = resourcesArbitrary.map((all) => all.filter((r) => r.type === 'SCALAR'));

describe('the algebra of resources', () => {
  it('adds in any order', () => {
    fc.assert(
      fc.property(resourcesArbitrary, resourcesArbitrary, resourcesArbitrary, (a, b, c) => {
        expect(equalResources(addResources(a, b), addResources(b, a))).toBe(true);
        const left = addResources(addResources(a, b), c);
        expect(equalResources(left, addResources(a, addResources(b, c)))).toBe(true);
      }),
    );
  });

  it('takes back what was added', () => {
    fc.assert(
      fc.property(scalarsArbitrary, scalarsArbitrary, (a, b) => {
        expect(equalResources(subtractResources(addResources(a, b), b), a)).toBe(true);
      }),
    );
  });

  it('contains the parts of a sum, and gives the rest back', () => {
    fc.assert(
      fc.property(resourcesArbitrary, resourcesArbitrary, (a, b) => {
        const sum = addResources(a, b);
        expect(containsResources(sum, a)).toBe(true);
        expect(equalResources(addResources(subtractResources(sum, a), a), sum)).toBe(true);
      }),
    );
  });

  it('contains nothing more than it is', () => {
    fc.assert(
      fc.property(resourcesArbitrary, resourceArbitrary, (a, extra) => {
        const isMore = !containsResources([], [extra]) && extra.type === 'SCALAR';
        const more = addResources(a, [extra]);
        if (isMore) expect(containsResources(a, more)).toBe(false);
        expect(subtractResources(a, a)).toEqual([]);
      }),
    );
  });

  it('leaves nothing behind when merged and split by role', () => {
    fc.assert(
      fc.property(resourcesArbitrary, (a) => {
        const merged = normalizeResources(a);
        expect(normalizeResources(merged)).toEqual(merged);
        expect(equalResources(unallocateResources(allocateResources(a, 'r')), a)).toBe(true);
        const reserved = pushReservation(a, { type: 'DYNAMIC', role: 'x', principal: 'p' });
        expect(equalResources(popReservation(reserved), a)).toBe(true);
      }),
    );
  });

  it('does so with very many kinds of them', () => {
    const all = manyKinds(200);
    const some = all.filter((_, index) => index % 3 === 0);
    const rest = subtractResources(all, some);
    expect(rest).toEqual(all.filter((_, index) => index % 3 !== 0));
    expect(containsResources(rest, some.slice(0, 1))).toBe(false);
    expect(equalResources(addResources(rest, some), all)).toBe(true);
    expect(addResources(all, some.slice(0, 2))).toHaveLength(200);
  });

  it('gives a long list that repeats itself as few, whatever was added to it', () => {
    const repeated = Array.from({ length: 40 }, () => scalar('cpus', 1));
    const added = addResources(repeated, [scalar('mem', 1)]);
    expect(normalizeResources(added)).toEqual([scalar('cpus', 40), scalar('mem', 1)]);
  });

  it('counts scalars in thousandths', () => {
    const tenths = Array.from({ length: 10 }, () => scalar('cpus', 0.1));
    expect(normalizeResources(tenths)).toEqual([scalar('cpus', 1)]);
    expect(subtractResources([scalar('cpus', 0.3)], [scalar('cpus', 0.1)])).toEqual([
      scalar('cpus', 0.2),
    ]);
    expect(containsResources([scalar('cpus', 1)], [scalar('cpus', 1.0004)])).toBe(true);
    expect(containsResources([scalar('cpus', 1)], [scalar('cpus', 1.001)])).toBe(false);
  });

  it('keeps apart what is not the same thing', () => {
    const all: Resources = [
      scalar('mem', 1),
      { ...scalar('mem', 1), allocation_info: { role: 'a' } },
      { ...scalar('mem', 1), revocable: {} },
      { ...scalar('mem', 1), provider_id: { value: 'p' } },
      { ...scalar('mem', 1), reservations: [{ type: 'STATIC', role: 'a' }] },
      { ...scalar('mem', 1), reservations: [{ type: 'DYNAMIC', role: 'a' }] },
      { ...scalar('mem', 1), reservations: [{ type: 'DYNAMIC', role: 'a', principal: 'p' }] },
    ];
    expect(normalizeResources(all)).toHaveLength(all.length);
  });

  it('moves persistent volumes as a whole', () => {
    const both = normalizeResources([volume('v1'), volume('v2')]);
    expect(both).toHaveLength(2);
    expect(containsResources(both, [volume('v1', 5)])).toBe(false);
    expect(subtractResources(both, [volume('v1', 5)])).toEqual(both);
    const { disk: _, ...without } = volume('v1');
    const unmounted: Resource = { ...without, disk: { persistence: { id: 'v1' } } };
    expect(subtractResources(both, [unmounted])).toEqual([volume('v2')]);
  });

  it('keeps a shared volume until its last use goes', () => {
    const shared: Resource = { ...volume('v'), shared: {} };
    const twice = addResources([shared], [shared]);
    expect(twice).toHaveLength(2);
    expect(containsResources([shared], twice)).toBe(false);
    expect(containsResources(twice, twice)).toBe(true);
    expect(subtractResources(twice, [shared])).toEqual([shared]);
    expect(scalarQuantities(twice)).toEqual({ disk: 10 });
  });

  it('gives quantities', () => {
    const resources = parseResources('cpus:1.5;cpus(eng):2;mem:64;ports:[1-2]');
    expect(scalarQuantities(resources)).toEqual({ cpus: 3.5, mem: 64 });
    expect(scalarAmount(resources, 'cpus')).toBe(3.5);
    expect(scalarAmount(resources, 'gpus')).toBe(0);
  });
});

describe('reservations', () => {
  const [cpus] = parseResources('cpus(eng):2');
  if (cpus === undefined) throw new Error('parsed nothing');

  it('are for a role and those below it', () => {
    expect(reservationRole(cpus)).toBe('eng');
    expect(reservationRole(scalar('cpus', 1))).toBe('*');
    expect(isAllocatableTo(cpus, 'eng')).toBe(true);
    expect(isAllocatableTo(cpus, 'eng/ui')).toBe(true);
    expect(isAllocatableTo(cpus, 'engine')).toBe(false);
    expect(isAllocatableTo(scalar('cpus', 1), 'any')).toBe(true);
  });

  it('are refined on top of each other', () => {
    const [refined] = pushReservation([cpus], { type: 'DYNAMIC', role: 'eng/ui', principal: 'p' });
    if (refined === undefined) throw new Error('reserved nothing');
    expect(reservationRole(refined)).toBe('eng/ui');
    expect(isDynamicallyReserved(refined)).toBe(true);
    expect(isDynamicallyReserved(cpus)).toBe(false);
    expect(toLegacyFormat(refined)).toBeUndefined();
  });

  it('have an older form', () => {
    expect(toLegacyFormat(scalar('cpus', 1))).toEqual({ ...scalar('cpus', 1), role: '*' });
    expect(toLegacyFormat(cpus)).toEqual({ ...scalar('cpus', 2), role: 'eng' });
    const dynamic = pushReservation([scalar('cpus', 1)], {
      type: 'DYNAMIC',
      role: 'eng',
      principal: 'p',
    });
    const legacy = dynamic.flatMap((resource) => toLegacyFormat(resource) ?? []);
    expect(legacy).toEqual([
      { ...scalar('cpus', 1), role: 'eng', reservation: { principal: 'p' } },
    ]);
    expect(toRefinedFormat(legacy)).toEqual(dynamic);
    expect(equalResources(legacy, dynamic)).toBe(true);
  });
});

describe('resources as text', () => {
  it('are read from the flag', () => {
    expect(
      parseResources('cpus:2; mem(eng):1024;ports:[31000-31001, 31002-32000];s:{a,b}'),
    ).toEqual([
      scalar('cpus', 2),
      { ...scalar('mem', 1024), reservations: [{ type: 'STATIC', role: 'eng' }] },
      { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 32000 }] } },
      { name: 's', type: 'SET', set: { item: ['a', 'b'] } },
    ]);
    expect(parseResources('cpus:1;cpus:2', 'eng')).toEqual(parseResources('cpus(eng):3'));
    expect(parseResources('')).toEqual([]);
  });

  it('are read from JSON', () => {
    const json = JSON.stringify([
      { ...scalar('cpus', 2), role: 'eng' },
      scalar('mem', 5),
      { ...scalar('disk', 7), disk: { source: { type: 'MOUNT', mount: { root: '/mnt' } } } },
    ]);
    expect(formatResources(parseResources(json))).toBe(
      'cpus(reservations: [(STATIC,eng)]):2; mem:5; disk[MOUNT:/mnt]:7',
    );
    expect(parseResources('[]')).toEqual([]);
  });

  it.each([
    ['cpus', "missing or extra ':'"],
    ['cpus:1:2', "missing or extra ':'"],
    ['cpus(eng:1', 'mismatched parentheses'],
    ['cpus:many', 'Bad type for resource cpus'],
    ['cpus:-1', 'value < 0'],
    ['ports:[5-1]', 'Invalid range'],
    ['x:1;x:{a}', 'different types'],
    ['[{"name":"cpus"}]', 'Missing required fields: type'],
    [JSON.stringify([volume('v')]), 'Persistent volumes cannot be specified'],
    [JSON.stringify([{ ...scalar('cpus', 1), revocable: {} }]), 'Revocable resources cannot be'],
    [
      JSON.stringify([{ ...scalar('cpus', 1), reservations: [{ type: 'DYNAMIC', role: 'r' }] }]),
      'Dynamic reservations cannot be specified',
    ],
  ])('%s is refused', (text, message) => {
    expect(() => parseResources(text)).toThrow(message);
  });

  it('are printed as in a recorded refusal', () => {
    const labels = { labels: [{ key: 'a', value: 'b' }] };
    const reserved = { type: 'DYNAMIC', role: 'eng', principal: 'ops', labels } as const;
    const resources: Resources = [
      scalar('cpus', 63.9),
      scalar('mem', 65440),
      scalar('disk', 99936),
      { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 32000 }] } },
      { ...volume('vol1', 64), reservations: [reserved] },
      {
        ...scalar('mem', 64),
        reservations: [{ type: 'DYNAMIC', role: 'qa', principal: 'ops' }],
      },
    ];
    expect(`${formatResources(resources)} does not contain mem:64000000000`).toBe(
      'cpus:63.9; mem:65440; disk:99936; ports:[31000-32000]; ' +
        'disk(reservations: [(DYNAMIC,eng,ops,{a: b})])[vol1:data]:64; ' +
        'mem(reservations: [(DYNAMIC,qa,ops)]):64 does not contain mem:64000000000',
    );
    expect(formatResources([])).toBe('{}');
    expect(formatResources(allocateResources([{ ...scalar('cpus', 1), revocable: {} }], 'r'))).toBe(
      'cpus(allocated: r){REV}:1',
    );
  });
});
