import type { FastifyInstance, FastifyRequest } from 'fastify';
import { readOrRefuse } from '../../http/bad-request.ts';
import { sendJson } from '../../http/json-answer.ts';
import { bodyOf } from '../../http/mesos-http.ts';
import { fromJson, type MasterCall, type WeightInfo } from '../../protocol/index.ts';
import { checkOperatorCall } from '../authorization.ts';
import type { MasterCore } from '../core.ts';
import { PREFIXES } from '../prefixes.ts';
import { visibilityOf } from '../visibility.ts';
import { handleWeightsCall, weightsOf } from './weights.ts';

/** The endpoint from before the v1 API: GET and PUT `/weights`, lists in JSON. */
export function addWeightsRoutes(app: FastifyInstance, core: MasterCore): void {
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/weights`, async (request, reply) => {
      const visibility = visibilityOf(core.authorizer, request.caller?.value);
      const visible = weightsOf(core).filter(({ role }) => visibility.role(role));
      return sendJson(request, reply, core.clock, visible);
    });
    app.put(`${prefix}/weights`, async (request, reply) => {
      const update_weights = { weight_infos: readWeights(request) };
      const call: MasterCall = { type: 'UPDATE_WEIGHTS', update_weights };
      checkOperatorCall(core, call, request.caller);
      await handleWeightsCall(core, call);
      return reply.status(200).send();
    });
  }
}

function readWeights(request: FastifyRequest): readonly WeightInfo[] {
  const text = Buffer.from(bodyOf(request)).toString('utf8');
  const json = readOrRefuse(`Failed to parse update weights request JSON ('${text}')`, () => {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
    throw new TypeError('Expecting a JSON array');
  });
  return readOrRefuse(`Failed to convert weights JSON array to protobuf ('${text}')`, () =>
    json.map((each) => fromJson('WeightInfo', each)),
  );
}
