import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sendJson } from '../../http/json-answer.ts';
import { bodyOf } from '../../http/mesos-http.ts';
import { CodecError, fromJson, type MachineID, toJson } from '../../protocol/index.ts';
import { checkOperatorCall } from '../authorization.ts';
import type { MasterCore } from '../core.ts';
import { PREFIXES } from '../prefixes.ts';
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
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/maintenance/schedule`, async (request, reply) => {
      await carryOut(request, { type: 'GET_MAINTENANCE_SCHEDULE' });
      const schedule = toJson('maintenance.Schedule', maintenance.schedule());
      return sendJson(request, reply, core.clock, schedule);
    });
    app.post(`${prefix}/maintenance/schedule`, async (request, reply) => {
      const schedule = fromJson('maintenance.Schedule', readJson(request));
      const update_maintenance_schedule = { schedule };
      await carryOut(request, { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule });
      return reply.status(200).send();
    });
    app.get(`${prefix}/maintenance/status`, async (request, reply) => {
      await carryOut(request, { type: 'GET_MAINTENANCE_STATUS' });
      const status = toJson('maintenance.ClusterStatus', maintenance.status());
      return sendJson(request, reply, core.clock, status);
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
