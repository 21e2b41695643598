import type { FastifyReply } from 'fastify';

/** Aborts when the caller goes away before it has its answer: a long poll may end then. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
