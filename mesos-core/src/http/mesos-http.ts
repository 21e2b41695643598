import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodecError, ContentTypeError } from '../protocol/index.ts';

/** An answer that is no success, in Mesos' form: a status and a line of text. */
export class MesosHttpError extends Error {
  readonly code = 'MESOS_ERR_HTTP';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'MesosHttpError';
    this.status = status;
  }
}

/**
 * Adds routes that speak as Mesos does: bodies of any type reach the handler as they are (a Buffer,
 * or `undefined`), and errors are answered with plain text.
 */
export function addMesosRoutes(app: FastifyInstance, add: (scope: FastifyInstance) => void): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
      done(null, body);
    });
    scope.setErrorHandler((error, _request, reply) => {
      const answer = toAnswer(error);
      // Unexpected errors are the app's own business: it logs them and hides what they say.
      if (answer === undefined) throw error;
      reply.status(answer.status).type('text/plain; charset=utf-8').send(answer.message);
    });
    add(scope);
    if (scope.hasRoute({ method: 'GET', url: '/*' })) return;
    scope.all('/*', (request, reply) => refuseUnknown(scope, request, reply));
  });
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const;

/** In Mesos' words: 404, or 405 where another method would do. */
function refuseUnknown(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const [url = ''] = request.url.split('?', 1);
  const allowed = METHODS.filter((method) => app.hasRoute({ method, url }));
  reply.type('text/plain; charset=utf-8');
  if (allowed.length === 0) return reply.status(404).send('404 Not Found.');
  const names = allowed.map((method) => `'${method}'`).join(', ');
  return reply
    .status(405)
    .header('allow', allowed.join(', '))
    .send(
      `405 Method Not Allowed. Expecting one of { ${names} }, but received '${request.method}'.`,
    );
}

/** What is answered instead of success. */
export interface ErrorAnswer {
  readonly status: number;
  readonly message: string;
}

/** The answer that an error stands for; `undefined`: it was not foreseen. */
export function toAnswer(error: unknown): ErrorAnswer | undefined {
  if (error instanceof MesosHttpError || error instanceof ContentTypeError) {
    return { status: error.status, message: error.message };
  }
  if (error instanceof CodecError) return { status: 400, message: error.message };
  return undefined;
}

/** The bytes of a request that {@link addMesosRoutes} let through. */
export function bodyOf(request: { readonly body: unknown }): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array();
}
