import {
  ClusterImageSchema,
  ImageIdSchema,
  ImageManifestSchema,
  ImageVersionSchema,
  stringEnum,
  VmIdSchema,
} from '@factory/contracts';
import { type Static, type TSchema, Type } from 'typebox';
import type { ImageView } from './service.ts';
import type { ClusterImages } from './store.ts';
import { IMAGE_STATES, type ImageState, type ImageVersionRecord } from './version.ts';

const Time = Type.String({ format: 'date-time' });
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const STATES = Object.keys(IMAGE_STATES) as ImageState[];
const { os, firmware, drivers } = ImageManifestSchema.properties;
const { state, percent, message, hosts } = ClusterImageSchema.properties;

/** How a version stands with a cluster. */
const PlaceSchema = Type.Object({ cluster: Type.String(), state, percent, message, hosts });

export const ImageVersionItemSchema = Type.Object({
  /** Of this version, from the beginning of its upload or download on. */
  id: ImageIdSchema,
  name: Type.String(),
  visibility: stringEnum(['private', 'public'] as const),
  state: stringEnum(STATES),
  stateSince: Time,
  /** By then something has happened, or the version fails. */
  deadline: orNull(Time),
  /** Why it failed, or what keeps it from going on. */
  message: orNull(Type.String()),
  ...{ os, firmware, drivers },
  minMemoryMiB: Type.Integer(),
  minDiskGiB: Type.Integer(),
  /** SHA-256 of the content; null until it is verified. */
  version: orNull(ImageVersionSchema),
  format: orNull(ImageManifestSchema.properties.format),
  /** As much as has arrived. */
  sizeBytes: Type.Integer(),
  totalBytes: orNull(Type.Integer()),
  virtualSizeBytes: orNull(Type.Integer()),
  createdAt: Time,
  /** The machine that it was made of; null for one that was brought. */
  madeOf: orNull(VmIdSchema),
  clusters: Type.Array(PlaceSchema),
});
export type ImageVersionItem = Static<typeof ImageVersionItemSchema>;

/** In lists. */
export const ImageSummarySchema = Type.Object({
  name: Type.String(),
  origin: stringEnum(['project', 'cluster'] as const),
  /** The newest version that is ready; null: there is none, or each cluster has its own. */
  version: orNull(ImageVersionSchema),
  versions: Type.Integer(),
  clusters: Type.Array(Type.String()),
});

export const ImageSchema = Type.Object({
  name: Type.String(),
  origin: stringEnum(['project', 'cluster'] as const),
  /** Newest first. Of an image of the clusters' own: none, see `places`. */
  versions: Type.Array(ImageVersionItemSchema),
  /** How every version stands with every cluster that has it. */
  places: Type.Array(Type.Object({ version: ImageVersionSchema, ...PlaceSchema.properties })),
});

/** One version as the API shows it. */
export function showVersion(
  record: ImageVersionRecord,
  clusters: readonly ClusterImages[],
): ImageVersionItem {
  const { id, name, visibility, facts, version, format, sizeBytes, totalBytes } = record;
  const { format: _claimed, readyMarker: _marker, ...said } = facts;
  return {
    ...{ id, name, visibility, state: record.state, message: record.message },
    stateSince: new Date(record.stateSinceMs).toISOString(),
    deadline: record.deadlineAtMs === null ? null : new Date(record.deadlineAtMs).toISOString(),
    ...said,
    ...{ version, format, sizeBytes, totalBytes, virtualSizeBytes: record.virtualSizeBytes },
    createdAt: new Date(record.createdAtMs).toISOString(),
    madeOf: record.source.kind === 'vm' ? record.source.vmId : null,
    clusters: placesOf(clusters)
      .filter((each) => each.version === version)
      .map(({ version: _version, ...place }) => place),
  };
}

export function showSummary(view: ImageView): Static<typeof ImageSummarySchema> {
  const { name, origin, versions, clusterNames } = view;
  const newest = versions.find((each) => each.state === 'ready');
  const version = newest?.version ?? null;
  return { name, origin, version, versions: versions.length, clusters: [...clusterNames] };
}

export function showImage(view: ImageView): Static<typeof ImageSchema> {
  const { name, origin, versions, clusters } = view;
  return {
    ...{ name, origin },
    versions: versions.map((each) => showVersion(each, clusters)),
    places: placesOf(clusters),
  };
}

function placesOf(clusters: readonly ClusterImages[]) {
  return clusters.flatMap(({ clusterName: cluster, images }) =>
    images.map(({ name: _folder, hosts: on, ...place }) => ({ cluster, ...place, hosts: [...on] })),
  );
}
