import type { ChildProcess } from 'node:child_process';
import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentApiProcessIO, encodeRecord, readRecords } from '../../protocol/index.ts';
import { type AgentSurroundings, prepareAgent } from '../testing/agent-process.ts';
import type { FakeMaster } from '../testing/fake-master.ts';
import { runTasks, tinyExecutor } from '../testing/scenario.ts';

let home: AgentSurroundings;
let master: FakeMaster;
let agent: ChildProcess;

beforeEach(async () => {
  home = await prepareAgent('container-api-');
  ({ master } = home);
  agent = startAgent();
});

afterEach(async () => {
  master.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: 'framework-1' });
  await expect.poll(() => executors(), { timeout: 20_000 }).toEqual([]);
  agent.kill('SIGKILL');
  await home.close();
});

const startAgent = (): ChildProcess =>
  home.start(
    ...['--executor_shutdown_grace_period=300ms', '--executor_reregistration_timeout=5secs'],
    '--launcher=posix',
  );

function post(
  body: string | ReadableStream,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  // biome-ignore lint/style/noRestrictedGlobals: what is streamed both ways is the point here
  return fetch(`http://127.0.0.1:${home.port}/api/v1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body,
    // What is streamed has no length.
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  });
}

async function call(type: string, id: unknown, more: object = {}) {
  const answer = await post(
    JSON.stringify({ type, [type.toLowerCase()]: { container_id: id, ...more } }),
  );
  const text = await answer.text();
  return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
}

interface ShownContainer {
  readonly container_id: { readonly value: string };
  readonly resource_statistics?: object;
}

async function containers(shown: object = {}): Promise<readonly ShownContainer[]> {
  const answer = await post(JSON.stringify({ type: 'GET_CONTAINERS', get_containers: shown }));
  return JSON.parse(await answer.text()).get_containers.containers ?? [];
}

async function executors(): Promise<readonly unknown[]> {
  const answer = await post('{"type":"GET_EXECUTORS"}');
  return JSON.parse(await answer.text()).get_executors.executors ?? [];
}

async function runningExecutor(): Promise<string> {
  await waitFor(systemClock, 'SUBSCRIBE', 20_000, () => master.subscriptions.at(-1));
  master.send(runTasks(tinyExecutor(), 'a'));
  await waitFor(systemClock, 'TASK_RUNNING', 20_000, () =>
    master.updates.find(({ state }) => state === 'TASK_RUNNING'),
  );
  const [container] = await containers();
  return container?.container_id.value ?? '';
}

const OUTPUT = { accept: 'application/recordio', 'message-accept': 'application/json' };

async function* outputOf(answer: Response): AsyncGenerator<AgentApiProcessIO> {
  if (answer.body === null) throw new Error('no body');
  for await (const record of readRecords(answer.body)) {
    yield JSON.parse(Buffer.from(record).toString());
  }
}

async function textOf(answer: Response, type = 'STDOUT'): Promise<string> {
  let text = '';
  for await (const { data } of outputOf(answer)) {
    if (data?.type === type) text += Buffer.from(data.data ?? '', 'base64').toString();
  }
  return text;
}

function input(id: unknown, ...texts: readonly string[]): ReadableStream {
  const first = { type: 'CONTAINER_ID', container_id: id };
  const data = (text: string) => ({
    type: 'PROCESS_IO',
    process_io: {
      type: 'DATA',
      data: { type: 'STDIN', data: Buffer.from(text).toString('base64') },
    },
  });
  const records = [first, ...texts.map(data), data('')].map((attach) =>
    encodeRecord(
      Buffer.from(
        JSON.stringify({ type: 'ATTACH_CONTAINER_INPUT', attach_container_input: attach }),
      ),
    ),
  );
  return ReadableStream.from(records);
}

const STREAMED = {
  'content-type': 'application/recordio',
  'message-content-type': 'application/json',
};

describe('the containers of an agent', { timeout: 60_000 }, () => {
  it('are nested in those of executors: launched, waited for, killed and removed', async () => {
    const parent = { value: await runningExecutor() };
    const one = { value: 'one', parent };
    const command = { value: 'echo "$MESOS_CONTAINER_ID"; exit 3' };
    expect((await call('LAUNCH_NESTED_CONTAINER', one, { command })).status).toBe(200);
    expect(await call('WAIT_NESTED_CONTAINER', one)).toEqual({
      status: 200,
      body: { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { exit_status: 3 << 8 } },
    });
    const two = { value: 'two', parent };
    const sleep = { command: { value: 'exec sleep 1000' } };
    expect((await call('LAUNCH_NESTED_CONTAINER', two, sleep)).status).toBe(200);
    expect((await call('LAUNCH_NESTED_CONTAINER', two, sleep)).status).toBe(202);
    expect(await call('REMOVE_NESTED_CONTAINER', two)).toMatchObject({ status: 400 });
    const shown = await containers({ show_nested: true });
    expect(shown.map((each) => each.container_id)).toEqual(
      expect.arrayContaining([parent, one, two]),
    );
    expect(shown[0]?.resource_statistics).toMatchObject({ processes: expect.any(Number) });
    expect((await call('KILL_NESTED_CONTAINER', two, { signal: 15 })).status).toBe(200);
    expect((await call('WAIT_NESTED_CONTAINER', two)).body).toMatchObject({
      wait_nested_container: { exit_status: 15 },
    });
    expect((await call('REMOVE_NESTED_CONTAINER', one)).status).toBe(200);
    expect((await call('WAIT_NESTED_CONTAINER', one)).status).toBe(404);
  });

  it('outlive the agent, and how they ended is known to the next one', async () => {
    const id = { value: 'one', parent: { value: await runningExecutor() } };
    const command = { value: 'sleep 1; exit 7' };
    await call('LAUNCH_NESTED_CONTAINER', id, { command });
    const standalone = { value: 'alone' };
    expect((await call('LAUNCH_CONTAINER', standalone, { command })).status).toBe(200);
    agent.kill('SIGKILL');
    await new Promise((resolve) => agent.once('exit', resolve));
    agent = startAgent();
    await waitFor(systemClock, 'SUBSCRIBE', 20_000, () => master.subscriptions[1]);
    expect((await call('WAIT_NESTED_CONTAINER', id)).body).toMatchObject({
      wait_nested_container: { exit_status: 7 << 8 },
    });
    expect((await call('WAIT_CONTAINER', standalone)).body).toMatchObject({
      wait_container: { exit_status: 7 << 8 },
    });
    expect((await call('REMOVE_CONTAINER', standalone)).status).toBe(200);
  });

  function session(id: unknown, command: object, container?: object): Promise<Response> {
    const wish = { container_id: id, command, ...(container === undefined ? {} : { container }) };
    const type = 'LAUNCH_NESTED_CONTAINER_SESSION';
    return post(JSON.stringify({ type, [type.toLowerCase()]: wish }), OUTPUT);
  }

  it('are talked to in sessions', async () => {
    const id = { value: 'cat', parent: { value: await runningExecutor() } };
    const answer = await session(id, { value: 'cat; echo done' });
    expect(answer.headers.get('content-type')).toBe('application/recordio');
    expect(answer.headers.get('message-content-type')).toBe('application/json');
    const fed = await post(input(id, 'hello\n', 'again\n'), STREAMED);
    expect(fed.status).toBe(200);
    expect(await textOf(answer)).toBe('hello\nagain\ndone\n');
  });

  it('have a terminal where one is asked for', async () => {
    const id = { value: 'tty', parent: { value: await runningExecutor() } };
    const tty = { type: 'MESOS', tty_info: { window_size: { rows: 30, columns: 100 } } };
    const answer = await session(id, { value: 'test -t 0 && stty size' }, tty);
    expect((await post(input(id), STREAMED)).status).toBe(200);
    expect(await textOf(answer)).toContain('30 100');
  });

  it('end with the connection of their session', async () => {
    const id = { value: 'endless', parent: { value: await runningExecutor() } };
    const answer = await session(id, { value: 'echo begun; exec sleep 1000' });
    for await (const { data } of outputOf(answer)) {
      if (data === undefined) continue;
      expect(Buffer.from(data.data ?? '', 'base64').toString()).toBe('begun\n');
      break;
    }
    expect((await call('WAIT_NESTED_CONTAINER', id)).body).toMatchObject({
      wait_nested_container: { exit_status: 9 },
    });
  });

  it('tell what they write from when somebody asks', async () => {
    const id = { value: 'one', parent: { value: await runningExecutor() } };
    const command = { value: 'echo early; read line; echo "late $line"; echo oops >&2' };
    const container = { type: 'MESOS', tty_info: {} };
    await call('LAUNCH_NESTED_CONTAINER', id, { command, container });
    const attached = await post(
      JSON.stringify({
        type: 'ATTACH_CONTAINER_OUTPUT',
        attach_container_output: { container_id: id },
      }),
      OUTPUT,
    );
    await post(input(id, 'input\n'), STREAMED);
    expect(await textOf(attached)).toContain('late input');
  });

  it('are refused with the reason', async () => {
    const parent = { value: await runningExecutor() };
    expect(await call('WAIT_NESTED_CONTAINER', { value: 'no', parent })).toEqual({
      status: 404,
      body: `Container ${parent.value}.no cannot be found`,
    });
    const orphan = { value: 'x', parent: { value: 'nobody' } };
    expect((await call('LAUNCH_NESTED_CONTAINER', orphan, { command: {} })).status).toBe(404);
    expect((await call('KILL_NESTED_CONTAINER', { value: '../x', parent })).status).toBe(400);
    const empty = { value: 'x', parent };
    expect(await call('LAUNCH_NESTED_CONTAINER', empty, { command: {} })).toMatchObject({
      ...{ status: 400, body: expect.stringContaining('no value') },
    });
  });
});
