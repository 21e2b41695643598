import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerID } from '../../../mesos-core/src/protocol/index.ts';
import { getFromAgent, orderAgent } from './support/agent.ts';
import {
  attachInput,
  input,
  launchParent,
  openOutput,
  type Parent,
  readOutput,
  textOf,
} from './support/containers.ts';
import type { Operator } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { uniqueId } from './support/tasks.ts';
import { ENCODINGS, mediaType } from './support/wire.ts';

const SIGKILL = 9;

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

/** An Apache Mesos agent needs its I/O switchboard for these: the Mesos containerizer, as root. */
describe.each(ENCODINGS)('sessions in containers in %s', (encoding) => {
  let operator: Operator;
  let parent: Parent;
  let container_id: ContainerID;
  beforeEach(async () => {
    operator = { target, encoding };
    parent = await launchParent(operator);
    container_id = { value: uniqueId('session'), parent: parent.id };
  });
  afterEach(() => parent.framework.teardown());

  const session = (value: string, container?: object) =>
    openOutput(operator, {
      type: 'LAUNCH_NESTED_CONTAINER_SESSION',
      launch_nested_container_session: { container_id, command: { value }, ...container },
    });

  it('LAUNCH_NESTED_CONTAINER_SESSION gives what the command writes, in the encoding that was asked for', async () => {
    const stream = await session('echo out; echo err >&2');
    expect(stream.headers).toMatchObject({
      ...{ 'content-type': 'application/recordio', 'message-content-type': mediaType(encoding) },
    });
    const output = await readOutput(operator, stream);
    expect([textOf(output, 'STDOUT'), textOf(output, 'STDERR')]).toEqual(['out\n', 'err\n']);
  });

  it('ATTACH_CONTAINER_INPUT is read by the command, to its end', async () => {
    const stream = await session('cat; echo done');
    const fed = [input('hello\n'), input('again\n'), input()];
    expect((await attachInput(operator, container_id, fed)).status).toBe(200);
    const output = await readOutput(operator, stream);
    expect(textOf(output, 'STDOUT')).toBe('hello\nagain\ndone\n');
  });

  it('ATTACH_CONTAINER_INPUT sets the size of a terminal', async () => {
    const window_size = { rows: 30, columns: 100 };
    const container = { container: { type: 'MESOS', tty_info: { window_size } } };
    const stream = await session('read line; stty size', container);
    const resized = { tty_info: { window_size: { rows: 40, columns: 120 } } };
    await attachInput(operator, container_id, [
      { type: 'CONTROL', control: { type: 'TTY_INFO', ...resized } },
      input('go\n'),
      input(),
    ]);
    expect(textOf(await readOutput(operator, stream), 'STDOUT')).toContain('40 120');
  });

  it('ATTACH_CONTAINER_OUTPUT tells what a container writes from then on', async () => {
    const command = { value: 'read line; echo "late $line"' };
    const launch_nested_container = {
      ...{ container_id, command, container: { type: 'MESOS', tty_info: {} } as const },
    };
    await orderAgent(operator, { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container });
    const stream = await openOutput(operator, {
      ...{ type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } },
    });
    await attachInput(operator, container_id, [input('input\n'), input()]);
    expect(textOf(await readOutput(operator, stream), 'STDOUT')).toContain('late input');
  });

  it('the container of a session ends with its connection', async () => {
    const stream = await session('echo begun; exec sleep 1000');
    await new Promise((resolve) => stream.once('data', resolve));
    stream.destroy();
    const { wait_nested_container } = await getFromAgent(operator, {
      ...{ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } },
    });
    expect(wait_nested_container.exit_status).toBe(SIGKILL);
  });
});

proveCoverage(import.meta.url);
