import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OfferOperation, Resource } from '../../protocol/index.ts';
import { type AgentSurroundings, prepareAgent } from '../testing/agent-process.ts';
import type { FakeMaster } from '../testing/fake-master.ts';
import { FRAMEWORK } from '../testing/scenario.ts';

const DISK: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 100 },
  reservations: [{ type: 'DYNAMIC', role: 'eng' }],
};
const VOLUME: Resource = {
  ...DISK,
  disk: { persistence: { id: 'v1' }, volume: { container_path: 'data', mode: 'RW' } },
};

let home: AgentSurroundings;
let master: FakeMaster;
let agent: ChildProcess;

beforeEach(async () => {
  home = await prepareAgent('mesos-volumes-');
  ({ master } = home);
  agent = await home.startSubscribed();
});

afterEach(async () => {
  agent.kill('SIGKILL');
  await home.close();
});

async function apply(name: string, info: OfferOperation): Promise<void> {
  const status = { state: 'OPERATION_PENDING' as const };
  const uuid = { value: Buffer.from(name.padEnd(16)).toString('base64') };
  master.send({ type: 'APPLY_OPERATION', operation: { info, latest_status: status, uuid } });
  await waitFor(systemClock, name, 20_000, () =>
    master.calls.find(
      (call) => call.type === 'UPDATE_OPERATION' && call.operation_uuid === uuid.value,
    ),
  );
}

/** Runs a command with the volume, to its end. @returns the last state. */
async function run(id: string, value: string): Promise<string | undefined> {
  master.send({
    type: 'RUN_TASKS',
    framework: FRAMEWORK,
    tasks: [
      {
        ...{ name: id, task_id: { value: id }, agent_id: { value: 'agent-1' } },
        ...{ command: { value }, resources: [VOLUME] },
      },
    ],
  });
  const status = await waitFor(systemClock, `the end of ${id}`, 20_000, () =>
    master.updates.find(
      ({ task_id, state = '' }) =>
        task_id.value === id && /FINISHED|FAILED|ERROR|KILLED|LOST/.test(state),
    ),
  );
  return status.state;
}

// Processes start slowly on a machine that is busy with other tests.
describe('a persistent volume', { timeout: 60_000 }, () => {
  it('has what one task wrote for the next, even when the agent died in between', async () => {
    await apply('reserve', { type: 'RESERVE', reserve: { resources: [DISK] } });
    await apply('create', { type: 'CREATE', create: { volumes: [VOLUME] } });
    expect(await run('writes', 'echo kept > data/file')).toBe('TASK_FINISHED');
    agent.kill('SIGKILL');
    agent = await home.startSubscribed();
    expect(master.subscriptions.at(-1)?.total_resources).toContainEqual(VOLUME);
    expect(await run('reads', 'test "$(cat data/file)" = kept')).toBe('TASK_FINISHED');
    const file = join(home.directory, 'volumes', 'roles', 'eng', 'v1', 'file');
    expect(await readFile(file, 'utf8')).toBe('kept\n');
    await apply('destroy', { type: 'DESTROY', destroy: { volumes: [VOLUME] } });
    await expect(readFile(file, 'utf8')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
