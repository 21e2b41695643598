import type { ClusterGiven, ClusterId } from '@factory/contracts';
import type { FleetChange, FleetCluster, FleetStore, Owner } from '../../clusters/fleet-store.ts';
import { wishCommands } from '../../planning/assignments.ts';
import { decideWish } from '../../vms/wishes.ts';
import type { MemoryCluster, MemoryDatabase, MemoryToken } from './database.ts';

/** See {@link FleetStore}. */
export function createMemoryFleet(db: MemoryDatabase): FleetStore {
  const update = (id: ClusterId, change: (cluster: MemoryCluster) => Partial<MemoryCluster>) => {
    const cluster = db.clusters.get(id);
    if (cluster !== undefined) db.clusters.set(id, { ...cluster, ...change(cluster) });
  };
  return {
    ...memoryTokens(db),
    silence: async (heardAfterMs) =>
      new Map(
        [...db.clusters.values()].flatMap(({ id, lastSeenAtMs }) =>
          lastSeenAtMs !== null && lastSeenAtMs < heardAfterMs ? [[id, lastSeenAtMs]] : [],
        ),
      ),
    list: async () => [...db.clusters.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    given: async () => givenOf(db),
    capacityOf: async (id) => db.clusters.get(id)?.fullCapacity ?? null,
    change: async (name, decide) => change(db, name, decide),
    endedNotices: async (nowMs) =>
      [...db.clusters.values()].filter(
        ({ state, noticeUntilMs }) =>
          (state === 'draining' || state === 'withdrawn') &&
          noticeUntilMs !== null &&
          noticeUntilMs <= nowMs,
      ),
    release: async (id, nowMs) => release(db, id, nowMs),
    saveConformance: async (id, report) => {
      db.conformance.set(id, report);
    },
    conformanceOf: async (id) => db.conformance.get(id),
    offerKey: async (id, nextPublicKey, nonce, nowMs) => {
      if (db.nonces.has(`${id} ${nonce}`)) return false;
      db.nonces.set(`${id} ${nonce}`, nowMs);
      update(id, () => ({ nextPublicKey }));
      return true;
    },
    takeKey: async (id, publicKey) =>
      update(id, (cluster) =>
        cluster.nextPublicKey === publicKey ? { publicKey, nextPublicKey: null } : {},
      ),
  };
}

/** What is handed out at each cluster. */
export function givenOf(db: MemoryDatabase): ReadonlyMap<ClusterId, ClusterGiven> {
  const given = new Map<ClusterId, ClusterGiven>();
  for (const { clusterId, state, vcpus, memoryMiB } of db.vms.values()) {
    if (clusterId === null || state === 'deleted') continue;
    const sum = given.get(clusterId) ?? { vms: 0, vcpus: 0, memoryMiB: 0 };
    given.set(clusterId, {
      vms: sum.vms + 1,
      vcpus: sum.vcpus + vcpus,
      memoryMiB: sum.memoryMiB + memoryMiB,
    });
  }
  return given;
}

function change(
  db: MemoryDatabase,
  name: string,
  decide: (cluster: FleetCluster) => FleetChange,
): FleetCluster | undefined {
  const cluster = [...db.clusters.values()].find((each) => each.name === name);
  if (cluster === undefined) return undefined;
  const changes = decide(cluster);
  const isRevoked = changes.state === 'revoked' && cluster.state !== 'revoked';
  const changed = { ...cluster, ...changes, epoch: cluster.epoch + (isRevoked ? 1 : 0) };
  const { region = cluster.given.region, attributes = cluster.given.attributes } = changes;
  db.clusters.set(cluster.id, { ...changed, given: { region, attributes } });
  db.wake({ clusters: [cluster.id] });
  return changed;
}

function release(db: MemoryDatabase, id: ClusterId, nowMs: number): number {
  if (db.clusters.get(id)?.state !== 'withdrawn') return 0;
  const changed = [...db.vms.values()].flatMap((vm) => {
    if (vm.clusterId !== id || vm.state === 'deleted') return [];
    const decision = decideWish(vm, 'delete', nowMs);
    return decision.kind === 'changed' ? [decision.vm] : [];
  });
  if (changed.length === 0) return 0;
  for (const vm of changed) db.putVm(vm);
  db.appendCommands(id, wishCommands(changed).get(id) ?? []);
  db.wake({ clusters: [id], batches: [...new Set(changed.map((vm) => vm.batchId))] });
  return changed.length;
}

function memoryTokens(
  db: MemoryDatabase,
): Pick<FleetStore, 'isPartner' | 'createToken' | 'listTokens' | 'revokeToken'> {
  const isOf = (owner: Owner) => (token: MemoryToken) =>
    owner === 'anybody' || token.ownerOrganisationId === owner;
  return {
    isPartner: async (id) =>
      [...db.clusters.values(), ...db.tokens.values()].some(
        (each) => each.ownerOrganisationId === id,
      ),
    createToken: async (token) => {
      const { clusterName: name, ownerOrganisationId: owner } = token;
      if (owner !== null && !db.organisations.has(owner)) return 'noSuchOrganisation';
      const cluster = [...db.clusters.values()].find((each) => each.name === name);
      const other = db.tokens.get(name);
      const isOpen = other !== undefined && other.revokedAtMs === null;
      const isForeign = isOpen && other.ownerOrganisationId !== owner;
      if (isForeign || (cluster ?? token).ownerOrganisationId !== owner) return 'nameTaken';
      db.tokens.set(name, token);
      return 'kept';
    },
    listTokens: async (owner) =>
      [...db.tokens.values()]
        .filter(isOf(owner))
        .filter(({ id }) => id !== '')
        .map((token) => ({ ...token, isSpent: token.spentFor !== undefined }))
        .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1)),
    revokeToken: async (id, owner, nowMs) => {
      const token = [...db.tokens.values()].filter(isOf(owner)).find((each) => each.id === id);
      if (token === undefined) return false;
      const revokedAtMs = token.revokedAtMs ?? nowMs;
      db.tokens.set(token.clusterName, { ...token, revokedAtMs });
      return true;
    },
  };
}
