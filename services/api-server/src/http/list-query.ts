import { LabelsSchema, NameSchema, PROBLEMS } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import { Type } from 'typebox';
import { decodeCursor, pageWith } from './cursor.ts';

/** What a list is sorted by; equal ones by their ids, which follow their birth. */
export const LIST_ORDERS = ['createdAt', '-createdAt', 'name', '-name'] as const;
export type ListOrder = (typeof LIST_ORDERS)[number];

/** Which of a project's machines or batches a list shows, and in which order. */
export interface ListFilter {
  readonly name?: string;
  readonly namePrefix?: string;
  readonly image?: string;
  readonly label?: { readonly key: string; readonly value: string };
  /** Not earlier than this. */
  readonly createdAfterMs?: number;
  /** Earlier than this. */
  readonly createdBeforeMs?: number;
  /** Default: by birth, oldest first. */
  readonly order?: ListOrder;
  /** Only what comes behind the one with this id, which is named `afterName`. */
  readonly after?: string;
  /** With an order by name. */
  readonly afterName?: string;
}

const Time = Type.String({ format: 'date-time', maxLength: 40 });

/** Query parameters of lists of machines and batches. */
export const FilterQuery = {
  name: Type.Optional(NameSchema),
  namePrefix: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,63}$' })),
  image: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
  label: Type.Optional(
    Type.String({ maxLength: 320, description: '`key=value`: of the batch.', examples: ['a=b'] }),
  ),
  createdAfter: Type.Optional(Time),
  createdBefore: Type.Optional(Time),
  sort: Type.Optional(Type.Enum([...LIST_ORDERS])),
};

/** {@link FilterQuery} as it was given. */
export interface GivenFilter {
  readonly name?: string;
  readonly namePrefix?: string;
  readonly image?: string;
  readonly label?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
  readonly sort?: ListOrder;
  readonly cursor?: string;
}

/** @throws ProblemError naming the parameter that can't be read. */
export function readFilter(given: GivenFilter): ListFilter {
  const { name, namePrefix, image, label, createdAfter, createdBefore, sort, cursor } = given;
  const created = {
    createdAfterMs: readTime('createdAfter', createdAfter),
    createdBeforeMs: readTime('createdBefore', createdBefore),
  };
  const position = readPosition(cursor, sort);
  const all = { name, namePrefix, image, label: readLabel(label), ...created, order: sort };
  return withoutAbsent({ ...all, ...position });
}

/** A page whose cursor says where the next one begins in this order. */
export function toOrderedPage<Record extends { readonly id: string; readonly name: string }, Item>(
  records: readonly Record[],
  limit: number,
  order: ListOrder | undefined,
  show: (record: Record) => Item,
) {
  const position = (last: Record): string =>
    isByName(order) ? `${last.name} ${last.id}` : last.id;
  return pageWith(records, limit, show, position);
}

export function isByName(order: ListOrder | undefined): boolean {
  return order === 'name' || order === '-name';
}

export function isDescending(order: ListOrder | undefined): boolean {
  return order === '-name' || order === '-createdAt';
}

function readPosition(cursor: string | undefined, order: ListOrder | undefined) {
  if (cursor === undefined) return {};
  if (!isByName(order)) return { after: decodeCursor(cursor) };
  const [afterName = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split(' ');
  // Of another order, or none of ours: the id says so.
  return { afterName, after: decodeCursor(Buffer.from(id).toString('base64url')) };
}

function readTime(field: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeMs = Date.parse(text);
  // What PostgreSQL can hold, and every clock.
  if (Number.isSafeInteger(timeMs)) return timeMs;
  throw invalid(field, 'a time such as 2026-01-31T12:00:00Z');
}

const labelKey = new RegExp(Object.keys(LabelsSchema.patternProperties)[0] ?? '');

function readLabel(text: string | undefined) {
  if (text === undefined) return undefined;
  const at = text.indexOf('=');
  const key = text.slice(0, Math.max(0, at));
  if (!labelKey.test(key) || text.includes('\0')) throw invalid('label', 'key=value');
  return { key, value: text.slice(at + 1).toWellFormed() };
}

function invalid(field: string, expected: string): ProblemError {
  return new ProblemError(PROBLEMS.invalidRequest, `${field} must be ${expected}`, { field });
}

function withoutAbsent(
  fields: { readonly [Name in keyof ListFilter]: ListFilter[Name] | undefined },
) {
  const given: ListFilter = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  );
  return given;
}
