import { expect, it } from 'vitest';
import { PUBLIC_OPERATIONS } from './http/access.ts';
import { describeOnEachStore } from './testing/each-store.ts';

describeOnEachStore('the OpenAPI document', (test) => {
  it('describes every public route, and nothing internal', async () => {
    const answer = await test().factory.api.app.inject('/openapi.json');
    const paths: Record<string, Record<string, { operationId: string }>> = answer.json().paths;
    const operations = Object.values(paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(operations.sort()).toEqual(PUBLIC_OPERATIONS);
  });

  it('lets nobody in without the internal token, whatever the route', async () => {
    const { app } = test().factory.api;
    const answer = await app.inject('/openapi.json');
    const paths: Record<string, Record<string, unknown>> = answer.json().paths;
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const url = path.replace('{id}', `vm_${'0'.repeat(32)}`);
        const refused = await app.inject({ method: method.toUpperCase() as 'GET', url });
        expect(refused.statusCode, `${method} ${path}`).toBe(401);
      }
    }
  });
});
