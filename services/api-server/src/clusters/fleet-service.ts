import {
  type Cluster,
  type ClusterChange,
  type ClusterGiven,
  type ClusterHost,
  type ClusterState,
  isProjectImageFolder,
  PROBLEMS,
} from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';
import { isConnected } from './connection.ts';
import type { FleetChange, FleetCluster } from './fleet-store.ts';
import { CLUSTER_STATE_TABLE, mayBecome } from './states.ts';

const NOTHING: ClusterGiven = { vms: 0, vcpus: 0, memoryMiB: 0 };

/** What the cluster routes can do, and for whom. */
export class FleetService {
  readonly #store: Pick<ApiStore, 'fleet'>;
  readonly #clock: Clock;

  constructor(parts: { readonly store: Pick<ApiStore, 'fleet'>; readonly clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  /** All of them; of partners, those that they own. */
  async list(principal: Principal): Promise<readonly Cluster[]> {
    const [clusters, given] = await Promise.all([
      this.#store.fleet.list(),
      this.#store.fleet.given(),
    ]);
    return clusters
      .filter((cluster) => principal.role !== 'partner' || manages(principal, cluster))
      .map((cluster) => this.#show(principal, cluster, given.get(cluster.id)));
  }

  /** @throws ProblemError 404 also when it is not the principal's to see. */
  async get(principal: Principal, name: string): Promise<Cluster> {
    const cluster = (await this.list(principal)).find((each) => each.name === name);
    return cluster ?? throwNotFound(name);
  }

  /** What each host has, for who runs or owns the cluster. @throws ProblemError 404 for others. */
  async hosts(principal: Principal, name: string): Promise<readonly ClusterHost[]> {
    const clusters = await this.#store.fleet.list();
    const cluster = clusters.find((each) => each.name === name);
    if (cluster === undefined || !manages(principal, cluster)) throwNotFound(name);
    const capacity = await this.#store.fleet.capacityOf(cluster.id);
    return (capacity?.hosts ?? []).map(
      ({ hostName, active, totalVcpus, totalMemoryMiB, freeVcpus, freeMemoryMiB }) => ({
        ...{ hostName, active, totalVcpus, totalMemoryMiB, freeVcpus, freeMemoryMiB },
      }),
    );
  }

  /** @throws ProblemError 404. */
  change(principal: Principal, name: string, change: ClusterChange): Promise<Cluster> {
    return this.#change(principal, name, () => change);
  }

  /**
   * Lets the cluster go to another state; `noticeUntilMs` as it is to be then.
   * @throws ProblemError 404; 409 when it can't from the state it is in.
   */
  become(
    principal: Principal,
    name: string,
    to: ClusterState,
    noticeUntilMs: number | null = null,
  ): Promise<Cluster> {
    return this.#change(principal, name, ({ state, stateSinceMs }) => {
      if (!mayBecome(state, to)) {
        const detail = `${name} ${CLUSTER_STATE_TABLE[state].meaning}; it can't become ${to}.`;
        throw new ProblemError(PROBLEMS.wrongState, detail);
      }
      const sinceMs = state === to ? stateSinceMs : this.#clock.nowMs();
      return { state: to, stateSinceMs: sinceMs, noticeUntilMs };
    });
  }

  /** Takes no more machines from now on; at the notice's end what is left is deleted. */
  withdraw(principal: Principal, name: string, noticeSeconds: number): Promise<Cluster> {
    const untilMs = this.#clock.nowMs() + noticeSeconds * 1000;
    return this.become(principal, name, 'draining', untilMs);
  }

  /** Takes machines again. @throws ProblemError as {@link become}. */
  resume(principal: Principal, name: string): Promise<Cluster> {
    return this.#change(principal, name, ({ state }) => {
      if (state !== 'draining' && state !== 'withdrawn' && state !== 'active') {
        const detail = `${name} ${CLUSTER_STATE_TABLE[state].meaning}; there is nothing to resume.`;
        throw new ProblemError(PROBLEMS.wrongState, detail);
      }
      return { state: 'active', stateSinceMs: this.#clock.nowMs(), noticeUntilMs: null };
    });
  }

  async #change(
    principal: Principal,
    name: string,
    decide: (cluster: FleetCluster) => FleetChange,
  ): Promise<Cluster> {
    const changed = await this.#store.fleet.change(name, (cluster) => {
      if (!manages(principal, cluster)) throwNotFound(name);
      return decide(cluster);
    });
    if (changed === undefined) throwNotFound(name);
    const given = await this.#store.fleet.given();
    return this.#show(principal, changed, given.get(changed.id));
  }

  #show(principal: Principal, cluster: FleetCluster, given: ClusterGiven = NOTHING): Cluster {
    const { id, name, state, region, attributes, enrolledAtMs, lastSeenAtMs, capacity } = cluster;
    return {
      ...{ id, name, state, region, attributes },
      connected: isConnected(lastSeenAtMs, this.#clock.nowMs()),
      enrolledAt: timeOf(enrolledAtMs),
      lastSeenAt: lastSeenAtMs === null ? null : timeOf(lastSeenAtMs),
      capacity: capacity === null ? null : showCapacity(capacity),
      management: manages(principal, cluster) ? showManagement(cluster, given) : null,
    };
  }
}

/** Whether the cluster is the principal's to run: operators' of the factory, and its owner's. */
export function manages(principal: Principal, { ownerOrganisationId }: FleetCluster): boolean {
  const { isPlatform, scope, role, organisationId } = principal;
  if (!isPlatform) return ownerOrganisationId === organisationId;
  const isOperator = scope === 'organisation' && (role === 'admin' || role === 'operator');
  return isOperator || (role === 'partner' && ownerOrganisationId === null);
}

function showManagement(cluster: FleetCluster, given: ClusterGiven) {
  const { ownerOrganisationId, stateSinceMs, enrolledAtMs, noticeUntilMs, caps } = cluster;
  return {
    ...{ ownerOrganisationId, caps, given },
    stateSince: timeOf(stateSinceMs === 0 ? enrolledAtMs : stateSinceMs),
    noticeUntil: noticeUntilMs === null ? null : timeOf(noticeUntilMs),
  };
}

function showCapacity(capacity: NonNullable<FleetCluster['capacity']>) {
  const { observedAtMs, images, imageVersions: _newest, ...rest } = capacity;
  const { allImageVersions: _all, ...sums } = rest;
  // Images of projects are theirs alone to see.
  const own = images.filter((image) => !isProjectImageFolder(image));
  return { ...sums, images: own, observedAt: timeOf(observedAtMs) };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function throwNotFound(name: string): never {
  throw new ProblemError(PROBLEMS.notFound, `There is no cluster ${name}.`);
}
