import type { Logger } from '@factory/runtime';
import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { FleetChange, FleetCluster } from './fleet-store.ts';

/**
 * Ends what was announced: machines that are left on a cluster after the notice of its withdrawal
 * are wished away. Done again until the cluster has none, it changes nothing more.
 */
export function noticeDuty(parts: {
  readonly store: Pick<ApiStore, 'fleet'>;
  readonly logger: Logger;
}): Duty {
  const { store, logger } = parts;
  return {
    name: 'withdrawals',
    sweep: async (nowMs) => {
      for (const { id, name } of await store.fleet.endedNotices(nowMs)) {
        await store.fleet.change(name, (cluster) => withdrawn(cluster, nowMs));
        const released = await store.fleet.release(id, nowMs);
        // Again at the next sweep, until there is none: a planning may have been under way.
        if (released === 0) await store.fleet.change(name, (cluster) => done(cluster, nowMs));
        else logger.info({ clusterId: id, cluster: name, released }, 'a notice has ended');
      }
    },
  };
}

/** Unless it was resumed, or given another notice, a moment ago. */
function withdrawn({ state, noticeUntilMs }: FleetCluster, nowMs: number): FleetChange {
  const isOver = state === 'draining' && noticeUntilMs !== null && noticeUntilMs <= nowMs;
  return isOver ? { state: 'withdrawn', stateSinceMs: nowMs } : { state };
}

function done({ state, noticeUntilMs }: FleetCluster, nowMs: number): FleetChange {
  const isOver = state === 'withdrawn' && noticeUntilMs !== null && noticeUntilMs <= nowMs;
  return isOver ? { noticeUntilMs: null } : { state };
}
