import {
  type ClusterId,
  type ConformanceCheck,
  type ConformanceReport,
  PROBLEMS,
} from '@factory/contracts';
import { type Clock, type Logger, ProblemError } from '@factory/runtime';
import { manages } from '../clusters/fleet-service.ts';
import type { Principal } from '../http/principal.ts';
import { printable } from '../link/printable.ts';
import type { ApiStore } from '../store/api-store.ts';
import { clockCheck, hasPassed } from './rules.ts';

/** What clusters found out about themselves, and what follows: one that joins is let in. */
export class ConformanceService {
  readonly #parts: {
    readonly store: Pick<ApiStore, 'fleet'>;
    readonly clock: Clock;
    readonly logger: Logger;
  };

  constructor(parts: {
    readonly store: Pick<ApiStore, 'fleet'>;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#parts = parts;
  }

  /** Keeps a report; `timestamp` is that of the signed request that brought it. */
  async told(
    peer: { readonly id: ClusterId; readonly name: string },
    checks: readonly ConformanceCheck[],
    timestamp: string,
  ): Promise<void> {
    const { store, clock, logger } = this.#parts;
    const nowMs = clock.nowMs();
    const all = [
      ...checks
        .filter(({ name }) => name !== 'clockSkew')
        .map((check) => ({ ...check, detail: printable(check.detail) })),
      clockCheck(timestamp, nowMs),
    ];
    const passed = hasPassed(all);
    await store.fleet.saveConformance(peer.id, { atMs: nowMs, passed, checks: all });
    logger.info({ clusterId: peer.id, cluster: peer.name, passed }, 'a cluster was looked at');
    if (!passed) return;
    await store.fleet.change(peer.name, ({ state }) =>
      state === 'joining' ? { state: 'active', stateSinceMs: nowMs } : {},
    );
  }

  /** @throws ProblemError 404 when it is not the principal's to see, or was never looked at. */
  async get(principal: Principal, name: string): Promise<ConformanceReport> {
    const { fleet } = this.#parts.store;
    const cluster = (await fleet.list()).find((each) => each.name === name);
    if (cluster === undefined || !manages(principal, cluster)) {
      throw new ProblemError(PROBLEMS.notFound, `There is no cluster ${name}.`);
    }
    const report = await fleet.conformanceOf(cluster.id);
    if (report === undefined) {
      const detail = `${name} has not been looked at yet: that happens when it starts.`;
      throw new ProblemError(PROBLEMS.notFound, detail);
    }
    const { passed, atMs, checks } = report;
    return { passed, at: new Date(atMs).toISOString(), checks: [...checks] };
  }
}
