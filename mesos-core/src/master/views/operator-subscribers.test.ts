import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { beforeEach, describe, expect, it } from 'vitest';
import { readableBody } from '../../http/readable-body.ts';
import { type MasterEvent, RecordDecoder, type Task } from '../../protocol/index.ts';
import { MasterCore } from '../core.ts';
import { newRegistry } from '../registry.ts';
import { createMemoryRegistryStore } from '../registry-store/memory-store.ts';
import { DEFAULT_SETTINGS } from '../settings.ts';
import { seesAll } from './visibility.ts';

let clock: VirtualClock;
let core: MasterCore;

beforeEach(() => {
  clock = new VirtualClock();
  core = new MasterCore({
    ...{ clock, random: seededRandom(1), logger: silentLogger },
    settings: { ...DEFAULT_SETTINGS, operatorSubscribersMax: 2 },
    address: { hostname: 'localhost', ip: '127.0.0.1', port: 5050 },
    registry: newRegistry('master'),
    store: createMemoryRegistryStore(),
  });
});

const TASK: Task = {
  ...{ name: 't', task_id: { value: 't' }, framework_id: { value: 'f' } },
  ...{ agent_id: { value: 'a' }, state: 'TASK_RUNNING', resources: [] },
};
const ADDED: MasterEvent = { type: 'TASK_ADDED', task_added: { task: TASK } };

describe('a subscriber of the operator API', () => {
  it('that does not read is cut at a bound', async () => {
    const body = readableBody(core.events.subscribe(core, 'json'));
    await clock.run(10);
    const data = 'x'.repeat(1024 * 1024);
    const large: MasterEvent = { ...ADDED, task_added: { task: { ...TASK, name: data } } };
    for (let sent = 0; sent < 200 && !body.destroyed; sent += 1) core.events.emit(() => large);
    expect(body.destroyed).toBe(true);
    await clock.run(10);
    expect(core.events.subscribers).toBe(0);
  });

  it('gets no event that it may not see', async () => {
    const visibility = { ...seesAll, task: () => false };
    const body = readableBody(core.events.subscribe(core, 'json', visibility));
    const types: string[] = [];
    const decoder = new RecordDecoder();
    body.on('data', (chunk: Buffer) => {
      const records = decoder.push(chunk).map((record) => Buffer.from(record).toString());
      types.push(...records.map((record) => JSON.parse(record).type));
    });
    await clock.run(10);
    core.events.emit(() => ADDED);
    core.events.emit(() => ({
      type: 'AGENT_REMOVED',
      agent_removed: { agent_id: { value: 'a' } },
    }));
    await clock.run(10);
    expect(types).toEqual(['SUBSCRIBED', 'HEARTBEAT', 'AGENT_REMOVED']);
    core.events.close();
  });

  it('takes the place of the oldest when there are too many', async () => {
    const streams = Array.from({ length: 3 }, () =>
      readableBody(core.events.subscribe(core, 'json')),
    );
    for (const body of streams) body.resume();
    await clock.run(100);
    expect(streams.map(({ readableEnded }) => readableEnded)).toEqual([true, false, false]);
    expect(core.events.subscribers).toBe(2);
    core.events.close();
  });

  it('costs nothing while there is none', () => {
    core.events.emit(() => {
      throw new Error('made for nobody');
    });
    expect(core.events.subscribers).toBe(0);
  });
});
