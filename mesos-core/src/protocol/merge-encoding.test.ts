import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, decodeProtobuf, toJson } from './codec.ts';
import { encodeMerged } from './merge-encoding.ts';
import type { MasterResponse } from './messages.ts';

const names = fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 });

/** Lists of agents, frameworks and tasks, each cut into pieces, in order. */
const responses = fc
  .record({ recovered: fc.array(names), executors: fc.array(names), roles: fc.boolean() })
  .map(({ recovered, executors }): { whole: MasterResponse; pieces: MasterResponse[] } => {
    const agentOf = (hostname: string) => ({ hostname });
    const executorOf = (id: string) => ({
      executor_info: { executor_id: { value: id } },
      agent_id: { value: 'a' },
    });
    const state = (get_state: object) => ({ type: 'GET_STATE' as const, get_state });
    return {
      whole: state({
        get_agents: { recovered_agents: recovered.flat().map(agentOf) },
        get_executors: { executors: executors.flat().map(executorOf) },
      }),
      pieces: [
        state({ get_agents: { recovered_agents: [] } }),
        ...recovered.map((some) => state({ get_agents: { recovered_agents: some.map(agentOf) } })),
        state({ get_executors: { executors: [] } }),
        ...executors.map((some) => state({ get_executors: { executors: some.map(executorOf) } })),
      ],
    };
  });

describe('a message in pieces', () => {
  it('is the same as the whole, in JSON', () => {
    fc.assert(
      fc.property(responses, ({ whole, pieces }) => {
        const text = Buffer.concat([...encodeMerged('master.Response', 'json', pieces)]).toString();
        expect(JSON.parse(text)).toEqual(toJson('master.Response', whole));
      }),
    );
  });

  it('is the same as the whole, in protobuf', () => {
    fc.assert(
      fc.property(responses, ({ whole, pieces }) => {
        const bytes = Buffer.concat([...encodeMerged('master.Response', 'protobuf', pieces)]);
        const json = Buffer.from(JSON.stringify(toJson('master.Response', whole)));
        const expected = decodeMessage('master.Response', 'json', json);
        const decoded = decodeProtobuf('master.Response', bytes);
        expect(toJson('master.Response', decoded)).toEqual(withoutEmpty(expected));
      }),
    );
  });

  it('is an empty object when there is none', () => {
    expect(Buffer.concat([...encodeMerged('master.Response', 'json', [])]).toString()).toBe('{}');
  });

  it('does not lose what comes back to a closed list', () => {
    const get_tasks = { type: 'GET_TASKS', get_tasks: { tasks: [] } } as const;
    const other = { type: 'GET_TASKS', get_tasks: { completed_tasks: [] } } as const;
    const merged = encodeMerged('master.Response', 'json', [get_tasks, other, get_tasks]);
    expect(() => [...merged]).toThrow('pieces of get_tasks/tasks are out of order');
  });
});

/** Protobuf knows no difference between an empty list and none. */
function withoutEmpty(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, each: unknown) =>
      Array.isArray(each) && each.length === 0 ? undefined : each,
    ),
  );
}
