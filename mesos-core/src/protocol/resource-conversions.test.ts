import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OfferOperation, Resource } from './messages.ts';
import {
  applyCheckpointed,
  applyConversions,
  conversionsOf,
  invertConversions,
  isPersistentVolume,
  needsCheckpoint,
  withoutPersistence,
} from './resource-conversions.ts';
import { formatResources, parseResources } from './resource-text.ts';
import {
  canTake,
  eachSharedOnce,
  equalResources,
  pushReservation,
  type Resources,
  scalarQuantities,
  takeResources,
  toLegacyFormat,
  toRefinedFormat,
} from './resources.ts';

const ROLES = ['eng', 'eng/ui', 'eng/ui/web'] as const;
const sources = [
  undefined,
  { type: 'PATH' as const, path: { root: '/disk1' } },
  { type: 'MOUNT' as const, mount: { root: '/disk2' } },
];

const disk = (megabytes: number, source: (typeof sources)[number]): Resource => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: megabytes },
  ...(source === undefined ? {} : { disk: { source } }),
});
const reserved = (resource: Resource, levels: number): Resource =>
  ROLES.slice(0, levels).reduce(
    (each, role) => pushReservation([each], { type: 'DYNAMIC', role })[0] ?? each,
    resource,
  );
const asVolume = (resource: Resource, id: string, isShared: boolean): Resource => ({
  ...resource,
  disk: {
    ...resource.disk,
    persistence: { id },
    volume: { container_path: 'data', mode: 'RW' },
  },
  ...(isShared ? { shared: {} } : {}),
});

/** Operations that reserve, level by level, some disk and make a volume of it, in order. */
const lives = fc
  .record({
    source: fc.constantFrom(...sources),
    megabytes: fc.integer({ min: 2, max: 100 }),
    levels: fc.integer({ min: 1, max: 3 }),
    isShared: fc.boolean(),
  })
  .map(({ source, megabytes, levels, isShared }) => {
    const plain = disk(megabytes, source);
    const reserves: readonly OfferOperation[] = ROLES.slice(0, levels).map((_, index) => ({
      type: 'RESERVE',
      reserve: { resources: [reserved(plain, index + 1)] },
    }));
    const volume = asVolume(reserved(plain, levels), 'v1', isShared);
    const create: OfferOperation = { type: 'CREATE', create: { volumes: [volume] } };
    return { plain, volume, operations: [...reserves, create] };
  });

const BASE = parseResources('cpus:4;mem:1024;disk:500');

function carryOut(start: Resources, operations: readonly OfferOperation[]): Resources {
  const { resources, problem } = applyConversions(start, operations.flatMap(conversionsOf));
  if (resources === undefined) throw new Error(problem);
  return resources;
}

describe('conversions', () => {
  it('change what resources are, never how much there is', () => {
    fc.assert(
      fc.property(lives, ({ plain, operations }) => {
        const start = [...BASE, ...(plain.disk === undefined ? [] : [plain])];
        const end = carryOut(start, operations);
        expect(scalarQuantities(end)).toEqual(scalarQuantities(start));
        expect(end.filter(isPersistentVolume)).toHaveLength(1);
      }),
    );
  });

  it('are undone by their inverse', () => {
    fc.assert(
      fc.property(lives, ({ plain, operations }) => {
        const start = [...BASE, ...(plain.disk === undefined ? [] : [plain])];
        const conversions = operations.flatMap(conversionsOf);
        const back = applyConversions(carryOut(start, operations), invertConversions(conversions));
        expect(equalResources(back.resources ?? [], start)).toBe(true);
      }),
    );
  });

  it('are undone by the operations that are their opposites', () => {
    fc.assert(
      fc.property(lives, ({ plain, volume, operations }) => {
        const start = [...BASE, ...(plain.disk === undefined ? [] : [plain])];
        const opposites: OfferOperation[] = [{ type: 'DESTROY', destroy: { volumes: [volume] } }];
        for (let levels = volume.reservations?.length ?? 0; levels > 0; levels -= 1) {
          const resources = [reserved(plain, levels)];
          opposites.push({ type: 'UNRESERVE', unreserve: { resources } });
        }
        const end = carryOut(carryOut(start, operations), opposites);
        expect(equalResources(end, start)).toBe(true);
      }),
    );
  });

  it('are found again from the flags and what was remembered', () => {
    fc.assert(
      fc.property(lives, ({ plain, operations }) => {
        const flags = [...BASE, ...(plain.disk === undefined ? [] : [plain])];
        const total = carryOut(flags, operations);
        const remembered = total.filter(needsCheckpoint);
        const { resources } = applyCheckpointed(flags, remembered);
        expect(equalResources(resources ?? [], total)).toBe(true);
      }),
    );
  });

  it('do not happen when what they consume is not there', () => {
    const [first, second] = [reserved(disk(400, undefined), 1), reserved(disk(200, undefined), 1)];
    const reserve = { resources: [first, second] };
    const { problem } = applyConversions(BASE, conversionsOf({ type: 'RESERVE', reserve }));
    expect(problem).toBe(
      'cpus:4; mem:1024; disk:100; disk(reservations: [(DYNAMIC,eng)]):400 does not contain disk:200',
    );
  });

  it('reserve from a named source, several levels at once', () => {
    const reserve = {
      source: [reserved(disk(50, undefined), 1)],
      resources: [reserved(disk(50, undefined), 3)],
    };
    const start = [...BASE, reserved(disk(50, undefined), 1)];
    const end = carryOut(start, [{ type: 'RESERVE', reserve }]);
    expect(end.at(-1)?.reservations?.map(({ role }) => role)).toEqual(ROLES);
  });

  it('grow a volume by free disk, and shrink it again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), (piece) => {
        const own = reserved(disk(100, undefined), 1);
        const volume = asVolume(own, 'v1', false);
        const addition = { ...own, scalar: { value: piece } };
        const grown = carryOut(
          [volume, addition],
          [{ type: 'GROW_VOLUME', grow_volume: { volume, addition } }],
        );
        expect(grown).toEqual([{ ...volume, scalar: { value: 100 + piece } }]);
        const [larger = volume] = grown;
        const shrink_volume = { volume: larger, subtract: { value: piece } };
        const shrunk = carryOut(grown, [{ type: 'SHRINK_VOLUME', shrink_volume }]);
        expect(equalResources(shrunk, [volume, addition])).toBe(true);
      }),
    );
  });

  it('leave resources of changed flags alone: they do not fit any more', () => {
    const { problem } = applyCheckpointed(BASE, [reserved(disk(600, undefined), 1)]);
    expect(problem).toBe(
      'Incompatible agent resources: cpus:4; mem:1024; disk:500 does not contain disk:600',
    );
  });
});

describe('a volume without persistence', () => {
  it('is the disk that it was made of', () => {
    fc.assert(
      fc.property(lives, ({ plain, volume }) => {
        const levels = volume.reservations?.length ?? 0;
        expect(withoutPersistence(volume)).toEqual(reserved(plain, levels));
      }),
    );
  });
});

describe('shared resources', () => {
  const shared = asVolume(reserved(disk(50, undefined), 1), 'v1', true);

  it('are there for any number of users, and count once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), (users) => {
        const taken = Array.from({ length: users }, () => shared);
        expect(canTake([...BASE, shared], taken)).toBe(true);
        expect(takeResources([...BASE, shared], taken)).toContainEqual(shared);
        expect(eachSharedOnce(taken)).toEqual([shared]);
        expect(scalarQuantities(taken)).toEqual({ disk: 50 });
      }),
    );
  });

  it('are not there when nobody made them', () => {
    expect(canTake(BASE, [shared])).toBe(false);
  });
});

describe('the form for older frameworks', () => {
  it('says a single reservation in other words, and a refined one not at all', () => {
    fc.assert(
      fc.property(lives, ({ volume }) => {
        const legacy = toLegacyFormat(volume);
        const isRefined = (volume.reservations?.length ?? 0) > 1;
        if (isRefined) expect(legacy).toBeUndefined();
        else expect(toRefinedFormat(legacy === undefined ? [] : [legacy])).toEqual([volume]);
      }),
    );
  });

  it('is printed like the other', () => {
    const own = reserved(disk(50, undefined), 1);
    const legacy = toLegacyFormat(own) ?? own;
    expect(formatResources([legacy])).toBe(formatResources([own]));
  });
});

describe('conversions of one operation', () => {
  const kinds = [1, 2, 3].flatMap((megabytes) => [
    disk(megabytes, undefined),
    reserved(disk(megabytes, undefined), 1),
    reserved(disk(megabytes, undefined), 2),
    asVolume(reserved(disk(2, undefined), 1), `volume-${megabytes}`, megabytes === 3),
  ]);
  const some = fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 2 });
  const conversion = fc.record({ consumed: some, converted: some });

  it('are as those of one operation each, whatever needs what', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...kinds), { maxLength: 8 }),
        fc.array(conversion, { maxLength: 4 }),
        (resources, conversions) => {
          let inTurn: Resources | undefined = resources;
          for (const each of conversions) {
            if (inTurn !== undefined) inTurn = applyConversions(inTurn, [each]).resources;
          }
          const together = applyConversions(resources, conversions).resources;
          expect(together === undefined).toBe(inTurn === undefined);
          expect(equalResources(together ?? [], inTurn ?? [])).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
