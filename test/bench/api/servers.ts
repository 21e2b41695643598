import { createServer } from 'node:http';
import { createUndiciTransport } from '@factory/runtime';
import { fastify } from 'fastify';

/**
 * What the gateway is measured against, each in a process of its own: `upstream PORT`, a server that
 * answers at once in the api-server's place; `bare PORT`, fastify that answers the same itself;
 * `proxy PORT UPSTREAM`, fastify that does nothing but send on.
 */
const [kind = '', port = '', upstream = ''] = process.argv.slice(2);
const ANSWER = { id: `vm_${'1'.repeat(32)}`, state: 'running', name: 'web-1', vcpus: 2 };
const HOST = '127.0.0.1';

switch (kind) {
  case 'upstream':
    await listenUpstream();
    break;
  case 'bare':
    await listenBare();
    break;
  case 'proxy':
    await listenProxy();
    break;
  default:
    throw new Error(`no such server: ${kind}`);
}
process.send?.('ready');

async function listenUpstream(): Promise<void> {
  const key = {
    keyId: `key_${'1'.repeat(32)}`,
    secret: process.env.BENCH_SECRET,
    principal: { actor: `key_${'1'.repeat(32)}`, role: 'admin' },
    revoked: false,
  };
  const server = createServer((request, response) => {
    const body = JSON.stringify(request.url?.startsWith('/internal/') === true ? key : ANSWER);
    const length = Buffer.byteLength(body);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
    response.end(body);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(Number(port), HOST, resolve);
  await promise;
}

async function listenBare(): Promise<void> {
  const app = fastify();
  app.get('/v1/*', async () => ANSWER);
  await app.listen({ host: HOST, port: Number(port) });
}

async function listenProxy(): Promise<void> {
  const app = fastify();
  const transport = createUndiciTransport();
  app.get('/v1/*', async (request, reply) => {
    const url = `${upstream}${request.url}`;
    const answer = await transport.request({ method: 'GET', url, timeoutMs: 60_000 });
    return reply.status(answer.status).type('application/json').send(Buffer.from(answer.body));
  });
  await app.listen({ host: HOST, port: Number(port) });
}
