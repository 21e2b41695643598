import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentApiCall, MasterCall } from '../../../mesos-core/src/protocol/index.ts';
import { getFromAgent, orderAgent } from './support/agent.ts';
import { get, type Operator, order } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { ask } from './support/raw-http.ts';
import { openTarget, type Target } from './support/target.ts';
import { ENCODINGS } from './support/wire.ts';

const LEVEL_TIMEOUT_MS = 10_000;
const SECOND = { nanoseconds: 1_000_000_000 };

type Setting = Extract<MasterCall & AgentApiCall, { readonly type: 'SET_LOGGING_LEVEL' }>;

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

/** Both have the same calls. */
const PROCESSES = [
  {
    process: 'master' as const,
    flag: 'allocation_interval',
    flags: async (operator: Operator) =>
      (await get(operator, { type: 'GET_FLAGS' })).get_flags.flags ?? [],
    level: async (operator: Operator) =>
      (await get(operator, { type: 'GET_LOGGING_LEVEL' })).get_logging_level.level,
    setLevel: (operator: Operator, call: Setting) => order(operator, call),
  },
  {
    process: 'agent' as const,
    flag: 'work_dir',
    flags: async (operator: Operator) =>
      (await getFromAgent(operator, { type: 'GET_FLAGS' })).get_flags.flags ?? [],
    level: async (operator: Operator) =>
      (await getFromAgent(operator, { type: 'GET_LOGGING_LEVEL' })).get_logging_level.level,
    setLevel: orderAgent,
  },
];

describe.each(ENCODINGS)('in %s', (encoding) => {
  describe.each(PROCESSES)('the $process', ({ process, flag, flags, level, setLevel }) => {
    it('GET_FLAGS and /flags show how it was started', async () => {
      const shown = new Map(
        (await flags({ target, encoding })).map(({ name, value }) => [name, value]),
      );
      expect(shown.get(flag)).toEqual(expect.any(String));
      const { body } = await ask({ url: `${target[process]}/flags`, method: 'GET' });
      expect(JSON.parse(body.toString()).flags[flag]).toBe(shown.get(flag));
    });

    it('SET_LOGGING_LEVEL holds for its duration, as GET_LOGGING_LEVEL shows', async () => {
      const operator: Operator = { target, encoding };
      const before = await level(operator);
      const set_logging_level = { level: before + 1, duration: SECOND };
      await setLevel(operator, { type: 'SET_LOGGING_LEVEL', set_logging_level });
      expect(await level(operator)).toBe(before + 1);
      await waitFor(systemClock, 'the level as before', LEVEL_TIMEOUT_MS, async () =>
        (await level(operator)) === before ? true : undefined,
      );
    });
  });
});

proveCoverage(import.meta.url);
