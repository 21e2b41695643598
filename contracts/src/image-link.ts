import { type Static, Type } from 'typebox';
import { ImageIdSchema, stringEnum } from './ids.ts';
import { ImageManifestSchema, ImageVersionSchema } from './image.ts';
import { NameSchema } from './vm.ts';

/**
 * Images over the cluster link, signed like all of it. `POST /cluster-link/v1/images`: the cluster
 * says how each version stands with it, and hears which it should have; both are told in full each
 * time, so that nothing is lost with a message, a restart or a database.
 * `POST /cluster-link/v1/image-content` gives the bytes of one, part by part.
 */
export const IMAGE_LINK_LIMITS = {
  /** Bytes of a part, in either direction: of an upload, or to a cluster. */
  partBytesMax: 4 * 1024 * 1024,
  versionsMax: 10_000,
  hostsMax: 20_000,
} as const;

export const IMAGE_PLACE_STATES = ['importing', 'ready', 'failed'] as const;

/** How a host stands with a version: 100 percent is warm. */
export const HostImageSchema = Type.Object({
  hostName: Type.String({ maxLength: 255 }),
  percent: Type.Integer({ minimum: 0, maximum: 100 }),
});
export type HostImage = Static<typeof HostImageSchema>;

/** How a version of an image stands with a cluster; a version that is not told of is not there. */
export const ClusterImageSchema = Type.Object({
  /** Its folder on shared storage. */
  name: NameSchema,
  version: ImageVersionSchema,
  state: stringEnum(IMAGE_PLACE_STATES),
  /** Of its import. */
  percent: Type.Integer({ minimum: 0, maximum: 100 }),
  /** Why it failed, or waits. */
  message: Type.Union([Type.String({ maxLength: 1024 }), Type.Null()]),
  hosts: Type.Array(HostImageSchema, { maxItems: IMAGE_LINK_LIMITS.hostsMax }),
  /** Of one that was made of a machine here: so that the api-server comes to know of it. */
  made: Type.Optional(ImageManifestSchema),
});
export type ClusterImage = Static<typeof ClusterImageSchema>;

export const ImagesRequestSchema = Type.Object({
  protocolVersion: Type.Integer(),
  epoch: Type.Integer({ minimum: 1 }),
  images: Type.Array(ClusterImageSchema, { maxItems: IMAGE_LINK_LIMITS.versionsMax }),
});
export type ImagesRequest = Static<typeof ImagesRequestSchema>;

/** A version to be brought to hosts before machines ask for it. */
export const ImageStageSchema = Type.Object({
  name: NameSchema,
  version: ImageVersionSchema,
  /** Null: all hosts. */
  hostNames: Type.Union([Type.Array(Type.String({ maxLength: 255 })), Type.Null()]),
});
export type ImageStage = Static<typeof ImageStageSchema>;

export const ImagesAnswerSchema = Type.Object({
  /** Versions that the cluster is to have; its own are not spoken of. */
  wanted: Type.Array(Type.Object({ id: ImageIdSchema, manifest: ImageManifestSchema })),
  /** Versions that are deleted: only what is named here is ever removed. */
  dropped: Type.Array(Type.Object({ name: NameSchema, version: ImageVersionSchema })),
  stages: Type.Array(ImageStageSchema),
  /** Versions that were made here and others are to have: to be sent up from `offset` on. */
  uploads: Type.Optional(
    Type.Array(
      Type.Object({
        id: ImageIdSchema,
        name: NameSchema,
        version: ImageVersionSchema,
        offset: Type.Integer({ minimum: 0 }),
      }),
    ),
  ),
  /** How fast images may come and go; no bound without it. */
  bytesPerSecond: Type.Optional(Type.Integer({ minimum: 1 })),
});
export type ImagesAnswer = Static<typeof ImagesAnswerSchema>;
export type WantedImage = ImagesAnswer['wanted'][number];

export const ImageContentRequestSchema = Type.Object({
  protocolVersion: Type.Integer(),
  imageId: ImageIdSchema,
  offset: Type.Integer({ minimum: 0 }),
});

/** `POST /cluster-link/v1/image-part`: a part of a version that the cluster was told to send up. */
export const ImagePartSchema = Type.Object({
  protocolVersion: Type.Integer(),
  imageId: ImageIdSchema,
  offset: Type.Integer({ minimum: 0 }),
  base64: Type.String({ maxLength: Math.ceil((IMAGE_LINK_LIMITS.partBytesMax * 4) / 3) + 4 }),
});
export type ImagePart = Static<typeof ImagePartSchema>;

/** How much has arrived then. */
export const ImagePartAnswerSchema = Type.Object({ offset: Type.Integer({ minimum: 0 }) });
