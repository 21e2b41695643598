import { Readable } from 'node:stream';
import { withDeadline } from '@factory/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MesosHttpError } from '../../http/mesos-http.ts';
import {
  type AgentApiCall,
  type AgentApiProcessIO,
  decodeMessage,
  type Encoding,
  encodeMessage,
  encodeRecord,
  encodingOf,
  MEDIA_TYPES,
  readRecords,
  responseEncoding,
} from '../../protocol/index.ts';
import { checkAgentCall } from '../authorization.ts';
import type { Container } from '../containerizer/containerizer.ts';
import type { AgentContext } from '../context.ts';
import {
  findContainer,
  killContainer,
  launchContainer,
  removeContainer,
  waitForContainer,
} from './container-calls.ts';
import { containerOutput, feedContainer } from './container-io.ts';

const RECORDIO = 'application/recordio';
const FIRST_RECORD_TIMEOUT_MS = 30_000;

/**
 * Carries out the calls about single containers: launch, wait, kill, remove, session, output.
 * false for any other call.
 * (It gives no reply: to wait for one is to wait until it has been sent to its end.)
 */
export async function answerContainerCall(
  context: AgentContext,
  call: AgentApiCall,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  switch (call.type) {
    case 'LAUNCH_CONTAINER':
      return done(reply, (await launchContainer(context, call.launch_container)) ? 200 : 202);
    case 'LAUNCH_NESTED_CONTAINER':
      return done(
        reply,
        (await launchContainer(context, call.launch_nested_container)) ? 200 : 202,
      );
    case 'WAIT_CONTAINER': {
      const wait_container = await waitForContainer(context, call.wait_container.container_id);
      return answer(request, reply, { type: 'WAIT_CONTAINER', wait_container });
    }
    case 'WAIT_NESTED_CONTAINER': {
      const id = call.wait_nested_container.container_id;
      const wait_nested_container = await waitForContainer(context, id);
      return answer(request, reply, { type: 'WAIT_NESTED_CONTAINER', wait_nested_container });
    }
    case 'KILL_CONTAINER': {
      const { container_id, signal } = call.kill_container;
      await killContainer(context, container_id, signal);
      return done(reply, 200);
    }
    case 'KILL_NESTED_CONTAINER': {
      const { container_id, signal } = call.kill_nested_container;
      await killContainer(context, container_id, signal);
      return done(reply, 200);
    }
    case 'REMOVE_CONTAINER':
      await removeContainer(context, call.remove_container.container_id);
      return done(reply, 200);
    case 'REMOVE_NESTED_CONTAINER':
      await removeContainer(context, call.remove_nested_container.container_id);
      return done(reply, 200);
    case 'LAUNCH_NESTED_CONTAINER_SESSION': {
      const wish = call.launch_nested_container_session;
      if (!(await launchContainer(context, wish, { isSession: true }))) {
        throw new MesosHttpError(400, 'There is a container with this id already');
      }
      const container = await findContainer(context, wish.container_id);
      return sendOutput(context, request, reply, container, 'session');
    }
    case 'ATTACH_CONTAINER_OUTPUT': {
      const container = await findContainer(context, call.attach_container_output.container_id);
      return sendOutput(context, request, reply, container, 'attached');
    }
    case 'PRUNE_IMAGES': {
      const excluded = call.prune_images?.excluded_images ?? [];
      const names = excluded.flatMap(({ docker }) => docker?.name ?? []);
      await context.containerizer.pruneImages(names);
      return done(reply, 200);
    }
    default:
      return false;
  }
}

/** ATTACH_CONTAINER_INPUT: a stream of calls, the first of which names the container. */
export async function attachInput(
  context: AgentContext,
  request: FastifyRequest,
  reply: FastifyReply,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const given = request.headers['message-content-type'];
  const encoding = encodingOf(typeof given === 'string' ? given : '');
  if (encoding === undefined) {
    throw new MesosHttpError(
      400,
      "Expecting 'Message-Content-Type' to be set for streaming requests",
    );
  }
  const records = readRecords(body)[Symbol.asyncIterator]();
  const what = 'the first record of ATTACH_CONTAINER_INPUT';
  const first = await withDeadline(context.clock, what, FIRST_RECORD_TIMEOUT_MS, () =>
    records.next(),
  );
  if (first.done === true) throw new MesosHttpError(400, 'Received EOF while reading request body');
  const call = inputCall(first.value, encoding);
  checkAgentCall(context, call, request.caller);
  const id = call.attach_container_input.container_id;
  if (id === undefined) {
    throw new MesosHttpError(400, "Expecting 'attach_container_input.container_id' to be present");
  }
  const container = await findContainer(context, id);
  if (container.streams.stdin === undefined) {
    throw new MesosHttpError(400, 'The container takes no input');
  }
  await feedContainer(context.clock, container, processIo(records, encoding));
  done(reply, 200);
}

async function* processIo(
  records: AsyncIterator<Uint8Array>,
  encoding: Encoding,
): AsyncGenerator<AgentApiProcessIO> {
  for (let next = await records.next(); next.done !== true; next = await records.next()) {
    const { process_io: io } = inputCall(next.value, encoding).attach_container_input;
    if (io !== undefined) yield io;
  }
}

function inputCall(record: Uint8Array, encoding: Encoding) {
  const call = decodeMessage('agent.Call', encoding, record);
  if (call.type === 'ATTACH_CONTAINER_INPUT') return call;
  throw new MesosHttpError(400, 'Expecting only calls of type ATTACH_CONTAINER_INPUT in a stream');
}

/** The container of a session ends with the connection of who asked for it. */
function sendOutput(
  context: AgentContext,
  request: FastifyRequest,
  reply: FastifyReply,
  container: Container,
  kind: 'session' | 'attached',
): true {
  const { accept } = request.headers;
  const wanted = request.headers['message-accept'];
  const isRecordIo = accept?.includes(RECORDIO) === true;
  const encoding = responseEncoding(
    isRecordIo && typeof wanted === 'string' ? wanted : isRecordIo ? undefined : accept,
  );
  const gone = new AbortController();
  const output = containerOutput(context.clock, container, {
    fromStart: kind === 'session',
    signal: gone.signal,
  });
  const body = Readable.from(records(output, encoding), { objectMode: false });
  body.on('error', () => undefined);
  // Not that of the body, which waits for what it reads from.
  reply.raw.once('close', () => {
    gone.abort(new Error('the connection was closed'));
    if (kind === 'session') context.spawn(container.kill());
  });
  reply
    .header('message-content-type', MEDIA_TYPES[encoding])
    .type(isRecordIo ? RECORDIO : MEDIA_TYPES[encoding])
    .send(body);
  return true;
}

async function* records(
  output: AsyncIterable<AgentApiProcessIO>,
  encoding: Encoding,
): AsyncGenerator<Uint8Array> {
  for await (const io of output) yield encodeRecord(encodeMessage('agent.ProcessIO', encoding, io));
}

function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  response: Parameters<typeof encodeMessage<'agent.Response'>>[2],
): true {
  const encoding = responseEncoding(request.headers.accept);
  const bytes = encodeMessage('agent.Response', encoding, response);
  reply.type(MEDIA_TYPES[encoding]).send(Buffer.from(bytes));
  return true;
}

function done(reply: FastifyReply, status: 200 | 202): true {
  reply.status(status).send();
  return true;
}
