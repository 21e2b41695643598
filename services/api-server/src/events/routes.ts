import { EVENT_TYPES, EventPageSchema, type EventType, PROBLEMS } from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { EventFeed } from './feed.ts';
import { readEvents } from './reading.ts';
import { showEvent } from './show.ts';
import { streamEvents } from './stream.ts';

const tags = ['events'];
const Number_ = Type.Integer({ minimum: 0, description: 'The number of the last known event.' });
const Types = Type.String({
  maxLength: 1_000,
  description: `Only these types, with commas between: ${EVENT_TYPES.join(', ')}`,
});

/** `/v1/events` */
export function eventRoutes(
  instance: FastifyInstance,
  parts: { readonly feed: EventFeed; readonly clock: Clock },
): void {
  const { feed } = parts;
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/events',
    {
      schema: {
        operationId: 'listEvents',
        summary: 'List what has changed, in order, after the event of a number',
        tags,
        querystring: Type.Object({
          after: Type.Optional(Number_),
          limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
          types: Type.Optional(Types),
        }),
        response: answers(200, EventPageSchema),
      },
    },
    async (request) => {
      const { after, limit, types } = request.query;
      const { projectId } = principalOf(request);
      await feed.number();
      const wish = { projectId, after, limit, types: readTypes(types) };
      const { events, next, newest } = await readEvents(feed, wish);
      return { items: events.map(showEvent), next, newest };
    },
  );
  app.get(
    '/v1/events/stream',
    {
      schema: {
        operationId: 'streamEvents',
        summary: 'Follow what changes as server-sent events, from now on or after a number',
        description: `Each event has its number as \`id\`: a reader that comes back says the last one it
has in \`Last-Event-ID\` and misses nothing. Comments keep the connection alive.`,
        tags,
        produces: ['text/event-stream'],
        headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 20 })) }),
        querystring: Type.Object({ after: Type.Optional(Number_), types: Type.Optional(Types) }),
        response: answers(200, Type.String()),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const types = readTypes(request.query.types);
      const from = readPosition(request.headers['last-event-id']) ?? request.query.after;
      await feed.number();
      const after = from ?? (await feed.newest(projectId));
      // What can't be followed is said while there still is a status to say it with.
      await readEvents(feed, { projectId, after, types: [], limit: 1 });
      reply.hijack();
      const headers = { 'x-request-id': request.id };
      await streamEvents(parts, reply.raw, { projectId, after, types }, headers);
    },
  );
}

function readTypes(text: string | undefined): readonly EventType[] {
  if (text === undefined) return [];
  return text.split(',').map((each) => {
    const type = EVENT_TYPES.find((known) => known === each);
    if (type !== undefined) return type;
    const detail = `There are no events of the type ${each}; there are: ${EVENT_TYPES.join(', ')}.`;
    throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'types' });
  });
}

function readPosition(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const detail = 'Last-Event-ID must be the id of the last event that was read.';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'last-event-id' });
}
