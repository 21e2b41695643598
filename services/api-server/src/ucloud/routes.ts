import { PROBLEMS, type UcloudParams, ucloudRefusal } from '@factory/contracts';
import { type Clock, ProblemError, type Random } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { readPrincipal } from '../http/principal.ts';
import { ACTIONS } from './actions.ts';
import { codeFor, type RestCall, UcloudError } from './call.ts';

const problem = Compile(
  Type.Object({ detail: Type.String(), field: Type.Optional(Type.String()) }),
);
/** What a call for somebody is made with. */
const CALL_HEADERS = [
  ...['authorization', 'x-factory-principal', 'x-factory-client-address', 'x-request-id'],
];

/** `/internal/v1/ucloud`: an action that the gateway has found to be signed by a key that may. */
export function ucloudRoutes(
  instance: FastifyInstance,
  parts: { readonly clock: Clock; readonly random: Random },
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const body = Type.Record(Type.String(), Type.String());
  app.post('/internal/v1/ucloud', { schema: { body } }, async (request) => {
    const params: UcloudParams = request.body;
    const name = params.Action ?? '';
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (action === undefined)
      return ucloudRefusal(name, 'unknownAction', `Action [${name}] not found`);
    const principal = readPrincipal(request);
    const isElsewhere = (params.ProjectId ?? principal.projectId) !== principal.projectId;
    if (isElsewhere) return ucloudRefusal(name, 'noProject', 'Project not found');
    try {
      const call = callFor(instance, request);
      const answer = await action({ ...parts, call, params, principal });
      return { RetCode: 0, Action: `${name}Response`, ...answer };
    } catch (error) {
      if (error instanceof UcloudError) return ucloudRefusal(name, error.code, error.message);
      throw error;
    }
  });
}

/** Calls our own routes in this process, as the one who asks. */
function callFor(app: FastifyInstance, request: FastifyRequest): RestCall {
  const headers: Record<string, string> = {};
  for (const name of CALL_HEADERS) {
    const value = request.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return async (method, url, body) => {
    const payload = body === undefined ? {} : { payload: body };
    const answer = await app.inject({ method, url, headers, ...payload });
    if (answer.statusCode < 300) return answer.body === '' ? undefined : answer.json();
    if (answer.statusCode === 401) throw new ProblemError(PROBLEMS.unsigned, 'not for anybody');
    const said: unknown = answer.json();
    const { detail, field } = problem.Check(said) ? said : { detail: 'Service error' };
    throw new UcloudError(codeFor(answer.statusCode), detail, field);
  };
}
