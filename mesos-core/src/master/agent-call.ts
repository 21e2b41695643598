import {
  type AgentCall,
  type AgentSubscribe,
  type AgentUpdate,
  CodecError,
  fromJson,
  type MessageName,
  readTask,
} from '../protocol/index.ts';

const utf8 = new TextDecoder();

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a call of an agent (protocol/agent-protocol.ts); Mesos messages in it are checked as those
 * of the v1 API are.
 * @throws CodecError that says what is wrong.
 */
export function decodeAgentCall(body: Uint8Array): AgentCall {
  const call = objectAt(parse(body), 'the call');
  switch (call.type) {
    case 'SUBSCRIBE':
      return { type: 'SUBSCRIBE', subscribe: readSubscribe(objectAt(call.subscribe, 'subscribe')) };
    case 'UPDATE_AGENT': {
      const agent_info = fromJson('AgentInfo', call.agent_info);
      return { type: 'UPDATE_AGENT', agent_id: textAt(call, 'agent_id'), agent_info };
    }
    case 'HEARTBEAT':
    case 'UNREGISTER':
      return { type: call.type, agent_id: textAt(call, 'agent_id') };
    case 'UPDATE':
      return { type: 'UPDATE', agent_id: textAt(call, 'agent_id'), ...readUpdate(call) };
    case 'UPDATES': {
      const updates = listAt(call, 'updates').map((each) => readUpdate(objectAt(each, 'update')));
      return { type: 'UPDATES', agent_id: textAt(call, 'agent_id'), updates };
    }
    case 'MESSAGE':
      return { type: 'MESSAGE', ...executor(call), data: textAt(call, 'data') };
    case 'EXECUTOR_EXITED':
      return {
        type: 'EXECUTOR_EXITED',
        ...executor(call),
        container_id: textAt(call, 'container_id'),
        status: numberAt(call, 'status'),
      };
    case 'UPDATE_OPERATION': {
      const { framework_id } = call;
      return {
        type: 'UPDATE_OPERATION',
        agent_id: textAt(call, 'agent_id'),
        operation_uuid: textAt(call, 'operation_uuid'),
        ...(typeof framework_id === 'string' ? { framework_id } : {}),
        status: fromJson('OperationStatus', call.status),
      };
    }
    default:
      throw new CodecError(`No such call of an agent: ${JSON.stringify(call.type)}`);
  }
}

function readSubscribe(json: Json): AgentSubscribe {
  const agent_info = fromJson('AgentInfo', json.agent_info);
  const lists = (json.resource_lists === undefined ? [] : listAt(json, 'resource_lists')).map(
    (list) => (Array.isArray(list) ? list : [list]).map((each) => fromJson('Resource', each)),
  );
  return {
    agent_info,
    version: textAt(json, 'version'),
    scheme: json.scheme === 'https' ? 'https' : 'http',
    capabilities: listAt(json, 'capabilities').map(String),
    total_resources: messagesAt(json, 'total_resources', 'Resource'),
    frameworks: messagesAt(json, 'frameworks', 'FrameworkInfo'),
    executors: messagesAt(json, 'executors', 'ExecutorInfo'),
    tasks: listAt(json, 'tasks').map((task) => readTask(task, agent_info.id, lists)),
    operations: json.operations === undefined ? [] : messagesAt(json, 'operations', 'Operation'),
  };
}

function readUpdate(json: Json): AgentUpdate {
  const status = fromJson('TaskStatus', json.status);
  const latest = { task_id: status.task_id, state: json.latest_state };
  const latest_state = fromJson('TaskStatus', latest).state;
  return { framework_id: textAt(json, 'framework_id'), status, latest_state };
}

function framework(call: Json) {
  return { agent_id: textAt(call, 'agent_id'), framework_id: textAt(call, 'framework_id') };
}

function executor(call: Json) {
  return { ...framework(call), executor_id: textAt(call, 'executor_id') };
}

function messagesAt<N extends MessageName>(json: Json, name: string, message: N) {
  return listAt(json, name).map((each) => fromJson(message, each));
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    throw new CodecError('Failed to parse body into JSON', { cause: error });
  }
}

function objectAt(value: unknown, what: string): Json {
  if (!isObject(value)) throw new CodecError(`Expecting ${what} to be a JSON object`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textAt(json: Json, name: string): string {
  const value = json[name];
  if (typeof value !== 'string') throw new CodecError(`Expecting '${name}' to be a text`);
  return value;
}

function numberAt(json: Json, name: string): number {
  const value = json[name];
  if (typeof value !== 'number') throw new CodecError(`Expecting '${name}' to be a number`);
  return value;
}

function listAt(json: Json, name: string): readonly unknown[] {
  const value = json[name];
  if (!Array.isArray(value)) throw new CodecError(`Expecting '${name}' to be a list`);
  return value;
}
