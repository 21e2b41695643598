import type { FastifyInstance, FastifyRequest } from 'fastify';
import { addMesosRoutes, bodyOf, MesosHttpError } from '../../http/mesos-http.ts';
import {
  type Attribute,
  CodecError,
  fromJson,
  normalizeResources,
  ParseError,
  parseAttributes,
  parseResources,
  type Resources,
  requestEncoding,
  toJson,
} from '../../protocol/index.ts';
import type { AgentContext } from '../context.ts';
import { IncompatibleResourcesError } from '../operations/agent-operations.ts';
import type { AgentDescription, OnlineChanges } from './agent-description.ts';

/** Where an agent's resources and attributes are read and changed while it runs. */
const AGENT_INFO_PATH = '/api/v1/agent_info';

/** What the API needs of the agent. */
export interface OnlineApiOptions {
  readonly context: AgentContext;
  readonly description: AgentDescription;
  readonly isRecovered: () => boolean;
}

/**
 * `GET /api/v1/agent_info` shows what the agent is: `{"resources": […], "attributes": […]}`.
 * `PUT` changes one or both, each as a whole, in Mesos' JSON or as text (`"cpus:8;mem:1024"`); what
 * is left out stays. `DELETE` goes back to the flags. A change is durable when it is answered; the
 * master takes back the offers that are no longer true. Mesos needs a restart for this, so the path
 * is ours.
 */
export function installOnlineApi(app: FastifyInstance, options: OnlineApiOptions): void {
  const { context, description } = options;
  addMesosRoutes(app, (scope) => {
    scope.get(AGENT_INFO_PATH, async (request) => {
      check(options, request, 'view_agents');
      return show(description);
    });
    scope.put(AGENT_INFO_PATH, async (request) => {
      requestEncoding(request.headers['content-type']);
      return change(options, request, () =>
        readChanges(bodyOf(request), context.settings.defaultRole),
      );
    });
    scope.delete(AGENT_INFO_PATH, async (request) =>
      change(options, request, () => ({ resources: undefined, attributes: undefined })),
    );
  });
}

async function change(
  options: OnlineApiOptions,
  request: FastifyRequest,
  read: () => OnlineChanges,
): Promise<object> {
  check(options, request, 'update_agents');
  const { context, description, isRecovered } = options;
  if (!isRecovered()) throw new MesosHttpError(503, 'Agent has not finished recovery');
  const changes = read();
  try {
    await description.change(changes);
  } catch (error) {
    if (error instanceof IncompatibleResourcesError) throw new MesosHttpError(409, error.message);
    throw error;
  }
  context.logger.info({ caller: request.caller?.value }, 'resources or attributes were changed');
  return show(description);
}

/** @throws MesosHttpError 403. */
function check(
  { context: { security, state } }: OnlineApiOptions,
  { caller }: FastifyRequest,
  action: 'view_agents' | 'update_agents',
): void {
  if (security.authorizer.allows(action, caller?.value, state.agentId)) return;
  throw new MesosHttpError(403, '403 Forbidden.');
}

function show({ resources, attributes }: AgentDescription): object {
  return {
    resources: resources.map((each) => toJson('Resource', each)),
    attributes: attributes.map((each) => toJson('Attribute', each)),
  };
}

/** @throws MesosHttpError 400 that says what is wrong. */
function readChanges(body: Uint8Array, defaultRole: string): OnlineChanges {
  const { resources, attributes, ...others } = readObject(body);
  const [other] = Object.keys(others);
  if (other !== undefined) throw new MesosHttpError(400, `Unknown field '${other}'`);
  try {
    return {
      ...(resources === undefined ? {} : { resources: readResources(resources, defaultRole) }),
      ...(attributes === undefined ? {} : { attributes: readAttributes(attributes) }),
    };
  } catch (error) {
    if (error instanceof ParseError) throw new MesosHttpError(400, error.message);
    throw error;
  }
}

function readObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new CodecError('Failed to parse body into JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CodecError('Expecting a JSON object');
  }
  return Object.fromEntries(Object.entries(value));
}

/** Both forms take the way that the flag takes, and are checked as it is; but these may be revocable. */
function readResources(value: unknown, defaultRole: string): Resources {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return normalizeResources(parseResources(text, defaultRole, 'allowed'));
}

function readAttributes(value: unknown): readonly Attribute[] {
  if (typeof value === 'string') return parseAttributes(value);
  if (!Array.isArray(value)) throw new CodecError("Expecting 'attributes' to be a list or a text");
  return value.map((each: unknown) => fromJson('Attribute', each));
}
