import type { SchedulerMessage } from '@factory/contracts';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { ImageDesk } from './image-desk.ts';

const VERSION = 'a'.repeat(64);
const here = { name: 'micro', version: VERSION, percent: 100 };
const waiting = { name: 'micro', version: VERSION, percent: 0, waits: true };
const pulling = { name: 'micro', version: VERSION, percent: 20 };

function setUp(pullsMax = 1) {
  const clock = new VirtualClock();
  const said: (readonly [string, SchedulerMessage['type']])[] = [];
  const woken = new Set<string>();
  const noted = new Map<string, readonly string[]>();
  const desk = new ImageDesk({
    ...{ clock, pullsMax },
    tell: (agentId, { type }) => said.push([agentId, type]),
    wake: (agentId) => woken.add(agentId),
    noteImages: (agentId, images) => noted.set(agentId, [...images]),
  });
  return { clock, desk, said, noted, woken };
}

describe('the desk for images on hosts', () => {
  it('has placement know which hosts are warm', () => {
    const { desk, noted } = setUp();
    desk.told('agent-1', [here, { ...pulling, version: 'b'.repeat(64) }]);
    expect(noted.get('agent-1')).toEqual(['micro', VERSION]);
    expect(desk.list()).toMatchObject([{ agentId: 'agent-1', images: [here, {}] }]);
  });

  it('has executors started where none is that could copy', () => {
    const { desk, woken } = setUp();
    desk.told('agent-1', []);
    desk.stage([{ name: 'micro', version: VERSION, agentIds: ['agent-1', 'agent-2'] }]);
    expect([...woken]).toEqual(['agent-2']);
  });

  it('asks hosts for what they lack, and again until they say that it comes', async () => {
    const { clock, desk, said } = setUp();
    const stages = [{ name: 'micro', version: VERSION, agentIds: ['agent-1', 'agent-2'] }];
    desk.told('agent-1', [here]);
    desk.stage(stages);
    desk.stage(stages);
    expect(said).toEqual([['agent-2', 'stageImages']]);
    await clock.run(6_000);
    desk.stage(stages);
    expect(said).toHaveLength(2);
    desk.told('agent-2', [pulling]);
    await clock.run(6_000);
    desk.stage(stages);
    expect(said).toHaveLength(2);
  });

  it('lets the next copy begin when one has ended, failed, or fallen silent', async () => {
    const { clock, desk, said } = setUp();
    const tickets = () => said.filter(([, type]) => type === 'pullTickets').map(([id]) => id);
    desk.told('agent-1', [waiting]);
    desk.told('agent-2', [waiting]);
    desk.told('agent-1', [pulling]);
    desk.told('agent-3', [waiting]);
    expect(tickets().at(-1)).toBe('agent-1');
    desk.told('agent-1', [here]);
    expect(tickets().at(-1)).toBe('agent-2');
    desk.told('agent-2', [pulling]);
    desk.told('agent-2', []);
    expect(tickets().at(-1)).toBe('agent-3');
    desk.told('agent-3', [pulling]);
    await clock.run(60_000);
    desk.told('agent-4', [waiting]);
    expect(tickets().at(-1)).toBe('agent-3');
    await clock.run(20_000);
    desk.sweep();
    expect(tickets().at(-1)).toBe('agent-4');
  });
});
