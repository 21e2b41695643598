import type { Clock, IdGenerator, Logger, Random } from '@factory/runtime';
import type { ApiStore } from '../store/api-store.ts';
import { ImageCopies } from './copies.ts';
import { createMemoryImageFiles, type ImageFiles } from './files.ts';
import { ImageLink } from './link.ts';
import { Replication } from './replication.ts';
import { ImageService } from './service.ts';
import { ImageUploads } from './upload.ts';
import { DownloadRefusedError, type ImageDownloads, ImageWorker } from './worker.ts';

/** What the world gives to images. */
export interface ImageSettings {
  readonly files: ImageFiles;
  readonly downloads: ImageDownloads;
  /** Of one version. */
  readonly sizeBytesMax: number;
}

/** For tests and simulations: content in memory, and no way out. */
export function createMemoryImageSettings(): ImageSettings {
  return {
    files: createMemoryImageFiles(),
    downloads: {
      fetch: async ({ source }) => {
        const url = source.kind === 'url' ? source.url : '';
        throw new DownloadRefusedError(`Nothing is fetched here: ${url}`);
      },
    },
    sizeBytesMax: 1024 ** 3,
  };
}

/** All parts of the api-server that have to do with images. */
export interface ImagePlane {
  readonly service: ImageService;
  readonly uploads: ImageUploads;
  readonly link: ImageLink;
  readonly worker: ImageWorker;
  readonly replication: Replication;
}

export function createImagePlane(
  { files, downloads, sizeBytesMax }: ImageSettings,
  parts: {
    readonly store: Pick<ApiStore, 'images' | 'clusters' | 'replicas'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly newId: IdGenerator;
  },
): ImagePlane {
  const { store, clock, random, logger, newId } = parts;
  const wake = (): void => worker.wake();
  const service = new ImageService({ store, files, clock, newId, wake });
  const replication = new Replication({ store, images: service, clock });
  const worker = new ImageWorker({ store, files, downloads, replication, clock, random, logger });
  const uploads = new ImageUploads({ store, images: service, files, clock, wake, sizeBytesMax });
  const copies = new ImageCopies({ store, files, clock, logger });
  const link = new ImageLink({ store, files, copies, clock, newId });
  return { service, uploads, link, worker, replication };
}
