import {
  ImageManifestSchema,
  ImageVersionSchema,
  PROBLEMS,
  ProjectImageNameSchema,
  stringEnum,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import { type Static, Type } from 'typebox';
import type { ImageSource } from './version.ts';

const { os, firmware, drivers, format, readyMarker } = ImageManifestSchema.properties;

/** `POST /v1/images`: a new version of an image, whose content is uploaded next, or fetched. */
export const ImageRequestSchema = Type.Object(
  {
    name: ProjectImageNameSchema,
    visibility: Type.Optional(stringEnum(['private', 'public'] as const)),
    os: Type.Optional(os),
    firmware: Type.Optional(firmware),
    drivers: Type.Optional(drivers),
    minMemoryMiB: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 * 1024 })),
    minDiskGiB: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
    /** Needed for a raw disk. */
    format: Type.Optional(format),
    readyMarker,
    /** Of the whole file: an upload of another size or sum is refused. */
    sizeBytes: Type.Optional(Type.Integer({ minimum: 1 })),
    sha256: Type.Optional(ImageVersionSchema),
    source: Type.Optional(
      Type.Object(
        {
          url: Type.String({ minLength: 8, maxLength: 2048 }),
          sha256: Type.Optional(ImageVersionSchema),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type ImageRequest = Static<typeof ImageRequestSchema>;

/** Where the content comes from. @throws ProblemError for a URL that can't be one. */
export function requireSource({ source }: ImageRequest): ImageSource {
  if (source === undefined) return { kind: 'upload' };
  const url = URL.canParse(source.url) ? new URL(source.url) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (isHttp && url.username === '' && url.password === '') return { kind: 'url', url: url.href };
  const detail = 'The URL must be http:// or https://, without a user name or password.';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'source.url' });
}
