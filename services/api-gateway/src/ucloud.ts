import {
  isUcloudSignatureValid,
  type UCLOUD_CODES,
  type UcloudParams,
  ucloudRefusal,
} from '@factory/contracts';
import { type HttpTransport, requestJson } from '@factory/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiKey, KeyDirectory } from './key-directory.ts';
import { bodyOf, type ProxyTarget } from './proxy.ts';
import type { RateLimiter } from './rate-limiter.ts';

const PATHS = ['/', '/ucloud'];
/** Longer than an action takes that waits for machines. */
const ACTION_TIMEOUT_MS = 60_000;
const PARAMS_MAX = 500;

interface UcloudParts {
  readonly keys: KeyDirectory;
  readonly rateLimiter: RateLimiter;
  readonly target: ProxyTarget;
}

/**
 * UCloud-style actions: `Action=…&PublicKey=…&Signature=…` in the query, a form or JSON, answered with
 * 200 and a `RetCode`. Only for keys that allow it, as their signatures can be sent again.
 */
export function ucloudRoutes(app: FastifyInstance, parts: UcloudParts): void {
  for (const url of PATHS) {
    app.route({
      method: ['GET', 'POST'],
      url,
      handler: async (request) => answer(parts, request),
    });
  }
}

async function answer(parts: UcloudParts, request: FastifyRequest): Promise<unknown> {
  const params = readParams(request);
  const { Action: action, PublicKey: keyId = '' } = params ?? {};
  const refuse = (code: keyof typeof UCLOUD_CODES, why: string) => ucloudRefusal(action, code, why);
  if (params === undefined) return refuse('badParameter', 'The parameters can not be read');
  if (action === undefined) return refuse('noAction', 'Missing Action');
  if (params.Signature === undefined) return refuse('noSignature', 'Missing signature');
  try {
    const key = await parts.keys.find(keyId);
    // The same words for an unknown key, so that keys can't be guessed.
    const isValid = isUcloudSignatureValid(params, key?.secret ?? 'no such key');
    if (key === undefined || !isValid) return refuse('badSignature', 'Signature VerifyAC Error');
    if (!key.allowsUcloud) return refuse('denied', 'The key is not for UCloud-style actions');
    if ((await parts.rateLimiter.waitMs(keyId)) > 0)
      return refuse('throttled', 'Too many requests');
    return await act(parts.target, key, params, request);
  } catch (error) {
    request.log.warn({ err: error }, 'an action could not be carried out');
    return refuse('unavailable', 'Service unavailable; try again shortly');
  }
}

function act(
  { transport, apiServer, internalToken }: ProxyTarget,
  key: ApiKey,
  params: UcloudParams,
  request: FastifyRequest,
): Promise<unknown> {
  const { Signature: _signature, ...others } = params;
  return postJson(transport, `${apiServer}/internal/v1/ucloud`, others, {
    authorization: `Bearer ${internalToken}`,
    'x-factory-principal': JSON.stringify(key.principal),
    'x-factory-client-address': request.ip,
    'x-request-id': request.id,
  });
}

function postJson(
  transport: HttpTransport,
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<unknown> {
  return requestJson(
    transport,
    { method: 'POST', url, headers, json: body, timeoutMs: ACTION_TIMEOUT_MS },
    (value) => value,
  );
}

/** All parameters as texts; `undefined` when one is there twice, or they are not what we read. */
function readParams(request: FastifyRequest): UcloudParams | undefined {
  const [, query = ''] = request.url.split('?', 2);
  const body = Buffer.from(bodyOf(request)).toString('utf8');
  const isJson = (request.headers['content-type'] ?? '').includes('json');
  const pairs = [...new URLSearchParams(query)];
  try {
    if (body !== '')
      pairs.push(...(isJson ? flatten(JSON.parse(body)) : new URLSearchParams(body)));
  } catch {
    return undefined;
  }
  const params: UcloudParams = Object.fromEntries(pairs);
  const isOnce = Object.keys(params).length === pairs.length;
  return isOnce && pairs.length <= PARAMS_MAX ? params : undefined;
}

/** `{"Disks": [{"Size": 20}], "Check": true}` is `Disks.0.Size=20` and `Check=true`. */
function flatten(value: unknown, prefix = ''): [string, string][] {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object') return [[prefix, String(value)]];
  return Object.entries(value).flatMap(([name, part]) =>
    flatten(part, prefix === '' ? name : `${prefix}.${name}`),
  );
}
