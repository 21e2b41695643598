import type { FastifyInstance, FastifyRequest } from 'fastify';
import { readOrRefuse } from '../../http/bad-request.ts';
import { sendJson } from '../../http/json-answer.ts';
import { bodyOf, MesosHttpError } from '../../http/mesos-http.ts';
import { fromJson, type MasterCall, type QuotaRequest, toJson } from '../../protocol/index.ts';
import { checkOperatorCall } from '../authorization.ts';
import type { MasterCore } from '../core.ts';
import { PREFIXES } from '../prefixes.ts';
import { handleQuotaCall, quotasOf, removeQuota } from './quota.ts';
import { quotaStatus } from './quota-plan.ts';

/** The endpoints from before the v1 API: GET and POST `/quota`, DELETE `/quota/<role>`. */
export function addQuotaRoutes(app: FastifyInstance, core: MasterCore): void {
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/quota`, async (request, reply) => {
      const visible = quotasOf(core).filter(({ role }) =>
        core.authorizer.allows('get_quotas', request.caller?.value, role),
      );
      const status = toJson('quota.QuotaStatus', quotaStatus(visible));
      return sendJson(request, reply, core.clock, status);
    });
    app.post(`${prefix}/quota`, async (request, reply) => {
      const quota_request = readRequest(request);
      const call: MasterCall = { type: 'SET_QUOTA', set_quota: { quota_request } };
      checkOperatorCall(core, call, request.caller);
      await handleQuotaCall(core, call);
      return reply.status(200).send();
    });
    app.delete(`${prefix}/quota`, async () => {
      const why = "Failed to parse remove quota request for path '/master/quota'";
      throw new MesosHttpError(400, `${why}: expected 3 tokens, found 2 tokens`);
    });
    app.delete<{ Params: { '*': string } }>(`${prefix}/quota/*`, async (request, reply) => {
      const role = request.params['*'];
      const call: MasterCall = { type: 'REMOVE_QUOTA', remove_quota: { role } };
      checkOperatorCall(core, call, request.caller);
      await removeQuota(core, role, `Failed to remove quota for path '/master/quota/${role}'`);
      return reply.status(200).send();
    });
  }
}

function readRequest(request: FastifyRequest): QuotaRequest {
  const text = Buffer.from(bodyOf(request)).toString('utf8');
  const json = readOrRefuse(`Failed to parse set quota request JSON '${text}'`, (): unknown =>
    JSON.parse(text),
  );
  return readOrRefuse(`Failed to validate set quota request JSON '${text}'`, () =>
    fromJson('quota.QuotaRequest', json),
  );
}
