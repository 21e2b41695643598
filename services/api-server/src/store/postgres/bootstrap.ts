import type { ClusterId, ProjectId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { BootstrapInput, BootstrapResult, BootstrapStore } from '../../bootstrap/store.ts';
import { OWN_CLUSTER } from '../../clusters/tokens.ts';
import type { PostgresDatabase } from './database.ts';
import { grantRow } from './enrolment-tokens.ts';
import { keyRows, type Row } from './rows.ts';
import { insertSubnet, subnetNamed } from './subnet-rows.ts';

/** See {@link BootstrapStore}. */
export function createPostgresBootstrap(db: PostgresDatabase): BootstrapStore {
  return {
    bootstrap: (input) =>
      db.transaction(async (trx): Promise<BootstrapResult> => {
        await trx.raw("select pg_advisory_xact_lock(hashtext('bootstrap'))");
        const projectId = await ensureProject(trx, input);
        const subnet = { ...input.subnet, projectId };
        const known = await subnetNamed(trx, projectId, subnet.name);
        if (known === undefined) await insertSubnet(trx, subnet);
        const isAdminKeyKept = await keepAdminKey(trx, input, projectId);
        const clusters: BootstrapResult['clusters'][number][] = [];
        for (const token of input.tokens) {
          clusters.push(await keepToken(trx, token, input.reenrol));
        }
        return { projectId, isAdminKeyKept, clusters };
      }),
  };
}

async function ensureProject(trx: Knex.Transaction, input: BootstrapInput): Promise<ProjectId> {
  const { organisation, project, nowMs } = input;
  await trx('organisations')
    .insert({ ...organisation, is_platform: true, created_at_ms: nowMs })
    .onConflict('name')
    .ignore();
  const owner = await trx('organisations').where('name', organisation.name).first('id');
  const row = { ...project, organisation_id: owner.id, created_at_ms: nowMs };
  await trx('projects').insert(row).onConflict(['organisation_id', 'name']).ignore();
  const found = await trx('projects')
    .where({ organisation_id: owner.id, name: project.name })
    .first('id');
  return found.id;
}

async function keepAdminKey(
  trx: Knex.Transaction,
  { adminKey, rotateAdminKey }: BootstrapInput,
  projectId: ProjectId,
): Promise<boolean> {
  const current = { project_id: projectId, name: adminKey.name, revoked: false };
  if (rotateAdminKey) await trx('api_keys').where(current).update({ revoked: true });
  const found = await trx('api_keys').where(current).first('id');
  if (found !== undefined) return false;
  await trx('api_keys').insert(keyRows.toRow({ ...adminKey, projectId }));
  return true;
}

async function keepToken(
  trx: Knex.Transaction,
  token: BootstrapInput['tokens'][number],
  reenrol: readonly string[],
): Promise<BootstrapResult['clusters'][number]> {
  const name = token.clusterName;
  const cluster: Row | undefined = await trx('clusters').where({ name }).first('id', 'epoch');
  const isTokenKept = cluster === undefined || cluster.epoch === 0 || reenrol.includes(name);
  if (isTokenKept) {
    const row = {
      ...{ token_hash: token.tokenHash, expires_at_ms: token.expiresAtMs, spent_for: null },
      ...{ id: null, revoked_at_ms: null, ...grantRow(OWN_CLUSTER) },
    };
    await trx('enrolment_tokens')
      .insert({ ...row, cluster_name: name })
      .onConflict('cluster_name')
      .merge();
  }
  return { name, clusterId: (cluster?.id as ClusterId | undefined) ?? null, isTokenKept };
}
