import type { ClusterAttributes, ClusterCaps, OrganisationId } from '@factory/contracts';
import type { Knex } from 'knex';
import type {
  FleetStore,
  NewTokenResult,
  Owner,
  TokenGrant,
  TokenRecord,
} from '../../clusters/fleet-store.ts';
import type { PostgresDatabase } from './database.ts';
import type { Row } from './rows.ts';

/** The part of {@link FleetStore} that is about enrolment tokens. */
export function createPostgresTokens(
  db: PostgresDatabase,
): Pick<FleetStore, 'isPartner' | 'createToken' | 'listTokens' | 'revokeToken'> {
  const { knex } = db;
  return {
    isPartner: async (id) => {
      const of = { owner_organisation_id: id };
      const found =
        (await knex('clusters').where(of).first('id')) ??
        (await knex('enrolment_tokens').where(of).first('id'));
      return found !== undefined;
    },
    createToken: (token) => db.transaction((trx) => createToken(trx, token)),
    listTokens: async (owner) => {
      const rows: readonly Row[] = await ofOwner(knex('enrolment_tokens'), owner)
        .whereNotNull('id')
        .orderBy([
          { column: 'created_at_ms', order: 'desc' },
          { column: 'id', order: 'desc' },
        ]);
      return rows.map(tokenOf);
    },
    revokeToken: async (id, owner, nowMs) => {
      const changed = await ofOwner(knex('enrolment_tokens').where({ id }), owner).update({
        revoked_at_ms: knex.raw('coalesce(revoked_at_ms, ?)', [nowMs]),
      });
      return changed > 0;
    },
  };
}

function ofOwner(query: Knex.QueryBuilder, owner: Owner): Knex.QueryBuilder {
  return owner === 'anybody' ? query : query.where('owner_organisation_id', owner);
}

async function createToken(
  trx: Knex.Transaction,
  token: TokenRecord & { readonly tokenHash: string },
): Promise<NewTokenResult> {
  const { clusterName: name, ownerOrganisationId: owner } = token;
  if (owner !== null) {
    const known = await trx('organisations').where('id', owner).first('id');
    if (known === undefined) return 'noSuchOrganisation';
  }
  // Of two that ask for one name at once, the later sees the other's token.
  await trx.raw("select pg_advisory_xact_lock(hashtext('enrolment_tokens'), hashtext(?))", [name]);
  const cluster: Row | undefined = await trx('clusters')
    .where({ name })
    .first('owner_organisation_id');
  const other: Row | undefined = await trx('enrolment_tokens')
    .where('cluster_name', name)
    .first('owner_organisation_id', 'revoked_at_ms');
  const isForeign = (row: Row | undefined) =>
    row !== undefined && row.owner_organisation_id !== owner;
  if (isForeign(cluster)) return 'nameTaken';
  if (other?.revoked_at_ms === null && isForeign(other)) return 'nameTaken';
  await trx('enrolment_tokens')
    .insert({
      id: token.id,
      cluster_name: name,
      token_hash: token.tokenHash,
      created_at_ms: token.createdAtMs,
      expires_at_ms: token.expiresAtMs,
      revoked_at_ms: null,
      spent_for: null,
      ...grantRow(token),
    })
    .onConflict('cluster_name')
    .merge();
  return 'kept';
}

/** The columns of what a token gives. */
export function grantRow(grant: TokenGrant): Record<string, unknown> {
  return {
    owner_organisation_id: grant.ownerOrganisationId,
    region: grant.region,
    attributes: JSON.stringify(grant.attributes),
    caps: JSON.stringify(grant.caps),
    is_trusted: grant.isTrusted,
  };
}

function tokenOf(row: Row): TokenRecord {
  return {
    id: row.id as string,
    clusterName: row.cluster_name as string,
    ownerOrganisationId: row.owner_organisation_id as OrganisationId | null,
    region: row.region as string,
    attributes: row.attributes as ClusterAttributes,
    caps: row.caps as ClusterCaps,
    isTrusted: row.is_trusted === true,
    createdAtMs: row.created_at_ms as number,
    expiresAtMs: row.expires_at_ms as number,
    revokedAtMs: row.revoked_at_ms as number | null,
    isSpent: row.spent_for !== null,
  };
}
