import type {
  BatchVolume,
  ClusterId,
  LinkCommand,
  ProjectId,
  VolumeId,
  VolumeMount,
} from '@factory/contracts';
import type { Knex } from 'knex';
import type { ExchangeNews } from '../../clusters/store.ts';
import { type Binding, bindVolumes } from '../../volumes/bind.ts';
import type {
  CreateVolumeResult,
  DeleteVolumeResult,
  VolumeStore,
  VolumeView,
} from '../../volumes/store.ts';
import { DROP_AGAIN_MS } from '../../volumes/usage.ts';
import { appendCommands, type PostgresDatabase, type WakeSet } from './database.ts';
import { takeQuota } from './quota.ts';
import { type Row, volumeRows } from './rows.ts';
import { wishIn } from './vms.ts';

/** See {@link VolumeStore}. */
export function createPostgresVolumes(db: PostgresDatabase): VolumeStore {
  return {
    create: (volume) =>
      db.transaction(async (trx): Promise<CreateVolumeResult> => {
        const asked = { volumes: 1, volumeGiB: volume.sizeGiB };
        const excess = await takeQuota(trx, volume.projectId, () => asked);
        if (excess !== undefined) return { kind: 'overQuota', excess };
        const made = await trx('volumes')
          .insert(volumeRows.toRow(volume))
          .onConflict(trx.raw("(project_id, name) where state <> 'deleted'"))
          .ignore()
          .returning('id');
        const where = { project_id: volume.projectId, name: volume.name };
        const [view] = await viewsOf(trx, (select) => select.where(prefixed(where)));
        if (view === undefined) throw new Error(`the volume ${volume.name} came and went`);
        return made.length > 0
          ? { kind: 'created', view }
          : { kind: 'nameTaken', id: view.volume.id };
      }),
    list: ({ projectId, name, after, limit }) =>
      viewsOf(db.knex, (select) => {
        select.where('v.project_id', projectId).limit(limit);
        if (name !== undefined) select.andWhere('v.name', name);
        if (after !== undefined) select.andWhere('v.id', '>', after);
      }),
    find: (projectId, id) => find(db.knex, projectId, id),
    change: (projectId, vmId, volumeName, change) =>
      db.transaction(async (trx, wakes) => {
        const [view] = await lockNamed(trx, projectId, [volumeName]);
        const at = { projectId, id: vmId };
        const result = await wishIn(trx, wakes, at, (vm) => change(vm, view));
        if (result.kind === 'done') await keepEpochs(trx, result.vm.volumes);
        return result;
      }),
    delete: (projectId, id, nowMs) =>
      db.transaction(async (trx, wakes): Promise<DeleteVolumeResult> => {
        // Whoever gives it to a batch at this moment locks the same row.
        await trx('volumes').where({ id, project_id: projectId }).forUpdate().first('id');
        const view = await find(trx, projectId, id);
        if (view === undefined) return { kind: 'notFound' };
        if (view.machines > 0) return { kind: 'inUse', machines: view.machines };
        const { volume } = view;
        if (volume.state === 'deleting') return { kind: 'deleting', view };
        await drop(trx, wakes, volume.clusterId, [id], nowMs);
        return { kind: 'deleting', view: { ...view, volume: { ...volume, state: 'deleting' } } };
      }),
  };
}

/** Gives volumes to a batch that is being kept: nobody else gets them, or deletes them, meanwhile. */
export async function bindInStore(
  trx: Knex.Transaction,
  projectId: ProjectId,
  wanted: readonly BatchVolume[],
  machines: number,
): Promise<Binding> {
  const names = wanted.map(({ volume }) => volume);
  const found = names.length === 0 ? [] : await lockNamed(trx, projectId, names);
  const binding = bindVolumes(wanted, machines, found);
  if (binding.kind === 'refused') return binding;
  await keepEpochs(trx, binding.volumes.mounts);
  return binding;
}

async function keepEpochs(trx: Knex.Transaction, mounts: readonly VolumeMount[]): Promise<void> {
  for (const { volumeId, leaseEpoch } of mounts) {
    await trx('volumes').where('id', volumeId).update({ lease_epoch: leaseEpoch });
  }
}

async function lockNamed(
  trx: Knex.Transaction,
  projectId: ProjectId,
  names: readonly string[],
): Promise<readonly VolumeView[]> {
  await trx('volumes')
    .where('project_id', projectId)
    .whereIn('name', [...names])
    .orderBy('id')
    .forUpdate()
    .select('id');
  return viewsOf(trx, (select) =>
    select.where('v.project_id', projectId).whereIn('v.name', [...names]),
  );
}

/** Takes what a cluster says of its volumes: what they use, and which of the dropped ones are gone. */
export async function takeVolumes(
  trx: Knex.Transaction,
  wakes: WakeSet,
  { clusterId, capacity, appliedCommandSeq, nowMs }: ExchangeNews,
): Promise<void> {
  const reported = capacity?.volumes;
  if (reported === undefined) return;
  const { rows } = await trx.raw<{ rows: readonly { id: VolumeId; state: string }[] }>(
    `with said as (
       select s."volumeId" as id, s."usedBytes" as used
       from jsonb_to_recordset(:reported::jsonb) as s("volumeId" text, "usedBytes" bigint)
     ), changed as (
       select v.id, said.used, case when v.state = 'deleting' and said.id is null
         and v.dropped_seq <= :appliedCommandSeq then 'deleted' else v.state end as state
       from volumes v left join said on said.id = v.id
       where v.cluster_id = :clusterId and v.state <> 'deleted'
     )
     update volumes v set used_bytes = coalesce(c.used, v.used_bytes), state = c.state
     from changed c where c.id = v.id
       and (v.used_bytes is distinct from coalesce(c.used, v.used_bytes) or v.state <> c.state
         or (v.state = 'deleting' and v.dropped_at_ms < :dropAgainMs))
     returning v.id, v.state`,
    {
      reported: JSON.stringify(reported),
      clusterId,
      appliedCommandSeq,
      dropAgainMs: nowMs - DROP_AGAIN_MS,
    },
  );
  const due = await trx('volumes')
    .whereIn(
      'id',
      rows.filter(({ state }) => state === 'deleting').map(({ id }) => id),
    )
    .andWhere('dropped_at_ms', '<', nowMs - DROP_AGAIN_MS)
    .select('id');
  const ids: readonly VolumeId[] = due.map(({ id }) => id);
  if (ids.length > 0) await drop(trx, wakes, clusterId, ids, nowMs);
}

async function drop(
  trx: Knex.Transaction,
  wakes: WakeSet,
  clusterId: ClusterId,
  volumeIds: readonly VolumeId[],
  nowMs: number,
): Promise<void> {
  const command: LinkCommand = { kind: 'dropVolumes', volumeIds: [...volumeIds] };
  const seq = await appendCommands(trx, clusterId, [command]);
  await trx('volumes')
    .whereIn('id', [...volumeIds])
    .update({ state: 'deleting', dropped_at_ms: nowMs, dropped_seq: seq });
  wakes.add({ clusters: [clusterId] });
}

async function find(
  knex: Knex,
  projectId: ProjectId,
  id: VolumeId,
): Promise<VolumeView | undefined> {
  const [view] = await viewsOf(knex, (select) =>
    select.where(prefixed({ id, project_id: projectId })),
  );
  return view;
}

function prefixed(where: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(where).map(([key, value]) => [`v.${key}`, value]));
}

async function viewsOf(
  knex: Knex,
  narrow: (select: Knex.QueryBuilder) => void,
): Promise<readonly VolumeView[]> {
  const select = knex('volumes as v')
    .join('clusters as k', 'k.id', 'v.cluster_id')
    .whereNot('v.state', 'deleted')
    .orderBy('v.id')
    .select(
      ...volumeRows.columns.map((column) => `v.${column}`),
      'k.name as cluster_name',
      knex.raw(`(
        select count(*) from vms m where m.state <> 'deleted' and m.volumes <> '[]'
          and m.volumes @> jsonb_build_array(jsonb_build_object('volumeId', v.id))
        ) + (
        select count(*) from vms m where m.state <> 'deleted' and m.leaving_volumes <> '[]'
          and m.leaving_volumes @> jsonb_build_array(v.id)
        ) + (
        select count(*) from batches b where b.needs_planning and b.volumes <> '[]'
          and b.volumes @> jsonb_build_array(jsonb_build_object('volumeId', v.id))
          and not exists (select 1 from vms m where m.batch_id = b.id)
        ) as machines`),
    );
  narrow(select);
  const rows: readonly Row[] = await select;
  return rows.map((row) => ({
    volume: volumeRows.fromRow(row),
    clusterName: String(row.cluster_name),
    machines: Number(row.machines),
  }));
}
