import { type ClusterId, ID_PREFIXES, type VmState } from '@factory/contracts';
import type { Knex } from 'knex';
import { TOLD_STATES } from '../../vms/reading.ts';
import type { VmListQuery, VmRecord } from '../../vms/store.ts';
import { applyFilter, batchesWith } from './list-filter.ts';
import { type Row, vmRows } from './rows.ts';

/** See `VmStore.list`. */
export async function listVms(knex: Knex, query: VmListQuery): Promise<readonly VmRecord[]> {
  const { projectId, batchId, state, clusterId, hostName, label, withDeleted, limit } = query;
  const select = knex('vms').limit(limit);
  if (batchId === undefined) select.where('project_id', projectId);
  else {
    // Without the project's own column the planner takes the index of the batch, as it should.
    const owned = 'exists (select 1 from batches where id = ? and project_id = ?)';
    select.where('batch_id', batchId).whereRaw(owned, [batchId, projectId]);
  }
  if (clusterId !== undefined) select.where('cluster_id', clusterId);
  if (hostName !== undefined) select.where('host_name', hostName);
  if (label !== undefined) select.whereIn('batch_id', batchesWith(knex, projectId, label));
  applyFilter(select, projectId, query, ID_PREFIXES.vm);
  if (state === undefined && !withDeleted) select.whereNot('state', 'deleted');
  if (state !== undefined) await inState(knex, select, query, state);
  const rows: readonly Row[] = await select.select(...vmRows.columns);
  return rows.map(vmRows.fromRow);
}

/** What a machine of a silent cluster reads as is not what its row says. */
async function inState(
  knex: Knex,
  select: Knex.QueryBuilder,
  query: VmListQuery,
  state: VmState,
): Promise<void> {
  const { silent = [] } = query;
  if (silent.length === 0 || !TOLD_STATES.includes(state)) {
    select.andWhere('state', state);
  } else if (!isPlain(query)) {
    const told = (clusters: Knex.QueryBuilder) =>
      clusters.whereIn('cluster_id', silent).whereIn('state', TOLD_STATES);
    if (state === 'unreachable') {
      select.andWhere((either) => either.where('state', state).orWhere((and) => void told(and)));
    } else {
      const heard = 'cluster_id is null or cluster_id <> all(?)';
      select.andWhere('state', state).whereRaw(`(${heard})`, [[...silent]]);
    }
  } else {
    select.whereIn('id', await idsInState(knex, query, state, silent));
  }
}

/** Whether nothing but the state restricts the list, in its own order. */
function isPlain({ projectId, state, silent, withDeleted, after, limit, ...rest }: VmListQuery) {
  return Object.values(rest).every((each) => each === undefined || each === 'createdAt');
}

/**
 * The ids of one page of the machines of a project that read as being in this state while some
 * clusters are silent. Walks the index by cluster and state, so that a page costs the same however
 * many machines there are that it does not show.
 */
async function idsInState(
  knex: Knex,
  { projectId, after = '', limit }: VmListQuery,
  state: VmState,
  silent: readonly ClusterId[],
): Promise<readonly string[]> {
  const { rows } = await knex.raw<{ rows: readonly { id: string }[] }>(
    `select v.id from clusters k
     cross join lateral unnest(
       case when k.id = any(:silent) then :ofSilent::text[] else :ofHeard::text[] end) as s(state)
     cross join lateral (
       select id from vms
       where project_id = :projectId and cluster_id = k.id and state = s.state and id > :after
       order by id limit :limit) v
     order by v.id limit :limit`,
    {
      ...{ projectId, after, limit, silent: [...silent] },
      ofSilent: state === 'unreachable' ? [...TOLD_STATES] : [],
      ofHeard: [state],
    },
  );
  return rows.map((row) => row.id);
}
