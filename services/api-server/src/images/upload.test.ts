import type { ImageId } from '@factory/contracts';
import { createIdGenerator, sleep, systemClock, systemRandom } from '@factory/runtime';
import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { createMemoryImageFiles, type ImageFiles } from './files.ts';
import { ImageService } from './service.ts';
import { ImageUploads } from './upload.ts';

describeOnEachStore('uploads by way of several api-servers', (test) => {
  it('write one part at a time, and are not complete while one is written', async () => {
    const { factory, clock } = test();
    const { store, caller } = factory;
    const memory = createMemoryImageFiles();
    let [writing, most] = [0, 0];
    const files: ImageFiles = {
      ...memory,
      async write(id, offset, bytes) {
        writing += 1;
        most = Math.max(most, writing);
        await sleep(systemClock, 30);
        writing -= 1;
        return memory.write(id, offset, bytes);
      },
    };
    const newId = createIdGenerator(clock, systemRandom);
    const parts = { store, files, clock, wake: () => undefined };
    const server = () => {
      const images = new ImageService({ ...parts, newId });
      return new ImageUploads({ ...parts, images, sizeBytesMax: 1_000 });
    };
    const [one, two] = [server(), server()];
    const created = await caller.ok('POST', '/v1/images', { name: 'web', sizeBytes: 20 });
    const id: ImageId = created.id;
    const { projectId } = caller;
    await one.put(projectId, id, 0, Buffer.alloc(10, 1));
    // The second half comes twice, as from a client that gave the first server up.
    const both = [one, two].map((each) => each.put(projectId, id, 10, Buffer.alloc(10, 2)));
    expect(await Promise.all(both)).toEqual([20, 20]);
    expect(most).toBe(1);
    const again = two.put(projectId, id, 10, Buffer.alloc(10, 2));
    const completed = await one.complete(projectId, id);
    expect(completed.sizeBytes).toBe(20);
    expect(writing).toBe(0);
    await again.catch(() => undefined);
    expect(writing).toBe(0);
  });
});
