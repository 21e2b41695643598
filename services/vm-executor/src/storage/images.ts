import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BadJsonFileError, readJsonIfExists } from '@factory/runtime';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { VmFailure } from '../failures.ts';
import type { Image } from './port.ts';

/** `<name>.json` beside `<name>.qcow2`; further fields are for people and other tools. */
const ManifestSchema = Type.Object({
  virtualSizeBytes: Type.Integer({ minimum: 1 }),
  readyMarker: Type.Optional(Type.String({ minLength: 1 })),
});

/** An image as a file. */
export interface ImageFile extends Image {
  readonly path: string;
}

/** The base images in a folder. */
export interface Images {
  /** @throws VmFailure `IMAGE_MISSING` or `IMAGE_CORRUPT`. */
  find(name: string): Promise<ImageFile>;
}

/** The images in `folder`; a manifest is read once, as an image never changes under its name. */
export function createImages(folder: string): Images {
  const known = new Map<string, ImageFile>();
  return {
    async find(name) {
      const cached = known.get(name);
      if (cached !== undefined) return cached;
      const image = await readImage(folder, name);
      known.set(name, image);
      return image;
    },
  };
}

async function readImage(folder: string, name: string): Promise<ImageFile> {
  const manifestPath = join(folder, `${name}.json`);
  const manifest = await readJsonIfExists(manifestPath).catch((cause: unknown) => {
    if (!(cause instanceof BadJsonFileError)) throw cause;
    throw new VmFailure('IMAGE_CORRUPT', `The manifest of image ${name} is not JSON.`, { cause });
  });
  if (manifest === undefined) throw new VmFailure('IMAGE_MISSING', missingImageMessage(name));
  if (!Value.Check(ManifestSchema, manifest)) {
    throw new VmFailure('IMAGE_CORRUPT', `The manifest of image ${name} lacks what it must say.`);
  }
  const { virtualSizeBytes, readyMarker } = manifest;
  return { name, path: join(folder, `${name}.qcow2`), virtualSizeBytes, readyMarker };
}

/** All images in `folder` with a manifest that can be read. */
export async function readImages(folder: string): Promise<readonly ImageFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const images = names.map((name) => readImage(folder, name.slice(0, -'.json'.length)));
  return (await Promise.allSettled(images)).flatMap((result) =>
    result.status === 'fulfilled' ? [result.value] : [],
  );
}

/** What to say of an image that is not there. */
export function missingImageMessage(name: string): string {
  return `This host has no image named ${name}.`;
}
