import type { ClusterId, VmState } from '@factory/contracts';
import type { Knex } from 'knex';
import { TOLD_STATES } from '../../vms/reading.ts';
import type { VmListQuery, VmRecord } from '../../vms/store.ts';
import { type Row, vmRows } from './rows.ts';

/** See `VmStore.list`. */
export async function listVms(knex: Knex, query: VmListQuery): Promise<readonly VmRecord[]> {
  const { projectId, batchId, state, name, withDeleted, after, limit, silent = [] } = query;
  const select = knex('vms').where('project_id', projectId).orderBy('id').limit(limit);
  if (batchId !== undefined) select.andWhere('batch_id', batchId);
  if (name !== undefined) select.andWhere('name', name);
  if (after !== undefined) select.andWhere('id', '>', after);
  if (state === undefined) {
    if (!withDeleted) select.andWhereNot('state', 'deleted');
  } else if (silent.length === 0 || !TOLD_STATES.includes(state)) {
    select.andWhere('state', state);
  } else if (batchId !== undefined || name !== undefined) {
    const told = (clusters: Knex.QueryBuilder) =>
      clusters.whereIn('cluster_id', silent).whereIn('state', TOLD_STATES);
    if (state === 'unreachable') {
      select.andWhere((either) => either.where('state', state).orWhere((and) => void told(and)));
    } else select.andWhere('state', state).whereNotIn('cluster_id', silent);
  } else {
    select.whereIn('id', await idsInState(knex, query, state, silent));
  }
  const rows: readonly Row[] = await select.select(...vmRows.columns);
  return rows.map(vmRows.fromRow);
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
