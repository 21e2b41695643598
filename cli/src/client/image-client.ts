import { IMAGE_LINK_LIMITS, type ImageManifest, ImageManifestSchema } from '@factory/contracts';
import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { FactoryClient } from './factory-client.ts';

const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Place = Type.Object({
  cluster: Type.String(),
  state: Type.String(),
  percent: Type.Integer(),
  message: orNull(Type.String()),
  hosts: Type.Array(Type.Object({ hostName: Type.String(), percent: Type.Integer() })),
});
const Version = Type.Object({
  id: Type.String(),
  name: Type.String(),
  visibility: Type.String(),
  state: Type.String(),
  message: orNull(Type.String()),
  version: orNull(Type.String()),
  os: ImageManifestSchema.properties.os,
  sizeBytes: Type.Integer(),
  totalBytes: orNull(Type.Integer()),
  createdAt: Type.String(),
  clusters: Type.Array(Place),
});
const Image = Type.Object({
  name: Type.String(),
  origin: Type.String(),
  versions: Type.Array(Version),
  places: Type.Array(Type.Interface([Place], { version: Type.String() })),
});
const Summary = Type.Object({
  name: Type.String(),
  origin: Type.String(),
  version: orNull(Type.String()),
  versions: Type.Integer(),
  clusters: Type.Array(Type.String()),
});
export type ImageVersion = Static<typeof Version>;
export type Image = Static<typeof Image>;
export type ImageSummary = Static<typeof Summary>;

const versionAnswer = Compile(Version);
const imageAnswer = Compile(Image);
const listAnswer = Compile(Type.Object({ items: Type.Array(Summary) }));
const offsetAnswer = Compile(Type.Object({ offset: Type.Integer() }));

const Stage = Type.Object({ cluster: Type.String(), version: Type.String() });
type Stage = Static<typeof Stage>;
const stageAnswer = Compile(Type.Object({ stages: Type.Array(Stage) }));

/** Where a version is wanted; by default on all hosts. */
export interface StageWish {
  readonly version?: string;
  readonly clusters?: readonly string[];
  readonly hosts?: readonly string[];
}

const PART_TIMEOUT_MS = 120_000;
/** Bytes of a part; the API takes no more at a time. */
export const PART_BYTES = IMAGE_LINK_LIMITS.partBytesMax;

/** What is said of an image when a version of it is begun. */
export interface NewImage
  extends Partial<
    Pick<
      ImageManifest,
      'os' | 'firmware' | 'drivers' | 'minMemoryMiB' | 'minDiskGiB' | 'format' | 'sizeBytes'
    >
  > {
  readonly name: string;
  readonly visibility?: 'private' | 'public';
  readonly sha256?: string;
  readonly source?: { readonly url: string; readonly sha256?: string };
}

/** The part of the REST API that is about images. */
export class ImageClient {
  readonly #client: Pick<FactoryClient, 'call' | 'putBytes'>;

  constructor(client: Pick<FactoryClient, 'call' | 'putBytes'>) {
    this.#client = client;
  }

  async list(): Promise<readonly ImageSummary[]> {
    return (await this.#client.call('GET', '/v1/images', (value) => listAnswer.Parse(value))).items;
  }

  get(name: string): Promise<Image> {
    const path = `/v1/images/${encodeURIComponent(name)}`;
    return this.#client.call('GET', path, (value) => imageAnswer.Parse(value));
  }

  create(image: NewImage): Promise<ImageVersion> {
    return this.#client.call('POST', '/v1/images', (value) => versionAnswer.Parse(value), image);
  }

  /** How much of an upload has arrived, in bytes. */
  async offset(id: string): Promise<number> {
    const path = `/v1/images/${id}/content`;
    return (await this.#client.call('GET', path, (value) => offsetAnswer.Parse(value))).offset;
  }

  /** Sends a part; gives how much has arrived then. */
  async put(id: string, offset: number, bytes: Uint8Array): Promise<number> {
    const path = `/v1/images/${id}/content?offset=${offset}`;
    const decode = (value: unknown) => offsetAnswer.Parse(value);
    return (await this.#client.putBytes(path, bytes, PART_TIMEOUT_MS, decode)).offset;
  }

  complete(id: string, sha256: string): Promise<ImageVersion> {
    const path = `/v1/images/${id}:complete`;
    return this.#client.call('POST', path, (value) => versionAnswer.Parse(value), { sha256 });
  }

  /** Wants a version on hosts; gives which version that is in which cluster. */
  async stage(name: string, wish: StageWish): Promise<readonly Stage[]> {
    const path = `/v1/images/${encodeURIComponent(name)}:stage`;
    const decode = (value: unknown) => stageAnswer.Parse(value);
    return (await this.#client.call('POST', path, decode, wish)).stages;
  }

  deleteVersion(name: string, version: string): Promise<void> {
    const path = `/v1/images/${encodeURIComponent(name)}/versions/${version}`;
    return this.#client.call('DELETE', path, () => undefined);
  }
}
