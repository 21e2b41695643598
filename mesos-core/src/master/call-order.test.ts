import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CallOrder, type Slices } from './call-order.ts';

let done: string[];
let errors: unknown[];
let order: CallOrder;

beforeEach(() => {
  done = [];
  errors = [];
  order = new CallOrder((error) => errors.push(error));
});

afterEach(async () => {
  // Nothing goes on while the next test runs.
  for (let turn = 0; turn < 100; turn += 1) await nextTurn();
});

const short = (name: string) => () => {
  done.push(name);
  return undefined;
};

const long = (name: string, slices: number) =>
  function* (): Slices {
    for (let slice = 1; slice <= slices; slice += 1) {
      if (slice > 1) yield;
      done.push(`${name}.${slice}`);
    }
  };

it('carries out a call at once, and the first slice of a long one', () => {
  order.run('a', short('one'));
  order.run('a', long('two', 3));
  expect(done).toEqual(['one', 'two.1']);
});

it('does one slice a turn; the other calls of the caller wait, those of others do not', async () => {
  order.run('a', long('one', 3));
  order.run('a', short('two'));
  order.run('a', long('three', 2));
  order.run('a', short('four'));
  order.run('b', short('other'));
  expect(done.splice(0)).toEqual(['one.1', 'other']);
  await nextTurn();
  expect(done.splice(0)).toEqual(['one.2']);
  await nextTurn();
  expect(done.splice(0)).toEqual(['one.3']);
  await nextTurn();
  expect(done.splice(0)).toEqual(['two', 'three.1']);
  await nextTurn();
  await nextTurn();
  expect(done.splice(0)).toEqual(['three.2', 'four']);
  order.run('a', short('five'));
  expect(done).toEqual(['five']);
});

it('goes on at once when calls come in faster than they are done', () => {
  order.run('a', long('one', 3));
  for (let call = 0; call < 5000; call += 1) order.run('a', short('short'));
  expect(done.filter((each) => each.startsWith('one'))).toHaveLength(3);
  expect(done.length).toBeGreaterThan(3900);
});

it('says what a call throws, to who made it or to the log, and goes on', async () => {
  const failing = (name: string) =>
    function* (): Slices {
      yield;
      throw new Error(name);
    };
  const fail = () => {
    throw new Error('at once');
  };
  expect(() => order.run('a', fail)).toThrow('at once');
  order.run('a', failing('later'));
  order.run('a', fail);
  order.run('a', short('last'));
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  expect(errors.map(String)).toEqual(['Error: later', 'Error: at once']);
  expect(done).toEqual(['last']);
});
