import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { listFiles, readFile } from '../files/files-calls.ts';
import { addMesosRoutes, bodyOf, MesosHttpError } from '../http/mesos-http.ts';
import {
  type AgentApiCall,
  type AgentApiResponse,
  type AgentApiResponseGetExecutors,
  type AgentApiResponseGetFrameworks,
  type AgentApiResponseGetOperations,
  type AgentApiResponseGetTasks,
  type AgentInfo,
  decodeMessage,
  encodeMessage,
  MEDIA_TYPES,
  requestEncoding,
  responseEncoding,
  type Task,
} from '../protocol/index.ts';
import { VERSION_INFO } from '../version-info.ts';
import { checkAgentCall } from './authorization.ts';
import { answerContainerCall, attachInput } from './container-api/container-api.ts';
import { getContainers } from './container-api/container-statistics.ts';
import type { AgentContext } from './context.ts';
import { metricsSnapshot } from './metrics-snapshot.ts';
import { PREFIXES } from './prefixes.ts';
import { type Framework, isTerminal, type TaskRecord } from './state.ts';
import { type AgentViews, addAgentViewRoutes } from './views/endpoints.ts';
import { toTask } from './views.ts';
import { type Visibility, visibilityOf } from './visibility.ts';

/** What the operator API needs of the agent. */
export interface OperatorApiOptions {
  readonly context: AgentContext;
  /** Base URL of the master that the agent is subscribed at. */
  readonly master: () => string | undefined;
  readonly views: AgentViews;
}

/** `POST /api/v1` (Mesos' v1 operator API, JSON and protobuf) and the plain GET endpoints. */
export function installOperatorApi(app: FastifyInstance, options: OperatorApiOptions): void {
  const { context, views } = options;
  addMesosRoutes(app, (scope) => {
    // Not read in advance: somebody may type it.
    scope.addContentTypeParser('application/recordio', (_request, body, done) => done(null, body));
    const post = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const { body } = request;
      if (body instanceof Readable) {
        await attachInput(context, request, reply, body);
        return reply;
      }
      const encoding = requestEncoding(request.headers['content-type']);
      const call = decodeMessage('agent.Call', encoding, bodyOf(request));
      checkAgentCall(context, call, request.caller);
      if (await answerContainerCall(context, call, request, reply)) return reply;
      const answerEncoding = responseEncoding(request.headers.accept);
      const response = await answer(options, call, request.caller?.value);
      if (response === undefined) return reply.status(200).send();
      const bytes = encodeMessage('agent.Response', answerEncoding, response);
      return reply.type(MEDIA_TYPES[answerEncoding]).send(Buffer.from(bytes));
    };
    for (const prefix of PREFIXES) scope.post(`${prefix}/api/v1`, post);
    addAgentViewRoutes(scope, context, views, {
      master: options.master,
      metrics: () => snapshotOf(options),
    });
  });
}

async function answer(
  options: OperatorApiOptions,
  call: AgentApiCall,
  principal: string | undefined,
): Promise<AgentApiResponse | undefined> {
  const { views } = options;
  const { type } = call;
  const { authorizer } = options.context.security;
  const visibility = visibilityOf(authorizer, principal, options.context.state);
  const context: AgentContext = { ...options.context, state: visibility.state };
  switch (type) {
    case 'GET_HEALTH':
      return { type, get_health: { healthy: true } };
    case 'GET_VERSION':
      return { type, get_version: { version_info: VERSION_INFO } };
    case 'GET_FLAGS': {
      const flags = Object.entries(views.flags).map(([name, value]) => ({ name, value }));
      return { type, get_flags: { flags } };
    }
    case 'GET_LOGGING_LEVEL':
      return { type, get_logging_level: { level: views.logging.level } };
    case 'SET_LOGGING_LEVEL': {
      const { level, duration } = call.set_logging_level;
      views.logging.set(level, duration.nanoseconds / 1e6);
      return undefined;
    }
    case 'LIST_FILES':
      return listFiles(views.filesApi, call.list_files, principal);
    case 'READ_FILE':
      return readFile(views.filesApi, call.read_file, principal);
    case 'GET_RESOURCE_PROVIDERS':
      return { type, get_resource_providers: {} };
    case 'GET_METRICS': {
      const metrics = Object.entries(snapshotOf(options));
      return { type, get_metrics: { metrics: metrics.map(([name, value]) => ({ name, value })) } };
    }
    case 'GET_STATE':
      return {
        type,
        get_state: {
          get_tasks: getTasks(context),
          get_executors: getExecutors(context),
          get_frameworks: getFrameworks(context),
        },
      };
    case 'GET_AGENT':
      return { type, get_agent: { agent_info: agentInfo(context, visibility) } };
    case 'GET_CONTAINERS':
      return {
        type,
        get_containers: await getContainers(options.context, visibility, call.get_containers),
      };
    case 'GET_FRAMEWORKS':
      return { type, get_frameworks: getFrameworks(context) };
    case 'GET_EXECUTORS':
      return { type, get_executors: getExecutors(context) };
    case 'GET_TASKS':
      return { type, get_tasks: getTasks(context) };
    case 'GET_OPERATIONS':
      return { type, get_operations: getOperations(context) };
    default:
      throw new MesosHttpError(501, `This agent does not carry out ${type}`);
  }
}

function snapshotOf({ context, master, views }: OperatorApiOptions) {
  const { startedAtMs, total } = views;
  const isRegistered = master() !== undefined;
  return metricsSnapshot(context, { isRegistered, startedAtMs, total: total() });
}

function agentInfo(context: AgentContext, { resources }: Visibility): AgentInfo {
  const info = context.agentInfo();
  return {
    ...info,
    ...(info.resources === undefined ? {} : { resources: resources(info.resources) }),
  };
}

function frameworksOf({ state }: AgentContext): readonly Framework[] {
  return [...state.frameworks.values()];
}

function allFrameworksOf({ state }: AgentContext): readonly Framework[] {
  return [...state.frameworks.values(), ...state.completedFrameworks];
}

function getTasks(context: AgentContext): AgentApiResponseGetTasks {
  const records = frameworksOf(context).flatMap((each) => [...each.tasks.values()]);
  const view = (wanted: (task: TaskRecord) => boolean): readonly Task[] =>
    records.filter(wanted).map((task) => toTask(context, task));
  const queued = new Set(
    frameworksOf(context)
      .flatMap((framework) => [...framework.executors.values()])
      .flatMap((run) => run.queue.flatMap((launch) => launch.tasks)),
  );
  return {
    pending_tasks: [],
    queued_tasks: view((task) => queued.has(task)),
    launched_tasks: view((task) => !queued.has(task) && !isTerminal(task)),
    terminated_tasks: view(isTerminal),
    completed_tasks: allFrameworksOf(context).flatMap((framework) =>
      framework.completedTasks.map(({ task }) => task),
    ),
  };
}

function getOperations({ state }: AgentContext): AgentApiResponseGetOperations {
  return state.operations.size === 0 ? {} : { operations: [...state.operations.values()] };
}

function getExecutors(context: AgentContext): AgentApiResponseGetExecutors {
  return {
    executors: frameworksOf(context).flatMap((framework) =>
      Array.from(framework.executors.values(), (run) => ({ executor_info: run.info })),
    ),
    completed_executors: allFrameworksOf(context).flatMap((framework) =>
      framework.completedExecutors.map(({ info }) => ({ executor_info: info })),
    ),
  };
}

function getFrameworks(context: AgentContext): AgentApiResponseGetFrameworks {
  const view = (frameworks: readonly Framework[]) =>
    frameworks.map((framework) => ({ framework_info: framework.info }));
  return {
    frameworks: view(frameworksOf(context)),
    completed_frameworks: view(context.state.completedFrameworks),
  };
}
