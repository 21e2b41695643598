/** A route's schema as fastify has it: JSON schemas by their places. */
interface RouteSchema {
  readonly headers?: unknown;
  readonly response?: unknown;
}

const IF_MATCH = {
  type: 'string',
  maxLength: 1_000,
  description: 'The `ETag` of what was read: the change is made only if it is still so, else 412.',
};
const RETRY_AFTER = { type: 'integer', description: 'Seconds until the next request may come.' };
const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'requestId'],
  properties: {
    ...{ type: { type: 'string' }, title: { type: 'string' }, status: { type: 'integer' } },
    ...{ code: { type: 'string' }, detail: { type: 'string' }, requestId: { type: 'string' } },
  },
};

/**
 * What holds for all operations, added to what a route says of itself: 429 with `retry-after`, and on
 * changes of a thing `if-match` and 412. For the document alone. Pure.
 */
export function withCommon<Schema extends RouteSchema>(
  schema: Schema,
  methods: readonly string[],
  url: string,
): Schema {
  const isChange = url.includes(':') && !methods.includes('GET');
  const headers = Object(schema.headers);
  return {
    ...schema,
    ...(isChange
      ? {
          headers: {
            ...headers,
            type: 'object',
            properties: { ...headers.properties, 'if-match': IF_MATCH },
          },
        }
      : {}),
    response: {
      ...Object(schema.response),
      ...(isChange
        ? { 412: { ...PROBLEM, description: 'It has changed since it was read.' } }
        : {}),
      429: {
        ...PROBLEM,
        description: 'This key makes too many requests.',
        headers: { 'retry-after': RETRY_AFTER },
      },
    },
  };
}
