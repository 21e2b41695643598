import {
  type ImageId,
  type ImageManifest,
  imageNameOf,
  type ProjectId,
  projectImageFolder,
  type VmId,
} from '@factory/contracts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * The states of a version: who moves it on, by when, and what becomes of it if nobody does. A
 * deadline counts from the last sign of progress.
 */
export const IMAGE_STATES = {
  uploading: { owner: 'user', deadlineMs: DAY_MS, atDeadline: 'failed' },
  downloading: { owner: 'api-server', deadlineMs: HOUR_MS, atDeadline: 'failed' },
  verifying: { owner: 'api-server', deadlineMs: HOUR_MS, atDeadline: 'failed' },
  ready: { owner: null, deadlineMs: null, atDeadline: null },
  failed: { owner: 'api-server', deadlineMs: 7 * DAY_MS, atDeadline: 'forgotten' },
  /** Until no cluster has it; one that does not come back is not waited for any longer. */
  deleting: { owner: 'clusters', deadlineMs: 7 * DAY_MS, atDeadline: 'forgotten' },
} as const;
export type ImageState = keyof typeof IMAGE_STATES;

/** What the owner of an image says of it. */
export interface ImageFacts
  extends Pick<ImageManifest, 'os' | 'firmware' | 'drivers' | 'minMemoryMiB' | 'readyMarker'> {
  /** At least; never less than the disk is large. */
  readonly minDiskGiB: number;
  /** Needed for a raw disk. */
  readonly format?: ImageManifest['format'];
}

/** Where the content comes from. */
export type ImageSource =
  | { readonly kind: 'upload' }
  | { readonly kind: 'url'; readonly url: string; readonly etag?: string }
  /** Made where this machine was; its content is there alone, until another cluster is to have it. */
  | { readonly kind: 'vm'; readonly vmId: VmId };

/** One version of a project's image, as it is kept. */
export interface ImageVersionRecord {
  readonly id: ImageId;
  readonly projectId: ProjectId;
  readonly name: string;
  /** Its folder on the clusters' storage (contracts: `projectImageFolder`). */
  readonly folder: string;
  readonly visibility: 'private' | 'public';
  readonly state: ImageState;
  readonly stateSinceMs: number;
  readonly deadlineAtMs: number | null;
  /** Until then an api-server works on it. */
  readonly leaseUntilMs: number;
  /** Why it failed. */
  readonly message: string | null;
  readonly facts: ImageFacts;
  readonly source: ImageSource;
  readonly expectedSha256: string | null;
  /** SHA-256 of the content; from `ready` on. */
  readonly version: string | null;
  readonly format: ImageManifest['format'] | null;
  /** As much as is here. */
  readonly sizeBytes: number;
  /** What is to come in all, where that is known. */
  readonly totalBytes: number | null;
  readonly virtualSizeBytes: number | null;
  readonly createdAtMs: number;
  /** Of one that was made of a machine: since when its content is here, too. */
  readonly copiedAtMs: number | null;
}

/** What changes when a version goes into a state, or makes progress in it. Pure. */
export function inState(
  state: ImageState,
  nowMs: number,
): Pick<ImageVersionRecord, 'state' | 'stateSinceMs' | 'deadlineAtMs' | 'leaseUntilMs'> {
  const { deadlineMs } = IMAGE_STATES[state];
  const deadlineAtMs = deadlineMs === null ? null : nowMs + deadlineMs;
  return { state, stateSinceMs: nowMs, deadlineAtMs, leaseUntilMs: 0 };
}

/** The manifest that clusters publish; undefined for a version whose content is not known yet. */
export function manifestOf(record: ImageVersionRecord): ImageManifest | undefined {
  const { folder, version, format, virtualSizeBytes, sizeBytes, createdAtMs, facts } = record;
  if (version === null || format === null || virtualSizeBytes === null) return undefined;
  const { format: _claimed, ...said } = facts;
  return { ...said, name: folder, version, format, sizeBytes, virtualSizeBytes, createdAtMs };
}

/**
 * What is kept of a version that was made of a machine, by what its cluster says of it; undefined when
 * that can't be so. Pure.
 */
export function madeVersion(
  id: ImageId,
  manifest: ImageManifest,
  nowMs: number,
): ImageVersionRecord | undefined {
  const { name: folder, madeOf, version, format, sizeBytes, virtualSizeBytes } = manifest;
  const name = imageNameOf(folder);
  if (madeOf === undefined) return undefined;
  const { projectId, vmId } = madeOf;
  // A cluster's word is not enough to put something under another project's name.
  if (folder !== projectImageFolder(projectId, name)) return undefined;
  const { os, firmware, drivers, minMemoryMiB, minDiskGiB, readyMarker } = manifest;
  return {
    ...inState('ready', nowMs),
    ...{ id, projectId, name, folder, visibility: 'private', message: null },
    facts: {
      ...{ os, firmware, drivers, minMemoryMiB, minDiskGiB },
      ...(readyMarker === undefined ? {} : { readyMarker }),
    },
    source: { kind: 'vm', vmId },
    ...{ expectedSha256: null, version, format, sizeBytes, totalBytes: sizeBytes },
    ...{ virtualSizeBytes, createdAtMs: manifest.createdAtMs, copiedAtMs: null },
  };
}
