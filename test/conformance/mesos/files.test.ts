import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callAgent, getFromAgent } from './support/agent.ts';
import { RawFramework } from './support/framework.ts';
import type { Operator } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { ask } from './support/raw-http.ts';
import { openTarget, operate, type Target } from './support/target.ts';
import { commandTask, isRoomy } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

const WRITTEN = 'hello world\n';
const NOWHERE = { path: '/nowhere' };
const FROM_NOWHERE = { ...NOWHERE, offset: 0 };

describe.each(ENCODINGS)('files in %s', (encoding) => {
  let operator: Operator;
  let framework: RawFramework;
  /** As operators name the sandbox of the task. */
  let sandbox: string;

  beforeEach(async () => {
    operator = { target, encoding };
    framework = await RawFramework.subscribe(target.master, encoding);
    const offer = await framework.offer(isRoomy);
    const task = commandTask(offer, 'echo hello world > greeting; touch begun; sleep 1000');
    const id = task.task_id.value;
    await framework.launch(offer, task);
    await framework.status(id, 'TASK_RUNNING');
    sandbox = `/frameworks/${framework.id}/executors/${id}/runs/latest`;
    await expect.poll(async () => await names(), { timeout: 10_000 }).toContain('begun');
  });
  afterEach(() => framework.teardown());

  async function listed() {
    const list_files = { path: sandbox };
    const response = await getFromAgent(operator, { type: 'LIST_FILES', list_files });
    return response.list_files.file_infos ?? [];
  }

  async function names(): Promise<readonly (string | undefined)[]> {
    return (await listed()).map(({ path }) => path.split('/').at(-1));
  }

  it('LIST_FILES of the agent shows a sandbox', async () => {
    const greeting = (await listed()).find(({ path }) => path === `${sandbox}/greeting`);
    expect(greeting).toMatchObject({
      ...{ size: WRITTEN.length, nlink: 1, uid: 'root', gid: 'root' },
      mtime: { nanoseconds: expect.any(Number) },
    });
    // A plain file that its owner may write.
    expect((greeting?.mode ?? 0) & 0o170600).toBe(0o100600);
  });

  it('READ_FILE of the agent gives a part of a file, and its size', async () => {
    const read_file = { path: `${sandbox}/greeting`, offset: 6, length: 5 };
    const response = await getFromAgent(operator, { type: 'READ_FILE', read_file });
    expect(response.read_file).toEqual({
      ...{ size: WRITTEN.length, data: Buffer.from('world').toString('base64') },
    });
  });

  it('/files/browse, read, download and debug of the agent show the same', async () => {
    const fetched = async (what: string, more = '') => {
      const path = encodeURIComponent(what === 'browse' ? sandbox : `${sandbox}/greeting`);
      const url = `${target.agent}/files/${what}?path=${path}${more}`;
      const { status, body } = await ask({ url, method: 'GET' });
      expect(status).toBe(200);
      return body.toString();
    };
    expect(JSON.parse(await fetched('browse'))).toContainEqual(
      expect.objectContaining({
        ...{ path: `${sandbox}/greeting`, size: WRITTEN.length, nlink: 1 },
        mode: expect.stringMatching(/^-rw/),
      }),
    );
    expect(JSON.parse(await fetched('read', '&offset=6&length=5'))).toEqual({
      ...{ data: 'world', offset: 6 },
    });
    expect(await fetched('download')).toBe(WRITTEN);
    expect(JSON.parse(await fetched('debug'))).toHaveProperty([sandbox]);
  });

  it('LIST_FILES and READ_FILE of what is not there are 404, at the agent and at the master', async () => {
    for (const answer of [
      await callAgent(operator, { type: 'LIST_FILES', list_files: NOWHERE }),
      await callAgent(operator, { type: 'READ_FILE', read_file: FROM_NOWHERE }),
      await operate(target.master, encoding, { type: 'LIST_FILES', list_files: NOWHERE }),
      await operate(target.master, encoding, { type: 'READ_FILE', read_file: FROM_NOWHERE }),
    ]) {
      expect(answer.status).toBe(404);
    }
  });
});

proveCoverage(import.meta.url);
