import type { BootstrapInput, BootstrapResult, BootstrapStore } from '../../bootstrap/store.ts';
import { OWN_CLUSTER } from '../../clusters/tokens.ts';
import type { MemoryDatabase } from './database.ts';
import { putSubnet, subnetNamed } from './subnets.ts';

/** See {@link BootstrapStore}. */
export function createMemoryBootstrap(db: MemoryDatabase): BootstrapStore {
  return { bootstrap: async (input) => bootstrap(db, input) };
}

function bootstrap(db: MemoryDatabase, input: BootstrapInput): BootstrapResult {
  const projectId = ensureProject(db, input);
  if (subnetNamed(db, projectId, input.subnet.name) === undefined) {
    putSubnet(db, { ...input.subnet, projectId });
  }
  const isAdminKeyKept = keepAdminKey(db, input, projectId);
  const clusters = input.tokens.map((token) => {
    const name = token.clusterName;
    const cluster = [...db.clusters.values()].find((each) => each.name === name);
    const isTokenKept =
      cluster === undefined || cluster.epoch === 0 || input.reenrol.includes(name);
    if (isTokenKept) {
      const { nowMs: createdAtMs } = input;
      db.tokens.set(name, { ...OWN_CLUSTER, ...token, id: '', createdAtMs, revokedAtMs: null });
    }
    return { name, clusterId: cluster?.id ?? null, isTokenKept };
  });
  return { projectId, isAdminKeyKept, clusters };
}

function ensureProject(
  db: MemoryDatabase,
  { organisation, project, nowMs }: BootstrapInput,
): BootstrapResult['projectId'] {
  const owners = [...db.organisations.values()];
  const known = owners.find(({ name }) => name === organisation.name);
  const owner = known ?? { ...organisation, isPlatform: true, createdAtMs: nowMs };
  db.organisations.set(owner.id, owner);
  const found = [...db.projects.values()].find(
    (each) => each.organisationId === owner.id && each.name === project.name,
  );
  const times = { createdAtMs: nowMs, closedAtMs: null };
  const kept = found ?? { ...project, ...times, organisationId: owner.id };
  db.projects.set(kept.id, kept);
  return kept.id;
}

function keepAdminKey(
  db: MemoryDatabase,
  { adminKey, rotateAdminKey }: BootstrapInput,
  projectId: BootstrapResult['projectId'],
): boolean {
  const current = [...db.keys.values()].filter(
    (key) => key.projectId === projectId && key.name === adminKey.name && !key.revoked,
  );
  if (current.length > 0 && !rotateAdminKey) return false;
  for (const key of current) db.keys.set(key.id, { ...key, revoked: true });
  db.keys.set(adminKey.id, { ...adminKey, projectId });
  return true;
}
