import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bodyOf, MesosHttpError } from '../../http/mesos-http.ts';
import { CodecError, fromJson, type MachineID, toJson } from '../../protocol/index.ts';
import { checkOperatorCall } from '../authorization.ts';
import type { MasterCore } from '../core.ts';
import type { Maintenance, MaintenanceCall } from './maintenance.ts';

/** The endpoints from before the v1 API: the same calls, with JSON bodies of their own. */
export function addMaintenanceRoutes(
  app: FastifyInstance,
  core: MasterCore,
  maintenance: Maintenance,
): void {
  const carryOut = (request: FastifyRequest, call: MaintenanceCall) => {
    checkOperatorCall(core, call, request.caller);
    return maintenance.handle(call);
  };
  for (const prefix of ['', '/master']) {
    app.get(`${prefix}/maintenance/schedule`, async (request) => {
      await carryOut(request, { type: 'GET_MAINTENANCE_SCHEDULE' });
      return toJson('maintenance.Schedule', maintenance.schedule());
    });
    app.post(`${prefix}/maintenance/schedule`, async (request, reply) => {
      const schedule = fromJson('maintenance.Schedule', readJson(request));
      const update_maintenance_schedule = { schedule };
      await carryOut(request, { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule });
      return reply.status(200).send();
    });
    app.get(`${prefix}/maintenance/status`, async (request) => {
      await carryOut(request, { type: 'GET_MAINTENANCE_STATUS' });
      return toJson('maintenance.ClusterStatus', maintenance.status());
    });
    app.post(`${prefix}/machine/down`, async (request, reply) => {
      const start_maintenance = { machines: readMachines(request) };
      await carryOut(request, { type: 'START_MAINTENANCE', start_maintenance });
      return reply.status(200).send();
    });
    app.post(`${prefix}/machine/up`, async (request, reply) => {
      const stop_maintenance = { machines: readMachines(request) };
      await carryOut(request, { type: 'STOP_MAINTENANCE', stop_maintenance });
      return reply.status(200).send();
    });
    refuseOthers(app, `${prefix}/maintenance/schedule`, ['GET', 'POST']);
    refuseOthers(app, `${prefix}/maintenance/status`, ['GET']);
    refuseOthers(app, `${prefix}/machine/down`, ['POST']);
    refuseOthers(app, `${prefix}/machine/up`, ['POST']);
  }
}

function readMachines(request: FastifyRequest): readonly MachineID[] {
  const json = readJson(request);
  if (!Array.isArray(json)) throw new CodecError('Expecting a JSON array');
  return json.map((each) => fromJson('MachineID', each));
}

function readJson(request: FastifyRequest): unknown {
  try {
    return JSON.parse(Buffer.from(bodyOf(request)).toString('utf8'));
  } catch (error) {
    throw new CodecError('Failed to parse body into JSON', { cause: error });
  }
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const;

function refuseOthers(
  app: FastifyInstance,
  url: string,
  allowed: readonly (typeof METHODS)[number][],
): void {
  const expected = allowed.map((each) => `'${each}'`).join(', ');
  app.route({
    method: METHODS.filter((each) => !allowed.includes(each)),
    url,
    handler: async (request, reply) => {
      reply.header('allow', allowed.join(', '));
      const wish = `Expecting one of { ${expected} }, but received '${request.method}'.`;
      throw new MesosHttpError(405, `405 Method Not Allowed. ${wish}`);
    },
  });
}
