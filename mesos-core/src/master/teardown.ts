import type { FastifyInstance } from 'fastify';
import { bodyOf, MesosHttpError } from '../http/mesos-http.ts';
import type { MasterCall } from '../protocol/index.ts';
import { checkOperatorCall } from './authorization.ts';
import type { MasterCore } from './core.ts';
import type { OperatorApi } from './operator-api.ts';
import { PREFIXES } from './prefixes.ts';

/** The endpoint from before the v1 API: a form, `frameworkId=…`. */
export function addTeardownRoutes(
  app: FastifyInstance,
  core: MasterCore,
  operator: OperatorApi,
): void {
  for (const prefix of PREFIXES) {
    app.post(`${prefix}/teardown`, async (request, reply) => {
      const form = new URLSearchParams(Buffer.from(bodyOf(request)).toString('utf8'));
      const value = form.get('frameworkId');
      if (value === null) {
        const message = "Missing 'frameworkId' query parameter in the request body";
        throw new MesosHttpError(400, message);
      }
      const call: MasterCall = { type: 'TEARDOWN', teardown: { framework_id: { value } } };
      checkOperatorCall(core, call, request.caller);
      await operator.handle(call, request.caller?.value);
      return reply.status(200).send();
    });
  }
}
