import { type Clock, systemClock, type Timer } from '@factory/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { startFactory, type TestFactory } from './factory.ts';
import { STORE_KINDS, type TestDatabaseHandle } from './stores.ts';

/** The system's clock, some time later. */
interface ShiftedClock extends Clock {
  /** What was to happen in this time happens now. */
  shift(byMs: number): void;
}

function createShiftedClock(): ShiftedClock {
  let offsetMs = 0;
  const waiting = new Set<{ readonly arm: () => void }>();
  const monotonicMs = (): number => systemClock.monotonicMs() + offsetMs;
  return {
    nowMs: () => systemClock.nowMs() + offsetMs,
    monotonicMs,
    after(delayMs, callback) {
      const dueMs = monotonicMs() + delayMs;
      let timer: Timer | undefined;
      const due = {
        arm() {
          timer?.cancel();
          timer = systemClock.after(Math.max(0, dueMs - monotonicMs()), () => {
            waiting.delete(due);
            callback();
          });
        },
      };
      waiting.add(due);
      due.arm();
      return {
        cancel() {
          waiting.delete(due);
          timer?.cancel();
        },
      };
    },
    shift(byMs) {
      offsetMs += byMs;
      for (const due of waiting) due.arm();
    },
  };
}

/** What a test of {@link describeOnEachStore} works with; new for each test. */
export interface StoreTest {
  readonly factory: TestFactory;
  readonly database: TestDatabaseHandle;
  readonly clock: ShiftedClock;
}

/** Declares tests that run on each kind of store, each with an api-server of its own. */
export function describeOnEachStore(name: string, declare: (test: () => StoreTest) => void): void {
  describe.each(STORE_KINDS)(`${name}, with the store $name`, (kind) => {
    let databases: Awaited<ReturnType<typeof kind.open>>;
    let current: StoreTest | undefined;
    beforeAll(async () => {
      databases = await kind.open();
    }, 120_000);
    afterAll(() => databases.close());
    beforeEach(async () => {
      const database = await databases.create();
      const clock = createShiftedClock();
      current = { database, clock, factory: await startFactory(database, { clock }) };
    });
    afterEach(async () => {
      await current?.factory.close();
      await current?.database.drop();
    });
    declare(() => {
      if (current === undefined) throw new Error('only within a test');
      return current;
    });
  });
}
