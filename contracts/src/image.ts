import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { ProjectIdSchema, stringEnum, VmIdSchema } from './ids.ts';
import { NAME_PATTERN, NameSchema } from './vm.ts';

/** SHA-256 of an image's file: what it is called by in specs, paths and caches. */
export const ImageVersionSchema = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** An image as people ask for it: `name`, or `name@version`, whose version may be cut short. */
export const ImageWishSchema = Type.String({
  pattern: `${NAME_PATTERN.slice(0, -1)}(@[0-9a-f]{8,64})?$`,
  maxLength: 128,
});

/**
 * What is known of a version of an image: `<images>/<name>/<version>.json`, beside its file
 * `<version>.qcow2` or `.raw`. Neither ever changes. Further fields are for people.
 */
export const ImageManifestSchema = Type.Object({
  name: NameSchema,
  version: ImageVersionSchema,
  format: stringEnum(['qcow2', 'raw']),
  /** Of the file. */
  sizeBytes: Type.Integer({ minimum: 0 }),
  /** Of the disk that a guest sees. */
  virtualSizeBytes: Type.Integer({ minimum: 1 }),
  /** When it was published: the newest version is the one that a bare name means. */
  createdAtMs: Type.Integer({ minimum: 0 }),
  os: stringEnum(['linux', 'windows', 'other']),
  firmware: stringEnum(['bios', 'uefi']),
  /** What its system has drivers for. */
  drivers: stringEnum(['virtio', 'emulated']),
  minMemoryMiB: Type.Integer({ minimum: 1 }),
  minDiskGiB: Type.Integer({ minimum: 1 }),
  /** The line on the serial console that says that the guest is up. */
  readyMarker: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  /** Of one that was made of a machine's disk: whose it is. */
  madeOf: Type.Optional(Type.Object({ projectId: ProjectIdSchema, vmId: VmIdSchema })),
});
export type ImageManifest = Static<typeof ImageManifestSchema>;

/** A version of an image as it is asked for; without `version` the newest is meant. */
export interface ImageRef {
  readonly name: string;
  readonly version?: string;
}

/** The version that a bare name means; undefined when there is none. */
export function newestImage(manifests: readonly ImageManifest[]): ImageManifest | undefined {
  return manifests.reduce<ImageManifest | undefined>(
    (best, each) => (best === undefined || isNewer(each, best) ? each : best),
    undefined,
  );
}

/** Of two of one moment it is always the same one, whoever asks. */
function isNewer(one: ImageManifest, other: ImageManifest): boolean {
  if (one.createdAtMs !== other.createdAtMs) return one.createdAtMs > other.createdAtMs;
  return one.version > other.version;
}

/** What a manifest's text says; undefined when it is none. */
export function parseImageManifest(text: string): ImageManifest | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(ImageManifestSchema, value) ? value : undefined;
  } catch {
    // Not JSON: no manifest either.
    return undefined;
  }
}
