import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { docsPage } from './docs-page.ts';
import { withCommon } from './openapi-common.ts';

/** Collects the schemas of all routes that come later, for `GET /openapi.json`. */
export async function installOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Compute Factory',
        version: '1.0.0',
        description: 'Large batches of virtual machines from many datacenters.',
      },
      components: {
        securitySchemes: {
          signature: {
            type: 'apiKey',
            in: 'header',
            name: 'authorization',
            description:
              'HMAC-SHA256 over method, path, sorted query, body hash, timestamp and nonce.',
          },
        },
      },
      security: [{ signature: [] }],
    },
    transform: ({ schema, url, route }) => ({
      // Only what is described is for everybody: the rest is the factory's own.
      schema:
        schema?.operationId === undefined
          ? { ...schema, hide: true }
          : withCommon(schema, [route.method].flat(), url),
      // A verb behind a parameter; behind a word the plugin knows it.
      url: url.replace(/\([^)]*\)/g, '').replace(/(:\w+)::/g, '$1:'),
    }),
  });
  app.get('/openapi.json', async () => app.swagger());
  const security = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'";
  app.get('/docs', async (_request, reply) => {
    reply.type('text/html; charset=utf-8').header('content-security-policy', security);
    return reply.serializer(String).send(docsPage(JSON.parse(JSON.stringify(app.swagger()))));
  });
}
