import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, type Logger } from '@factory/runtime';
import type { RegistryCredentials } from './docker-config.ts';
import {
  EMPTY_CONFIG,
  type ImageConfig,
  ImageError,
  type ProvidedImage,
  parseImageConfig,
  parseJson,
} from './image.ts';
import { extractLayer, unpacked } from './layer.ts';
import { type ImageReference, parseReference } from './reference.ts';
import {
  type Descriptor,
  imageArchitecture,
  type Manifest,
  type RegistryClient,
  readManifest,
} from './registry-client.ts';
import { tarEntries } from './tar-entries.ts';

/** Where images come from: `--docker_registry`. */
export type ImageOrigin =
  /** A directory of the host with images in it. */
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'registry'; readonly client: RegistryClient };

/** What an image store is made of. */
export interface ImageStoreOptions {
  readonly logger: Logger;
  /** `--docker_store_dir`. */
  readonly directory: string;
  readonly origin: ImageOrigin;
}

/**
 * Images on this host. Layers are kept by what they and those below consist of, so that images
 * share them:
 *
 *   layers/<chain>/rootfs    a layer's files
 *   images/<name>.json       the chains of an image, and its configuration
 *   staging/                 what is not complete; emptied at the start
 */
export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #pulls = new Map<string, Promise<ProvidedImage>>();
  #prepared: Promise<void> | undefined;

  constructor(options: ImageStoreOptions) {
    this.#options = options;
  }

  /**
   * The image, from the store or its origin; one that several ask for is pulled once.
   * @param isCached false: the origin is asked even when the store has the image.
   * @param credentials of who wants it, besides the agent's own.
   * @throws ImageError, HttpTransportError
   */
  async provide(
    name: string,
    isCached = true,
    credentials?: RegistryCredentials,
  ): Promise<ProvidedImage> {
    const reference = parseReference(name);
    this.#prepared ??= this.#prepare();
    await this.#prepared;
    const known = isCached ? await this.#read(name) : undefined;
    if (known !== undefined) return known;
    const running = this.#pulls.get(name);
    if (running !== undefined) return running;
    const pull = this.#pull(name, reference, credentials).finally(() => this.#pulls.delete(name));
    this.#pulls.set(name, pull);
    return pull;
  }

  /** Removes all images but those that are named, and layers that nobody needs (PRUNE_IMAGES). */
  async prune(keep: ReadonlySet<string>): Promise<void> {
    const used = new Set<string>();
    const directory = join(this.#options.directory, 'images');
    for (const file of await namesIn(directory)) {
      const name = decodeURIComponent(file.replace(/\.json$/, ''));
      if (keep.has(name)) {
        for (const layer of (await this.#read(name))?.layers ?? []) used.add(layer);
      } else await rm(join(directory, file), { force: true });
    }
    for (const chain of await namesIn(join(this.#options.directory, 'layers'))) {
      if (used.has(this.#layerPath(chain))) continue;
      await rm(join(this.#options.directory, 'layers', chain), { recursive: true, force: true });
    }
  }

  async #prepare(): Promise<void> {
    const { directory } = this.#options;
    await rm(join(directory, 'staging'), { recursive: true, force: true });
    for (const name of ['staging', 'layers', 'images']) {
      await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
    }
  }

  async #pull(
    name: string,
    reference: ImageReference,
    credentials: RegistryCredentials | undefined,
  ): Promise<ProvidedImage> {
    const staging = join(this.#options.directory, 'staging', encodeURIComponent(name));
    this.#options.logger.info({ image: name }, 'getting an image');
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { recursive: true });
    try {
      const image = await this.#fetch(reference, staging, credentials);
      await this.#write(name, image);
      return image;
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }

  async #fetch(
    reference: ImageReference,
    staging: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<ProvidedImage> {
    const { origin } = this.#options;
    if (origin.kind === 'registry') {
      const client = credentials ? origin.client.withCredentials(credentials) : origin.client;
      const manifest = await client.manifest(reference, imageArchitecture());
      return this.#assemble(manifest, staging, async (blob) => {
        const path = join(staging, blob.digest.replace(':', '-'));
        await client.download(reference, blob, path);
        return path;
      });
    }
    const found = await findLocal(origin.path, reference);
    return found.isDirectory
      ? this.#fromDirectory(found.path, staging)
      : this.#fromArchive(found.path, staging);
  }

  /** A root file system, or an OCI image layout. */
  async #fromDirectory(path: string, staging: string): Promise<ProvidedImage> {
    const isLayout = (await namesIn(path)).includes('oci-layout');
    if (isLayout) return this.#fromLayout(path, staging);
    return { layers: [path], config: EMPTY_CONFIG };
  }

  /** An OCI archive, what `docker save` writes, or a root file system. */
  async #fromArchive(path: string, staging: string): Promise<ProvidedImage> {
    const names = new Set<string>();
    for await (const entry of tarEntries(await unpacked(path))) {
      names.add(entry.path.replace(/^\.\//, ''));
    }
    if (!names.has('oci-layout') && !names.has('manifest.json')) {
      const layer = await this.#layer(await digestOfFile(path), [], staging, async () => path);
      return { layers: [layer], config: EMPTY_CONFIG };
    }
    const directory = join(staging, 'archive');
    await extractLayer(path, directory, []);
    if (names.has('oci-layout')) return this.#fromLayout(directory, staging);
    return this.#fromDockerSave(directory, staging);
  }

  async #fromLayout(directory: string, staging: string): Promise<ProvidedImage> {
    const blobPath = ({ digest }: Descriptor): string =>
      join(directory, 'blobs', ...digest.split(':'));
    let text = await readFile(join(directory, 'index.json'), 'utf8');
    for (let depth = 0; depth < 4; depth += 1) {
      const found = readManifest(text, imageArchitecture());
      if ('manifest' in found) {
        return this.#assemble(found.manifest, staging, async (blob) => {
          const path = blobPath(blob);
          if ((await digestOfFile(path)) === blob.digest) return path;
          throw new ImageError(`${blob.digest} is not what its digest says`);
        });
      }
      text = await readFile(blobPath(found.next), 'utf8');
    }
    throw new ImageError('the indexes of the image go round in circles');
  }

  async #fromDockerSave(directory: string, staging: string): Promise<ProvidedImage> {
    const text = await readFile(join(directory, 'manifest.json'), 'utf8');
    const all = parseJson<readonly { Config: string; Layers: readonly string[] }[]>(
      text,
      'manifest.json',
    );
    const [image] = all;
    if (image === undefined) throw new ImageError('the archive holds no image');
    const inside = (path: string): string => {
      if (path.split('/').includes('..'))
        throw new ImageError('manifest.json leads out of the archive');
      return join(directory, path);
    };
    const layers: string[] = [];
    for (const path of image.Layers.map(inside)) {
      layers.push(await this.#layer(await digestOfFile(path), layers, staging, async () => path));
    }
    const config = parseImageConfig(await readFile(inside(image.Config), 'utf8'));
    return { layers, config };
  }

  async #assemble(
    manifest: Manifest,
    staging: string,
    blobFile: (blob: Descriptor) => Promise<string>,
  ): Promise<ProvidedImage> {
    const config = parseImageConfig(await readFile(await blobFile(manifest.config), 'utf8'));
    const layers: string[] = [];
    for (const blob of manifest.layers) {
      layers.push(await this.#layer(blob.digest, layers, staging, () => blobFile(blob)));
    }
    return { layers, config };
  }

  /** One layer on top of others: from the store, or extracted into it. */
  async #layer(
    digest: string,
    lower: readonly string[],
    staging: string,
    file: () => Promise<string>,
  ): Promise<string> {
    const chain = createHash('sha256')
      .update([...lower, digest].join(' '))
      .digest('hex');
    const path = this.#layerPath(chain);
    if (await exists(path)) return path;
    const unfinished = join(staging, `${chain}.layer`);
    await extractLayer(await file(), join(unfinished, 'rootfs'), lower);
    await rm(join(this.#options.directory, 'layers', chain), { recursive: true, force: true });
    try {
      await rename(unfinished, join(this.#options.directory, 'layers', chain));
    } catch (error) {
      // Another image with the same layers was quicker.
      if (!hasErrorCode(error, 'ENOTEMPTY') && !hasErrorCode(error, 'EEXIST')) throw error;
    }
    return path;
  }

  #layerPath(chain: string): string {
    return join(this.#options.directory, 'layers', chain, 'rootfs');
  }

  #imageFile(name: string): string {
    return join(this.#options.directory, 'images', `${encodeURIComponent(name)}.json`);
  }

  async #write(name: string, image: ProvidedImage): Promise<void> {
    const file = this.#imageFile(name);
    await writeFile(`${file}.new`, JSON.stringify(image));
    await rename(`${file}.new`, file);
  }

  async #read(name: string): Promise<ProvidedImage | undefined> {
    const text = await readFile(this.#imageFile(name), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const image = parseJson<{ layers: string[]; config: ImageConfig }>(text, `image ${name}`);
    // Somebody may have tidied up the store.
    for (const layer of image.layers) if (!(await exists(layer))) return undefined;
    return image;
  }
}

async function findLocal(
  directory: string,
  { repository, tag }: ImageReference,
): Promise<{ readonly path: string; readonly isDirectory: boolean }> {
  const bases = [`${repository}:${tag}`, ...(tag === 'latest' ? [repository] : [])];
  const candidates = bases.flatMap((base) => [base, `${base}.tar`, `${base}.tar.gz`]);
  for (const name of candidates) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) return { path, isDirectory: found.isDirectory() };
  }
  throw new ImageError(`there is no image ${repository}:${tag} in ${directory}`);
}

async function namesIn(path: string): Promise<readonly string[]> {
  return readdir(path).catch(() => []);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
