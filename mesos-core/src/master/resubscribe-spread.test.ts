import { expect, it } from 'vitest';
import { resubscribeSpreadMs } from './resubscribe-spread.ts';

it.each([
  [0, 0],
  [1000, 0],
  [2000, 100],
  [10_000, 900],
  [1_000_000, 10_000],
])('the %i. agent of a cluster comes back to a new leader within %i ms', (count, spreadMs) => {
  expect(resubscribeSpreadMs(count)).toBe(spreadMs);
});
