import type { LibvirtLink } from './libvirt-link.ts';

/**
 * Several connections as one, for calls that take seconds. libvirtd reads five requests of a client
 * at a time (`max_client_requests`), so on one connection twenty power-offs would go four by four.
 */
export function createLinkPool(links: readonly [LibvirtLink, ...LibvirtLink[]]): LibvirtLink {
  const inUse = new Map<LibvirtLink, number>(links.map((link) => [link, 0]));
  const leastUsed = (): LibvirtLink =>
    links.reduce((best, each) => ((inUse.get(each) ?? 0) < (inUse.get(best) ?? 0) ? each : best));
  const count = (link: LibvirtLink, change: number): void => {
    inUse.set(link, (inUse.get(link) ?? 0) + change);
  };
  return {
    start(handlers) {
      for (const link of links) link.start(handlers);
    },
    async use(work, signal) {
      const link = leastUsed();
      count(link, 1);
      try {
        return await link.use(work, signal);
      } finally {
        count(link, -1);
      }
    },
    async close() {
      await Promise.all(links.map((link) => link.close()));
    },
  };
}
