import { createHash } from 'node:crypto';
import type { SimulatedHost } from '../hypervisor/simulated-host.ts';
import type { ImagePublisher } from './publisher.ts';

/** The images that are made on a simulated host. */
export function createMemoryPublisher(host: SimulatedHost): ImagePublisher {
  return {
    async publish(_draftPath, { name, readyMarker }, { id, onProgress, signal }) {
      host.partialImages.add(id);
      host.useStorage('publishing the image');
      await host.call('diskCopyMs');
      host.mayFail('publishing the image');
      onProgress(100);
      signal.throwIfAborted();
      const content = [...host.folders.values()]
        .map(({ drafts }) => drafts?.get(id))
        .find((draft) => draft !== undefined);
      const version = createHash('sha256')
        .update(content ?? '')
        .digest('hex');
      host.publishImage({ name, version, virtualSizeBytes: 1 << 20, readyMarker });
      host.partialImages.delete(id);
      return { version, sizeBytes: content?.length ?? 0 };
    },
    async discard(_name, id) {
      host.useStorage('removing an unfinished image');
      host.partialImages.delete(id);
    },
  };
}
