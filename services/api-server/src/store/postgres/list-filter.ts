import { type ProjectId, projectImageFolder } from '@factory/contracts';
import type { Knex } from 'knex';
import { isByName, isDescending, type ListFilter } from '../../http/list-query.ts';

/** From the moment that ids are made of until the row they are of says it was made. */
const ID_SLACK_MS = 600_000;
const ID_TIME_DIGITS = 12;

/**
 * Restricts and orders a select of machines or batches of one project. Each filter and each order
 * has an index whose rows come in that order (migrations/api/0090), so that a page costs what it
 * shows.
 */
export function applyFilter(
  select: Knex.QueryBuilder,
  projectId: ProjectId,
  filter: ListFilter,
  idPrefix: string,
): void {
  const { name, namePrefix, image, order, after, afterName } = filter;
  const direction = isDescending(order) ? 'desc' : 'asc';
  const than = isDescending(order) ? '<' : '>';
  if (isByName(order)) {
    select.orderByRaw(`name collate "C" ${direction}, id ${direction}`);
    if (after !== undefined) {
      select.whereRaw(`(name collate "C", id) ${than} (?, ?)`, [afterName ?? '', after]);
    }
  } else {
    select.orderBy('id', direction);
    if (after !== undefined) select.where('id', than, after);
  }
  if (name !== undefined) select.where('name', name);
  if (namePrefix !== undefined) {
    // Names are plain ASCII: the character behind all of theirs ends the range.
    select.whereRaw('name collate "C" >= ? and name collate "C" < ?', [
      namePrefix,
      `${namePrefix}~`,
    ]);
  }
  if (image !== undefined) select.whereIn('image', [image, projectImageFolder(projectId, image)]);
  createdWithin(select, filter, idPrefix);
}

/** Ids begin with the time of their birth, and the order by id is the one that has an index. */
function createdWithin(
  select: Knex.QueryBuilder,
  { createdAfterMs, createdBeforeMs }: ListFilter,
  idPrefix: string,
): void {
  if (createdAfterMs !== undefined) {
    select.where('created_at_ms', '>=', createdAfterMs);
    select.where('id', '>=', `${idPrefix}_${idTime(createdAfterMs - ID_SLACK_MS)}`);
  }
  if (createdBeforeMs !== undefined) {
    select.where('created_at_ms', '<', createdBeforeMs);
    select.where('id', '<', `${idPrefix}_${idTime(createdBeforeMs + ID_SLACK_MS)}`);
  }
}

function idTime(timeMs: number): string {
  const bounded = Math.min(Math.max(0, timeMs), 2 ** 48 - 1);
  return Math.floor(bounded).toString(16).padStart(ID_TIME_DIGITS, '0');
}

/** The batches of a project with this label. */
export function batchesWith(
  knex: Knex,
  projectId: ProjectId,
  { key, value }: NonNullable<ListFilter['label']>,
): Knex.QueryBuilder {
  const label = JSON.stringify({ [key]: value });
  return knex('batches')
    .where('project_id', projectId)
    .whereRaw('labels @> ?', [label])
    .select('id');
}
