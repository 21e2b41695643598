import type { Clock } from '@factory/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { jsonPieces } from '../protocol/index.ts';
import { sendPieces } from './sliced-answer.ts';

/** Names that a script can call; anything else would be a script itself. */
const CALLBACK = /^[A-Za-z_$][\w$.[\]]{0,255}$/;

/**
 * Answers with a JSON value, which may have lazy parts, as Mesos' older endpoints do: with `?jsonp=f`
 * as a script that calls `f` with it.
 */
export function sendJson(
  request: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
  value: unknown,
): FastifyReply {
  const callback = queryOf(request).get('jsonp');
  if (callback === null || !CALLBACK.test(callback)) {
    return sendPieces(reply.header('content-type', 'application/json'), clock, jsonPieces(value));
  }
  reply.header('content-type', 'text/javascript');
  return sendPieces(reply, clock, scriptPieces(callback, value));
}

/** The query parameters of the request. */
export function queryOf(request: FastifyRequest): URLSearchParams {
  const [, query = ''] = request.url.split('?', 2);
  return new URLSearchParams(query);
}

function* scriptPieces(callback: string, value: unknown): Generator<string> {
  yield `${callback}(`;
  // These two end lines in scripts, but not in JSON.
  for (const piece of jsonPieces(value)) {
    yield piece.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  }
  yield ');';
}
