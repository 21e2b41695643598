import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addMesosRoutes, bodyOf, MesosHttpError } from '../http/mesos-http.ts';
import {
  decodeMessage,
  type ExecutorCall,
  requestEncoding,
  responseEncoding,
  type TaskStatus,
} from '../protocol/index.ts';
import type { AgentContext } from './context.ts';
import type { ExecutorSessions } from './executor-sessions.ts';
import { openExecutorStream } from './executor-stream.ts';
import { checkExecutorClaims } from './executor-token.ts';
import { PREFIXES } from './prefixes.ts';
import type { ExecutorRun, Framework } from './state.ts';
import type { Tasks } from './tasks.ts';

/** What the executor API needs of the agent. */
export interface ExecutorApiOptions {
  readonly context: AgentContext;
  readonly sessions: ExecutorSessions;
  readonly tasks: Tasks;
  readonly isRecovered: () => boolean;
}

/** `POST /api/v1/executor`: Mesos' v1 executor API, JSON and protobuf. */
export function installExecutorApi(app: FastifyInstance, options: ExecutorApiOptions): void {
  const { tasks, isRecovered } = options;
  addMesosRoutes(app, (scope) => {
    const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const encoding = requestEncoding(request.headers['content-type']);
      const call = decodeMessage('executor.Call', encoding, bodyOf(request));
      if (!isRecovered()) throw new MesosHttpError(503, 'Agent has not finished recovery');
      const { framework, run } = findRun(options.context, call);
      checkExecutorClaims(call, run, request.caller);
      if (call.type === 'SUBSCRIBE') {
        return subscribe(options, framework, run, call, request.headers.accept, reply);
      }
      if (run.state === 'registering' && !run.hasSubscribed) {
        throw new MesosHttpError(403, 'Executor is not subscribed');
      }
      carryOut(options.context, tasks, framework, run, call);
      return reply.status(202).send();
    };
    for (const prefix of PREFIXES) scope.post(`${prefix}/api/v1/executor`, answer);
  });
}

function findRun(
  context: AgentContext,
  call: ExecutorCall,
): { framework: Framework; run: ExecutorRun } {
  const framework = context.state.frameworks.get(call.framework_id.value);
  if (framework === undefined) throw new MesosHttpError(400, 'Framework cannot be found');
  const run = framework.executors.get(call.executor_id.value);
  if (run === undefined) throw new MesosHttpError(400, 'Executor cannot be found');
  return { framework, run };
}

function subscribe(
  { context, sessions, tasks }: ExecutorApiOptions,
  framework: Framework,
  run: ExecutorRun,
  call: Extract<ExecutorCall, { type: 'SUBSCRIBE' }>,
  accept: string | undefined,
  reply: FastifyReply,
): FastifyReply {
  const encoding = responseEncoding(accept);
  const { unacknowledged_updates: updates = [] } = call.subscribe;
  for (const { status } of updates) checkStatus(call, status);
  const stream = openExecutorStream({
    clock: context.clock,
    encoding,
    heartbeatIntervalMs: context.settings.executorHeartbeatIntervalMs,
    bufferBytesMax: context.settings.executorBufferBytesMax,
    onClosed: () => sessions.closed(run, stream),
  });
  sessions.open(framework, run, call.subscribe, stream);
  for (const { status } of updates) context.spawn(tasks.updated(framework, run, status));
  return reply.status(200).type(stream.contentType).send(stream.body);
}

function carryOut(
  context: AgentContext,
  tasks: Tasks,
  framework: Framework,
  run: ExecutorRun,
  call: Exclude<ExecutorCall, { type: 'SUBSCRIBE' }>,
): void {
  switch (call.type) {
    case 'UPDATE':
      checkStatus(call, call.update.status);
      context.spawn(tasks.updated(framework, run, call.update.status));
      return;
    case 'MESSAGE':
      context.spawn(tasks.messageFromExecutor(run, call.message.data));
      return;
    case 'HEARTBEAT':
      return;
    case 'UNKNOWN':
      throw new MesosHttpError(501, 'UNKNOWN is not a call');
  }
}

const UUID_BYTES = 16;

/** What Mesos demands of an executor's update. */
function checkStatus(call: ExecutorCall, status: TaskStatus): void {
  const executorId = call.executor_id.value;
  const fail = (why: string): never => {
    throw new MesosHttpError(400, `Failed to validate executor::Call: ${why}`);
  };
  if (status.uuid === undefined) fail("Expecting 'uuid' to be present");
  const uuidBytes = Buffer.from(status.uuid ?? '', 'base64').byteLength;
  if (uuidBytes !== UUID_BYTES) fail(`Expecting 16 bytes for a UUID, got ${uuidBytes}`);
  const statusExecutorId = status.executor_id?.value ?? executorId;
  if (statusExecutorId !== executorId) {
    fail(
      `ExecutorID in Call: ${executorId} does not match ` +
        `ExecutorID in TaskStatus: ${statusExecutorId}`,
    );
  }
  if (status.source !== 'SOURCE_EXECUTOR') {
    fail(
      `Received Call from executor ${executorId} with invalid source, expecting SOURCE_EXECUTOR`,
    );
  }
  if (status.state === 'TASK_STAGING') {
    fail(`Received TASK_STAGING from executor ${executorId} which is not allowed`);
  }
}
