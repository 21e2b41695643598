import type { HostImagesMessage } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { HostImages } from './host-images.ts';
import type { ImagePresence } from './image-cache.ts';
import { createPullTickets } from './pull-tickets.ts';

const VERSION = 'a'.repeat(64);

function setUp() {
  const clock = new VirtualClock();
  const logger = silentLogger;
  const tickets = createPullTickets({ clock, logger });
  const sent: HostImagesMessage[] = [];
  const staged: string[] = [];
  const world = { presence: [] as ImagePresence[] };
  const images = new HostImages({
    ...{ clock, logger, tickets },
    cache: {
      presence: () => world.presence,
      stage: async ({ name }) => {
        staged.push(name);
      },
    },
    send: async (message) => {
      sent.push(message);
    },
  });
  images.start();
  return { clock, tickets, sent, staged, world, images };
}

describe("the word on a host's images", () => {
  it('is said when something changes, and from time to time', async () => {
    const { clock, sent, world } = setUp();
    await clock.run(5_000);
    expect(sent).toEqual([{ type: 'images', images: [] }]);
    world.presence = [{ name: 'micro', version: VERSION, percent: 40 }];
    await clock.run(1_500);
    expect(sent[1]?.images).toEqual(world.presence);
    await clock.run(30_000);
    expect(sent).toHaveLength(3);
  });

  it('tells at once of a copy that waits for its ticket, which then begins', async () => {
    const { clock, sent, world, tickets, images } = setUp();
    world.presence = [{ name: 'micro', version: VERSION, percent: 0 }];
    let isBegun = false;
    void tickets.wait(VERSION).then(() => {
      isBegun = true;
    });
    expect(sent.at(-1)?.images).toEqual([{ ...world.presence[0], waits: true }]);
    expect(images.isBusy).toBe(true);
    images.grant(['b'.repeat(64)]);
    await clock.run(500);
    expect(isBegun).toBe(false);
    images.grant([VERSION]);
    await clock.run(1_500);
    expect(isBegun).toBe(true);
    expect(sent.at(-1)?.images).toEqual(world.presence);
  });

  it('lets a copy begin without a ticket when nobody gives any', async () => {
    const { clock, tickets } = setUp();
    let isBegun = false;
    void tickets.wait(VERSION).then(() => {
      isBegun = true;
    });
    await clock.run(29_000);
    expect(isBegun).toBe(false);
    await clock.run(2_000);
    expect(isBegun).toBe(true);
  });

  it('has what is not here brought here, once', () => {
    const { world, staged, images } = setUp();
    world.presence = [{ name: 'micro', version: VERSION, percent: 40 }];
    images.stage([
      { name: 'micro', version: VERSION },
      { name: 'debian-12', version: 'b'.repeat(64) },
    ]);
    expect(staged).toEqual(['debian-12']);
  });
});
