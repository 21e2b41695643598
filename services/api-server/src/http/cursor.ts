import { PROBLEMS } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';

const ID = /^[a-z]+_[0-9a-f]{32}$/;

/** A page of items: one more than `limit` was read, to know whether there is a next page. */
export function toPage<Record extends { readonly id: string }, Item>(
  records: readonly Record[],
  limit: number,
  show: (record: Record) => Item,
): { readonly items: Item[]; readonly nextCursor: string | null } {
  return pageWith(records, limit, show, ({ id }) => id);
}

/** The same where `position` says behind what the next page begins. */
export function pageWith<Record, Item>(
  records: readonly Record[],
  limit: number,
  show: (record: Record) => Item,
  position: (last: Record) => string,
): { readonly items: Item[]; readonly nextCursor: string | null } {
  const shown = records.slice(0, limit);
  const last = shown.at(-1);
  const isMore = records.length > limit && last !== undefined;
  return { items: shown.map(show), nextCursor: isMore ? encodeCursor(position(last)) : null };
}

/** Opaque to callers, so that it may come to hold more than the last id. */
function encodeCursor(position: string): string {
  return Buffer.from(position).toString('base64url');
}

/**
 * The id after which a page begins.
 * @throws ProblemError when it is not a cursor of ours.
 */
export function decodeCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = Buffer.from(cursor, 'base64url').toString();
  if (ID.test(id)) return id;
  const detail = 'cursor must be the nextCursor of the page before, in the same order';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'cursor' });
}
