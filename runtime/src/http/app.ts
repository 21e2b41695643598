import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import { hasErrorCode } from '../files.ts';
import type { Logger } from '../log.ts';
import { createSequence, type Random, systemRandom } from '../random.ts';
import { inRequest, requestContext } from '../request-context.ts';
import { drainBody } from './drain.ts';
import { installMetrics } from './metrics.ts';
import { ProblemError } from './problem.ts';
import { type ProblemBody, STANDARD_PROBLEMS, toProblem } from './problem-body.ts';
import { createRouteTable } from './route-table.ts';
import { type ServerTls, tlsServerFactory } from './tls.ts';
import { compileWhenNeeded } from './validation.ts';

/** Whether a process is fit for work, and if not, why. */
export interface ReadyReport {
  readonly ready: boolean;
  /** Sentences for a person: `the database does not answer`. */
  readonly reasons: readonly string[];
}

/** What {@link createHttpApp} builds from. */
export interface HttpAppOptions {
  readonly service: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Larger bodies get a 413. Default 1 MiB. */
  readonly bodyLimitBytes?: number;
  /** Asked at every `GET /health/ready`; without it the process is always ready. */
  readonly isReady?: () => Promise<ReadyReport> | ReadyReport;
  /** For request ids; a simulation gives its seeded one. */
  readonly random?: Random;
  /** Its server speaks TLS. */
  readonly tls?: ServerTls | undefined;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The app's own metrics, shown at `GET /metrics`; services register theirs here. */
    readonly metricsRegistry: Registry;
  }
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const MIB = 1024 * 1024;

/**
 * A fastify app with what every process of the factory has: request ids (`x-request-id`, taken over
 * or made), errors as RFC 9457 problem+json, strict validation (bodies as they are; only texts of
 * URL and headers are converted), 404 and 405, `GET /health/live`, `/health/ready`, `/metrics`.
 * Only `application/json` bodies are read; add content type parsers for others.
 */
export function createHttpApp(options: HttpAppOptions): FastifyInstance {
  const { service, clock, logger, bodyLimitBytes = MIB, tls } = options;
  const newId = createSequence('req', options.random ?? systemRandom);
  const app: FastifyInstance = fastify({
    logger: false,
    bodyLimit: bodyLimitBytes,
    ...(tls === undefined ? {} : { serverFactory: tlsServerFactory(tls) }),
    genReqId: (request) => acceptedId(request.headers['x-request-id']) ?? newId(),
    clientErrorHandler: (error, socket) => refuseConnection(error, socket, newId()),
    // A malformed URL never reaches the hooks, so it brings its own answer.
    frameworkErrors: (error, request, reply) => sendError(error, request, reply, logger),
  });
  app.setValidatorCompiler(compileWhenNeeded);
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    if (request.url.includes(NUL)) return done(nulInUrl());
    inRequest(requestContext(request.id, request.headers.traceparent), done);
  });
  // A body arrives in the context of its connection.
  app.addHook('preValidation', (request, _reply, done) => {
    inRequest(requestContext(request.id, request.headers.traceparent), done);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode !== 413) return done(null, payload);
    return void drainBody(request.raw, clock).then(() => done(null, payload));
  });
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply, logger));
  installNotFound(app);
  installMetrics(app, clock);
  installHealth(app, service, options.isReady ?? (() => ({ ready: true, reasons: [] })));
  return app;
}

/** No name, id or filter holds a NUL, and neither does a text of PostgreSQL. */
const NUL = '%00';

function nulInUrl(): ProblemError {
  const detail = 'The URL has a NUL character (%00); nothing has one in its name.';
  return new ProblemError(STANDARD_PROBLEMS.invalidRequest, detail, { field: 'url' });
}

/** Answers what is not even HTTP, or has larger headers than Node takes; the connection ends. */
function refuseConnection(error: Error, socket: Socket, requestId: string): void {
  if (!socket.writable) return;
  const isTooLarge = hasErrorCode(error, 'HPE_HEADER_OVERFLOW');
  const [status, detail] = isTooLarge
    ? ([431, 'URL and headers are larger than 16 KiB together.'] as const)
    : ([400, 'This is not an HTTP request.'] as const);
  const problem = { ...STANDARD_PROBLEMS.invalidRequest, status, detail, requestId };
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function acceptedId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && REQUEST_ID.test(header) ? header : undefined;
}

function sendError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: Logger,
): void {
  const { problem, headers } = toProblem(error, request.id);
  const fields = { requestId: request.id, method: request.method, url: pathOf(request.url) };
  if (problem.status >= 500) logger.error({ ...fields, err: error }, 'request failed');
  else logger.debug({ ...fields, code: problem.code, detail: problem.detail }, 'request refused');
  if (reply.raw.headersSent) {
    // The answer has begun: only a broken connection can still tell the peer.
    reply.raw.destroy();
    return;
  }
  reply.headers(headers);
  sendProblem(reply, problem);
}

function sendProblem(reply: FastifyReply, problem: ProblemBody): void {
  reply
    .status(problem.status)
    .header('x-request-id', problem.requestId)
    .type('application/problem+json')
    // Serialised here: a route's own response schema must not reshape a problem.
    .serializer((body: unknown) => (typeof body === 'string' ? body : JSON.stringify(body)))
    .send(problem);
}

/** The path without the query, which may hold secrets. */
function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

function installNotFound(app: FastifyInstance): void {
  const routes = createRouteTable();
  app.addHook('onRoute', (route) => routes.add([route.method].flat(), route.url));
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url);
    const allowed = routes.methodsFor(path);
    const { notFound, methodNotAllowed } = STANDARD_PROBLEMS;
    if (allowed.length === 0) {
      const detail = `there is no ${path}`;
      sendProblem(reply, { ...notFound, detail, requestId: request.id });
      return;
    }
    reply.header('allow', allowed.join(', '));
    const detail = `${path} does not take ${request.method}; use ${allowed.join(' or ')}`;
    sendProblem(reply, { ...methodNotAllowed, detail, requestId: request.id });
  });
}

function installHealth(
  app: FastifyInstance,
  service: string,
  isReady: () => Promise<ReadyReport> | ReadyReport,
): void {
  app.get('/health/live', async () => ({ status: 'live', service }));
  app.get('/health/ready', async (_request, reply) => {
    const report = await isReady();
    const status = report.ready ? 'ready' : 'not ready';
    return reply
      .status(report.ready ? 200 : 503)
      .send({ status, service, reasons: report.reasons });
  });
}
