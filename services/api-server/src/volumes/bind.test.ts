import type { ClusterId, ProjectId, VolumeId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { bindVolumes } from './bind.ts';
import type { VolumeRecord, VolumeView } from './store.ts';

const cluster = (number: number) => `clu_${number}` as ClusterId;

function view(name: string, change: Partial<VolumeRecord> = {}, machines = 0): VolumeView {
  const volume: VolumeRecord = {
    ...{ id: `vol_${name}` as VolumeId, projectId: 'prj_1' as ProjectId, name, sizeGiB: 10 },
    ...{ kind: 'directory', clusterId: cluster(1), state: 'available', leaseEpoch: 4 },
    ...{ usedBytes: null, createdAtMs: 0, droppedAtMs: null, droppedSeq: null },
    ...change,
  };
  return { volume, clusterName: `idc-${volume.clusterId.slice(4)}`, machines };
}

const refusal = (...args: Parameters<typeof bindVolumes>): string => {
  const binding = bindVolumes(...args);
  return binding.kind === 'refused' ? binding.detail : '';
};

describe('the volumes of a batch', () => {
  it('are none without any', () => {
    expect(bindVolumes([], 3, [])).toEqual({
      kind: 'bound',
      volumes: { mounts: [], clusterId: null },
    });
  });

  it('are folders for all its machines, and they go where these live', () => {
    const wanted = [
      { volume: 'scratch', path: '/data' },
      { volume: 'assets', readOnly: true },
    ];
    const binding = bindVolumes(wanted, 50, [view('scratch', {}, 7), view('assets')]);
    expect(binding).toMatchObject({
      kind: 'bound',
      volumes: {
        clusterId: cluster(1),
        mounts: [
          { volumeId: 'vol_scratch', kind: 'directory', tag: 'scratch', guestPath: '/data' },
          { volumeId: 'vol_assets', readOnly: true, leaseEpoch: 4 },
        ],
      },
    });
  });

  it('are disks of one machine, each time with a new number of its lease', () => {
    const disk = view('disk', { kind: 'block' });
    const binding = bindVolumes([{ volume: 'disk' }], 1, [disk]);
    expect(binding).toMatchObject({ volumes: { mounts: [{ leaseEpoch: 5, sizeGiB: 10 }] } });
    expect(refusal([{ volume: 'disk' }], 2, [disk])).toContain('one machine has at a time');
    expect(refusal([{ volume: 'disk' }], 1, [{ ...disk, machines: 1 }])).toContain('already');
  });

  it('are each named once', () => {
    const wanted = [{ volume: 'a' }, { volume: 'a', path: '/b' }];
    expect(refusal(wanted, 1, [view('a')])).toContain('twice');
  });

  it('must exist, live in one cluster, and not be full or going', () => {
    expect(refusal([{ volume: 'none' }], 1, [])).toContain('create it first');
    const apart = [view('a'), view('b', { clusterId: cluster(2) })];
    expect(refusal([{ volume: 'a' }, { volume: 'b' }], 1, apart)).toContain('idc-1 and idc-2');
    expect(refusal([{ volume: 'a' }], 1, [view('a', { state: 'deleting' })])).toContain('deleted');
    const full = view('a', { usedBytes: 11 * 1024 ** 3 });
    expect(refusal([{ volume: 'a' }], 1, [full])).toContain('quota of 10 GiB');
  });
});
