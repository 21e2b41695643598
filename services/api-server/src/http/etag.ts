import { createHash } from 'node:crypto';
import { PROBLEMS } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** What the check reads a thing with: the caller's own rights. */
const PASSED_ON = ['authorization', 'x-factory-principal', 'x-request-id'];

/**
 * `etag` on every single thing that is shown, and `if-match` on every change of one: a change that
 * was made upon what somebody has changed since is refused with 412. `if-none-match` saves reading
 * again what has not changed.
 */
export function installEtags(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (!showsOneThing(request, reply) || typeof payload !== 'string') return payload;
    const known = reply.getHeader('etag');
    const tag = typeof known === 'string' ? known : etagOf(payload);
    reply.header('etag', tag);
    const wanted = request.headers['if-none-match'];
    if (request.method !== 'GET' || wanted === undefined || !isAmong(tag, wanted)) return payload;
    reply.status(304).removeHeader('content-type').removeHeader('content-length');
    return '';
  });
  app.addHook('preHandler', async (request) => {
    const wanted = request.headers['if-match'];
    if (wanted === undefined || request.method === 'GET') return;
    await requireMatch(app, request, wanted);
  });
}

/** A tag of what is shown; another one as soon as anything of it is another. Pure. */
export function etagOf(shown: string): string {
  return `"${createHash('sha256').update(shown).digest('hex').slice(0, 32)}"`;
}

/** Whether the tag is one of those in an `if-match` or `if-none-match` header. Pure. */
export function isAmong(tag: string, header: string): boolean {
  return header.split(',').some((each) => each.trim() === '*' || each.trim() === tag);
}

/** The path of the thing that a path changes: `/v1/vms/vm_1:start` is about `/v1/vms/vm_1`. Pure. */
export function thingOf(url: string): string {
  const [path = ''] = url.split('?', 1);
  const verb = /^(.*\/[^/:]+):[A-Za-z]+$/.exec(path);
  return verb?.[1] ?? path;
}

function showsOneThing(request: FastifyRequest, reply: FastifyReply): boolean {
  const isRead = request.method === 'GET' || request.method === 'PATCH';
  const isOne = Object.keys(Object(request.params)).length > 0;
  const type = String(reply.getHeader('content-type') ?? '');
  return isRead && isOne && reply.statusCode === 200 && type.startsWith('application/json');
}

async function requireMatch(
  app: FastifyInstance,
  request: FastifyRequest,
  wanted: string,
): Promise<void> {
  const headers = Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = request.headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
  const now = await app.inject({ method: 'GET', url: thingOf(request.url), headers });
  const tag = now.headers.etag;
  // What can't be shown is the route's own to refuse, or has no states to tell apart.
  if (now.statusCode !== 200 || typeof tag !== 'string' || isAmong(tag, wanted)) return;
  const detail = 'It has changed since it was read; read it again and decide anew.';
  throw new ProblemError(PROBLEMS.preconditionFailed, detail, { field: 'if-match' });
}
