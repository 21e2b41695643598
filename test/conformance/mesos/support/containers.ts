import type { IncomingMessage } from 'node:http';
import { systemClock, waitFor } from '@factory/runtime';
import type {
  AgentApiCall,
  AgentApiProcessIO,
  ContainerID,
} from '../../../../mesos-core/src/protocol/index.ts';
import { getFromAgent } from './agent.ts';
import { requestFor } from './api.ts';
import { RawFramework } from './framework.ts';
import type { Operator } from './operator.ts';
import { type Answer, ask, open, records } from './raw-http.ts';
import { executorTask, isRoomy, uniqueId } from './tasks.ts';
import { noteTraffic } from './traffic.ts';
import { decode, encode, mediaType } from './wire.ts';

const LAUNCH_TIMEOUT_MS = 20_000;
const RECORDIO = 'application/recordio';

/** A framework with an executor, and the executor's container, that others are nested in. */
export interface Parent {
  readonly framework: RawFramework;
  readonly id: ContainerID;
}

/** Launches an executor. */
export async function launchParent(operator: Operator): Promise<Parent> {
  const { target, encoding } = operator;
  const framework = await RawFramework.subscribe(target.master, encoding);
  const executorId = uniqueId('executor');
  const offer = await framework.offer(isRoomy);
  const task = executorTask(offer, executorId);
  await framework.launch(offer, task);
  await framework.status(task.task_id.value, 'TASK_RUNNING');
  const id = await waitFor(systemClock, 'the container', LAUNCH_TIMEOUT_MS, async () => {
    const containers = await containersOf(operator);
    return containers.find(({ executor_id }) => executor_id?.value === executorId)?.container_id;
  });
  return { framework, id };
}

/** What GET_CONTAINERS shows, nested and standalone ones included. */
export async function containersOf(operator: Operator) {
  const get_containers = { show_nested: true, show_standalone: true };
  const response = await getFromAgent(operator, { type: 'GET_CONTAINERS', get_containers });
  return response.get_containers.containers ?? [];
}

/** A call that is answered with what a container writes: LAUNCH_NESTED_CONTAINER_SESSION and the like. */
export async function openOutput(
  { target, encoding }: Operator,
  call: AgentApiCall,
): Promise<IncomingMessage> {
  const route = { url: `${target.agent}/api/v1`, name: 'agent.Call', encoding } as const;
  const headers = { accept: RECORDIO, 'message-accept': mediaType(encoding) };
  const stream = await open(requestFor(route, call, headers));
  if (stream.statusCode !== 200) {
    throw new Error(`${call.type} was answered with ${stream.statusCode}`);
  }
  noteTraffic(encoding, 'agent.Call', call);
  return stream;
}

/** All that comes, to the end of the stream. */
export async function readOutput(
  { encoding }: Operator,
  stream: IncomingMessage,
): Promise<readonly AgentApiProcessIO[]> {
  const output: AgentApiProcessIO[] = [];
  for await (const record of records(stream)) {
    output.push(decode(encoding, 'agent.ProcessIO', record));
  }
  return output;
}

/** What was written to one of the outputs. */
export function textOf(output: readonly AgentApiProcessIO[], type: 'STDOUT' | 'STDERR'): string {
  const parts = output.map(({ data }) => (data?.type === type ? (data.data ?? '') : ''));
  return parts.map((part) => Buffer.from(part, 'base64').toString()).join('');
}

/** ATTACH_CONTAINER_INPUT with these messages, as one RecordIO body. */
export async function attachInput(
  { target, encoding }: Operator,
  container_id: ContainerID,
  messages: readonly AgentApiProcessIO[],
): Promise<Answer> {
  const type = 'ATTACH_CONTAINER_INPUT';
  const calls: readonly AgentApiCall[] = [
    { type, attach_container_input: { type: 'CONTAINER_ID', container_id } },
    ...messages.map((process_io) => ({
      ...({ type, attach_container_input: { type: 'PROCESS_IO', process_io } } as const),
    })),
  ];
  const parts = calls.flatMap((call) => {
    const record = encode(encoding, 'agent.Call', call);
    return [Buffer.from(`${record.byteLength}\n`), record];
  });
  const headers = { 'content-type': RECORDIO, 'message-content-type': mediaType(encoding) };
  const url = `${target.agent}/api/v1`;
  const answer = await ask({
    ...{ url, headers: { ...headers, accept: mediaType(encoding) }, body: Buffer.concat(parts) },
  });
  for (const call of calls) noteTraffic(encoding, 'agent.Call', call, answer.status === 200);
  return answer;
}

/** Text for a container's input; without text: its end. */
export function input(text = ''): AgentApiProcessIO {
  const data = Buffer.from(text).toString('base64');
  return { type: 'DATA', data: { type: 'STDIN', data } };
}
