import { type ProjectId, projectImageFolder } from '@factory/contracts';
import { isByName, isDescending, type ListFilter } from '../../http/list-query.ts';

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly projectId: ProjectId;
  readonly createdAtMs: number;
}

/** What `applyFilter` of the other store leaves, in the same order. */
export function filtered<Each extends Listed>(all: readonly Each[], filter: ListFilter): Each[] {
  return all.filter((each) => passes(each, filter)).sort((a, b) => compare(a, b, filter));
}

function passes(each: Listed, filter: ListFilter): boolean {
  const { name, namePrefix, image, createdAfterMs, createdBeforeMs, after, afterName } = filter;
  const images = image === undefined ? [] : [image, projectImageFolder(each.projectId, image)];
  const last = { id: after ?? '', name: afterName ?? '' };
  return (
    (after === undefined || compare(each, last, filter) > 0) &&
    (name === undefined || each.name === name) &&
    (namePrefix === undefined || each.name.startsWith(namePrefix)) &&
    (image === undefined || images.includes(each.image)) &&
    (createdAfterMs === undefined || each.createdAtMs >= createdAfterMs) &&
    (createdBeforeMs === undefined || each.createdAtMs < createdBeforeMs)
  );
}

function compare(
  a: Pick<Listed, 'id' | 'name'>,
  b: Pick<Listed, 'id' | 'name'>,
  { order }: ListFilter,
): number {
  const byName = isByName(order) ? inOrder(a.name, b.name) : 0;
  const ascending = byName === 0 ? inOrder(a.id, b.id) : byName;
  return isDescending(order) ? -ascending : ascending;
}

function inOrder(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Whether these labels have this one, if one is asked for. */
export function hasLabel(
  labels: Readonly<Record<string, string>> | undefined,
  label: ListFilter['label'],
): boolean {
  return label === undefined || labels?.[label.key] === label.value;
}
