import { type TSchema, Type } from 'typebox';

/** RFC 9457 problem details, as every error answer is. */
const ProblemSchema = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String({ description: 'Stable; see the error catalogue.' }),
  detail: Type.String({ description: 'What was wrong and what to do.' }),
  field: Type.Optional(Type.String({ description: 'The offending field of the input.' })),
  requestId: Type.String(),
});

/** How many items a list page may have. */
const PAGE_LIMIT = { default: 100, max: 500 } as const;

/** The query parameters that every list has. */
export const PageQuery = {
  cursor: Type.Optional(
    Type.String({ maxLength: 200, description: 'The `nextCursor` of the page before.' }),
  ),
  limit: Type.Integer({ minimum: 1, maximum: PAGE_LIMIT.max, default: PAGE_LIMIT.default }),
};

/** A page of a list; `nextCursor` is null on the last one. */
export function pageOf<Item extends TSchema>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()]),
  });
}

/** The answers of a route: its own, and the problem that all errors are. */
export function answers<Status extends number, Body extends TSchema>(status: Status, body: Body) {
  return { [status]: body, '4xx': ProblemSchema, '5xx': ProblemSchema };
}
