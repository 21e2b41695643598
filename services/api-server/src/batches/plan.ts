import {
  type BatchPlan,
  type BatchVolume,
  type ClusterId,
  PROBLEMS,
  type ProjectId,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import { type Preview, roomOf } from '../planning/preview.ts';
import type { MachineAmounts, QuotaExcess } from '../quota/rules.ts';
import { bindVolumes, machinesOf } from '../volumes/bind.ts';
import type { VolumeStore, VolumeView } from '../volumes/store.ts';
import type { BatchSize } from './store.ts';

/** Where the machines of a batch must be for their volumes; null: anywhere. @throws ProblemError */
export async function clusterOf(
  volumes: VolumeStore,
  projectId: ProjectId,
  wanted: readonly BatchVolume[],
  size: BatchSize,
): Promise<ClusterId | null> {
  const found: VolumeView[] = [];
  for (const { volume: name } of wanted) {
    found.push(...(await volumes.list({ projectId, name, limit: 1 })));
  }
  const binding = bindVolumes(wanted, machinesOf(size), found);
  if (binding.kind === 'bound') return binding.volumes.clusterId;
  throw new ProblemError(PROBLEMS.volumeUnusable, binding.detail, { field: 'volumes' });
}

/** A dry run as the API shows it. */
export function showPlan(
  preview: Preview,
  asked: MachineAmounts,
  excess: QuotaExcess | undefined,
  recentSeconds: readonly number[],
): BatchPlan {
  const fits = preview.unplaced === 0;
  return {
    fits,
    clusters: preview.clusters.map((part) => ({
      ...{ id: part.clusterId, name: part.name, vcpus: roomOf(part).vcpus },
      machines: part.machines.map(({ shape, count }) => ({ shape: { ...shape }, count })),
    })),
    unplaced: preview.unplaced,
    reason: preview.reason,
    quota: { asked, exceeded: excess ?? null },
    estimatedSeconds: fits ? medianOf(recentSeconds) : null,
  };
}

function medianOf(figures: readonly number[]): number | null {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
