import type { ClusterId, ImageId, VmId } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClusterRecord } from '../clusters/store.ts';
import { homesOf, replicasFor, wantedAt } from './placement.ts';

const NOW_MS = 1_000_000;
const clusterId = (n: number): ClusterId => `clu_${String(n).padStart(32, '0')}` as ClusterId;
const imageId = `img_${'1'.repeat(32)}` as ImageId;
const clusterIds = fc.uniqueArray(fc.nat(50).map(clusterId), { maxLength: 8 });

describe('the homes of a version', () => {
  it('are two of the clusters, whatever order these are told in', () => {
    fc.assert(
      fc.property(clusterIds, (all) => {
        const homes = homesOf(imageId, all);
        expect(homes).toHaveLength(Math.min(2, all.length));
        expect(homesOf(imageId, all.toReversed())).toEqual(homes);
      }),
    );
  });

  it('stay when a cluster goes that is none of them', () => {
    fc.assert(
      fc.property(clusterIds, (all) => {
        const homes = homesOf(imageId, all);
        for (const gone of all.filter((each) => !homes.includes(each))) {
          expect(
            homesOf(
              imageId,
              all.filter((each) => each !== gone),
            ),
          ).toEqual(homes);
        }
      }),
    );
  });
});

describe('where a version is wanted', () => {
  const heard = [1, 2, 3, 4].map(clusterId);
  const privately = { id: imageId, visibility: 'private', source: { kind: 'upload' } } as const;
  const at = (record: Parameters<typeof wantedAt>[0], replicas = [] as never[]) =>
    heard.filter((each) => wantedAt(record, each, { heard, replicas }) !== undefined);

  it('is everywhere for a public one, and in its homes for a private one', () => {
    expect(at({ ...privately, visibility: 'public' })).toEqual(heard);
    expect(at(privately)).toEqual(homesOf(imageId, heard).toSorted());
  });

  it('is nowhere else for one that was made of a machine, until somebody asks', () => {
    const made = { ...privately, source: { kind: 'vm', vmId: 'vm_1' as VmId } } as const;
    expect(at(made)).toEqual([]);
    const replica = { clusterId: clusterId(3), imageId, wantedBy: 'user', untilMs: null } as const;
    expect(wantedAt(made, clusterId(3), { heard, replicas: [replica] })).toBe('user');
  });
});

describe('copies for batches that wait', () => {
  const cluster = (n: number, freeVcpus: number, versions: readonly string[] = []) =>
    ({
      ...{ id: clusterId(n), name: `idc-${n}`, lastSeenAtMs: NOW_MS },
      capacity: { freeVcpus, promisedVcpus: 0, allImageVersions: { web: versions } },
    }) as unknown as ClusterRecord;
  const demand = { imageId, folder: 'web', version: 'v', vcpus: 100 };

  it('are brought to as many of the roomiest clusters as are needed', () => {
    const clusters = [cluster(1, 40, ['v']), cluster(2, 30), cluster(3, 50), cluster(4, 20)];
    expect(replicasFor(demand, clusters, NOW_MS)).toEqual([clusterId(3), clusterId(2)]);
    expect(replicasFor({ ...demand, vcpus: 40 }, clusters, NOW_MS)).toEqual([]);
  });

  it('are brought to no cluster that is silent or full', () => {
    const silent = { ...cluster(2, 500), lastSeenAtMs: 0 };
    expect(replicasFor(demand, [silent, cluster(3, 0)], NOW_MS)).toEqual([]);
  });
});
