import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeMessage, type Encoding } from './codec.ts';
import { encodePieces, jsonPieces, LazyList, LazyMessage } from './lazy-message.ts';
import type { MessageTypes } from './messages.ts';

const FILE = new URL('../../fixtures/recordings.jsonl', import.meta.url);
const recorded: MessageTypes['master.Response'] = readFileSync(FILE, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .find(({ name }) => name === 'operator GET_STATE').response.body;

function encoded(encoding: Encoding, message: LazyMessage): Uint8Array {
  const pieces = [...encodePieces('master.Response', encoding, message)];
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}

/** The message with every list in it made lazy. */
function lazy(value: object): LazyMessage {
  const fields = Object.entries(value).map(([name, field]: [string, unknown]) => {
    if (Array.isArray(field)) return [name, new LazyList(() => [undefined, ...field])];
    return [name, typeof field === 'object' && field !== null ? lazy(field) : field];
  });
  return new LazyMessage(Object.fromEntries(fields));
}

describe('a message that is made while it is encoded', () => {
  it.each(['json', 'protobuf'] as const)(
    'is the same as one that was there before: %s',
    (encoding) => {
      const whole = new LazyMessage({ ...recorded });
      const expected = decodeMessage('master.Response', encoding, encoded(encoding, whole));
      const actual = decodeMessage('master.Response', encoding, encoded(encoding, lazy(recorded)));
      expect(actual).toEqual(expected);
      expect(JSON.stringify(actual)).toContain('"finishes"');
    },
  );

  it('says the defaults that Mesos prints', () => {
    const task = {
      ...{ name: 't', task_id: { value: 't' }, framework_id: { value: 'f' } },
      ...{ agent_id: { value: 'a' }, state: 'TASK_RUNNING', health_check: {} },
    };
    const message = new LazyMessage({
      type: 'GET_TASKS',
      get_tasks: new LazyMessage({ tasks: new LazyList(() => [task]) }),
    });
    const { get_tasks } = JSON.parse(Buffer.from(encoded('json', message)).toString());
    expect(get_tasks.tasks[0].health_check).toMatchObject({ delay_seconds: 15 });
    expect(task.health_check).toEqual({});
  });

  it('may be JSON of no particular message', () => {
    const value = new LazyMessage({
      none: undefined,
      empty: new LazyList(() => []),
      list: new LazyList(() => [{ a: 1 }, undefined, new LazyMessage({ b: new LazyMessage({}) })]),
    });
    const text = [...jsonPieces(value)].join('');
    expect(JSON.parse(text)).toEqual({ empty: [], list: [{ a: 1 }, { b: {} }] });
  });
});
