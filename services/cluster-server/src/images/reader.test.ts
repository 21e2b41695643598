import type { ImageRef } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { createImageReader } from './reader.ts';

describe('the reader of images', () => {
  it('gives what it read last while the storage hangs, and asks it once', async () => {
    const clock = new VirtualClock();
    const hung = Promise.withResolvers<readonly ImageRef[]>();
    let answer: Promise<readonly ImageRef[]> = Promise.resolve([{ name: 'micro' }]);
    let readings = 0;
    const reader = createImageReader({
      ...{ clock, logger: silentLogger },
      readImages: () => {
        readings += 1;
        return answer;
      },
    });
    const names = async (): Promise<readonly ImageRef[]> => {
      let given: readonly ImageRef[] | undefined;
      void reader.all().then((value) => {
        given = value;
        clock.noteActivity();
      });
      await clock.runUntil(() => given !== undefined, 10_000, 'the names');
      return given ?? [];
    };
    expect(await names()).toEqual([{ name: 'micro' }]);

    answer = hung.promise;
    expect(await names()).toEqual([{ name: 'micro' }]);
    expect(await names()).toEqual([{ name: 'micro' }]);
    expect(readings).toBe(2);

    hung.resolve([{ name: 'debian-12' }, { name: 'micro' }]);
    await clock.settle();
    answer = Promise.resolve([{ name: 'debian-12' }]);
    expect(await names()).toEqual([{ name: 'debian-12' }]);
  });

  it('gives nothing, not even an empty list, before the folder could be read', async () => {
    const reader = createImageReader({
      ...{ clock: new VirtualClock(), logger: silentLogger },
      readImages: () => Promise.reject(new Error('Transport endpoint is not connected')),
    });
    expect(await reader.all()).toBeUndefined();
  });
});
